/** `sphere server check`: what a call to AWS that failed means, and the next step. */
import type { Check } from '../check.ts';
import { describeError } from './run-checks.ts';

/** The failed check `name`; `action` is what the call needs to be allowed, such as `ecr:BatchGetImage`. */
export function awsFailure(name: string, error: unknown, action: string): Check {
  return { name, ok: false, seen: describeError(error), fix: fixFor(error, action) };
}

/** By the names that AWS and its SDK give to errors. */
function fixFor(error: unknown, action: string): string {
  const name = error instanceof Error ? error.name : '';
  if (/AccessDenied|UnauthorizedOperation|NotAuthorized/.test(name))
    return `Allow ${action} to the role of the control plane: infra/aws has the policy.`;
  if (/CredentialsProvider|TokenProvider/.test(name))
    return 'Give this machine a role (EC2: an instance profile; ECS: a task role), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; `aws sts get-caller-identity` shows which one counts.';
  if (
    /ExpiredToken|InvalidClientTokenId|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch/.test(name)
  )
    return 'Renew the credentials, and see that the clock of this machine is right: `aws sts get-caller-identity`.';
  return 'Check AWS_REGION, and that this machine reaches AWS on port 443.';
}
