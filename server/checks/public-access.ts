/** `sphere server check`: nothing above the buckets forbids them to be public (T2). */
import { GetPublicAccessBlockCommand, type S3ControlClient } from '@aws-sdk/client-s3-control';
import type { Check } from '../check.ts';
import { awsFailure } from './aws-failure.ts';

/**
 * The block of the whole account wins over what a bucket says, and S3 refuses a public policy with AccessDenied then,
 * whatever the bucket's own block is: https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_GetPublicAccessBlock.html
 */
export async function checkPublicAccess(s3Control: S3ControlClient, accountId: string): Promise<Check[]> {
  const name = 'public access block';
  try {
    const answer = await s3Control.send(new GetPublicAccessBlockCommand({ AccountId: accountId }));
    const block = answer.PublicAccessBlockConfiguration ?? {};
    // Sites are public by policy: what blocks ACLs is no hindrance, and stays.
    const inTheWay = (['BlockPublicPolicy', 'RestrictPublicBuckets'] as const).filter((flag) => block[flag]);
    if (inTheWay.length === 0) return [{ name, ok: true, seen: 'policies may make buckets public' }];
    const settings = `BlockPublicAcls=${block.BlockPublicAcls === true},IgnorePublicAcls=${block.IgnorePublicAcls === true},BlockPublicPolicy=false,RestrictPublicBuckets=false`;
    return [
      {
        name,
        ok: false,
        seen: `the account ${accountId} has ${inTheWay.join(' and ')}: no site can be public`,
        fix: `Run \`aws s3control put-public-access-block --account-id ${accountId} --public-access-block-configuration ${settings}\`. Where that is refused, a policy of the AWS organisation sets it, and has to be changed there.`,
      },
    ];
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchPublicAccessBlockConfiguration')
      return [{ name, ok: true, seen: 'the account has none' }];
    return [awsFailure(name, error, 's3:GetAccountPublicAccessBlock')];
  }
}
