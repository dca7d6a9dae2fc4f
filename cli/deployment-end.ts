/** How `sphere deploy` ends: what it prints for a deployment that has ended, or the error that it ended with. */
import type { Deployment } from '../contract/api.ts';
import { codeOfReason, SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import type { Context, Result } from './command.ts';
import { publishedLine, timeLine } from './summary.ts';

/** A deployment that ended otherwise than it should; `--json` shows it beside the error. */
export class DeploymentEnded extends SphereError {
  constructor(
    readonly deployment: Deployment,
    ...error: ConstructorParameters<typeof SphereError>
  ) {
    super(...error);
  }
}

/** The result of a deployment that was not made, because the same is live. */
export function alreadyLive({ output }: Pick<Context, 'output'>, deployment: Deployment): Result {
  const { id, url } = deployment;
  output.note(
    `${output.paint('green', '✔')} Nothing has changed: this is already live (${id}). --force builds it again.`,
  );
  sayAddresses({ output }, deployment);
  return { json: resultObject('already_live', deployment), text: url };
}

/** The result of a deployment that has ended, or the error that it ended with. */
export function conclude(
  { output }: Pick<Context, 'output'>,
  deployment: Deployment,
  tookMs: number,
  interrupted: boolean,
): Result {
  const { status, reason, error, id, url } = deployment;
  for (const warning of deployment.warnings) output.warn(warning);
  if (interrupted) {
    const seen =
      status === 'ready' ? `${id} had begun to publish and is live: ${url}` : `${id} is ${status}.`;
    throw new DeploymentEnded(deployment, 'INTERRUPTED', `Interrupted; ${seen}`, {
      // Its log line was left out (see progress.ts), for this place.
      ...(error && reason !== 'user' ? { details: [error.message] } : {}),
      ...(status === 'ready' && deployment.target === LIVE
        ? { hint: 'To go back to what was live before: `sphere rollback`.' }
        : {}),
    });
  }
  if (reason === 'ignored') {
    output.note('Ignored, as the ignore command says; what was live stays. --force builds it.');
    sayAddresses({ output }, deployment);
    return { json: resultObject('ignored', deployment), text: url };
  }
  if (status === 'ready') {
    const published = publishedLine(deployment);
    if (output.live) output.note('');
    if (published) output.note(`${output.paint('green', '✔')} ${published}`);
    output.note(timeLine(deployment, tookMs));
    sayAddresses({ output }, deployment);
    return { json: resultObject('deployed', deployment), text: url };
  }
  if (output.live) output.note('');
  output.note(timeLine(deployment, tookMs));
  throw endError(deployment);
}

/** The error that a deployment ended with, which is not ready. */
export function endError(deployment: Deployment): DeploymentEnded {
  const { status, reason, error, id } = deployment;
  if (reason === 'user') {
    return new DeploymentEnded(deployment, 'DEPLOYMENT_CANCELLED', `${id} was cancelled.`, {
      hint: `What was live stays. Deploy again when it is wanted; \`sphere logs ${id}\` shows how far it came.`,
    });
  }
  const known = reason && reason !== 'ignored' ? codeOfReason[reason] : 'INTERNAL';
  return new DeploymentEnded(
    deployment,
    error?.code ?? known,
    error?.message ?? `The deployment ${id} ended: ${reason ?? status}.`,
    {
      hint: error?.hint ?? `See \`sphere logs ${id}\`.`,
      details: error?.details,
    },
  );
}

/** stdout gets the address alone; for people who see both streams it is not said twice. */
function sayAddresses({ output }: Pick<Context, 'output'>, { url, address }: Deployment): void {
  if (!output.resultSeen || output.json) output.note(`Site: ${url}`);
  if (address !== url) output.note(`Also: ${address} (for programs that do not know *.localhost)`);
}

/** What `--json` prints of a deployment. */
export function resultObject(
  outcome: 'deployed' | 'already_live' | 'created' | 'ignored',
  deployment: Deployment,
) {
  const { id, url, address, project, target, status } = deployment;
  return { outcome, id, project, target, url, address, status, deployment };
}
