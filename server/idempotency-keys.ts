/** `Idempotency-Key`: a request that is sent again is answered with what the first one made. */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { CreateDeployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import type { Tables } from './database/tables.ts';
import { type DeploymentRow, findDeployment } from './deployments.ts';
import type { Plane } from './plane.ts';

/** How long an idempotency key is remembered. */
const keyLifeMs = 24 * 3600_000;

/** A key of an account's, with the request that it came with. */
export type KeyedRequest = { account: string; key: string; bodyHash: string };

export function keyedRequest(account: string, key: string, request: CreateDeployment): KeyedRequest {
  const bodyHash = createHash('sha256').update(JSON.stringify(request)).digest('hex');
  return { account, key, bodyHash };
}

/** What the key has made. Throws `IDEMPOTENCY_KEY_REUSED` where that was asked for by another request. */
export async function findByKey(
  plane: Plane,
  { account, key, bodyHash }: KeyedRequest,
): Promise<DeploymentRow | undefined> {
  const known = await plane.database.query
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('account_id', '=', account)
    .where('key', '=', key)
    .where('created_at', '>', new Date(plane.now() - keyLifeMs))
    .executeTakeFirst();
  if (!known) return undefined;
  if (known.body_hash !== bodyHash) {
    throw new SphereError(
      'IDEMPOTENCY_KEY_REUSED',
      'this Idempotency-Key was sent with another body before',
      {
        hint: 'Send a new key with a new request.',
      },
    );
  }
  return findDeployment(plane.database.query, account, known.deployment_id);
}

/** Thrown to undo what a request has written whose key another one has used at the same time. */
export const keyTaken = new Error('the key has been used meanwhile');

/** Keeps `key` for a day. Throws `keyTaken` when it is not free. */
export async function rememberKey(
  trx: Transaction<Tables>,
  { account, key, bodyHash }: KeyedRequest,
  deployment: string,
  now: number,
): Promise<void> {
  const value = { body_hash: bodyHash, deployment_id: deployment, created_at: new Date(now) };
  const kept = await trx
    .insertInto('idempotency_keys')
    .values({ account_id: account, key, ...value })
    .onConflict((conflict) =>
      conflict
        .columns(['account_id', 'key'])
        .doUpdateSet(value)
        .where('idempotency_keys.created_at', '<=', new Date(now - keyLifeMs)),
    )
    .returning('key')
    .executeTakeFirst();
  if (!kept) throw keyTaken;
}

/** Removes keys that are no longer remembered. */
export async function forgetOldKeys(plane: Plane): Promise<void> {
  await plane.database.query
    .deleteFrom('idempotency_keys')
    .where('created_at', '<=', new Date(plane.now() - keyLifeMs))
    .execute();
}
