/** `sphere server check`: the credentials work and belong to the account that was configured. */
import { GetCallerIdentityCommand, type STSClient } from '@aws-sdk/client-sts';
import type { Check } from '../check.ts';
import { awsFailure } from './aws-failure.ts';

/** Asks AWS who we are. */
export async function checkIdentity(sts: STSClient, accountId: string): Promise<Check[]> {
  const name = 'AWS identity';
  try {
    const { Account, Arn } = await sts.send(new GetCallerIdentityCommand({}));
    if (Account === accountId) return [{ name, ok: true, seen: `${Arn}` }];
    const seen = `${Arn}, of account ${Account}; SPHERE_ACCOUNT_ID is ${accountId}`;
    const fix = `Use credentials of account ${accountId}, or set SPHERE_ACCOUNT_ID=${Account}.`;
    return [{ name, ok: false, seen, fix }];
  } catch (error) {
    return [awsFailure(name, error, 'sts:GetCallerIdentity')];
  }
}
