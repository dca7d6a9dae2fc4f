/** The tokens of a hosted plane: made, listed, removed, and found again by whoever shows one. Of each, a hash is kept. */
import { type Selectable, sql } from 'kysely';
import type { CreateToken, CreateTokenAnswer, TokenEntry } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';
import { accountId } from './accounts.ts';
import { recordChange } from './audit.ts';
import type { Database } from './database/database.ts';
import type { TokenTable } from './database/tables.ts';
import { hashToken, newId } from './keys.ts';
import type { Queries } from './plane.ts';
import { checkCredentials } from './quotas.ts';
import { isMisspelt, newToken } from './token-text.ts';

/** The one token that belongs to no account. */
const ADMIN_TOKEN = 'admin';

export type TokenRow = Selectable<TokenTable>;
type WithDatabase = { database: Database; now(): number };

/** Makes a token of the account `name`. Throws `NOT_FOUND`. */
export async function createToken(
  { database, now }: WithDatabase,
  account: string,
  request: CreateToken,
): Promise<CreateTokenAnswer> {
  const token = newToken();
  const { expiresInDays: days, scope = 'deploy', project = null } = request;
  const expiresAt = days === undefined ? null : new Date(now() + days * 24 * 3600_000);
  const id = newId('tok');
  await database.transaction(async (trx) => {
    const owner = await accountId(trx, account);
    await checkCredentials(trx, owner, 'tokens');
    await trx
      .insertInto('tokens')
      .values({
        id,
        account_id: owner,
        name: request.name,
        hash: hashToken(token),
        created_at: new Date(now()),
        expires_at: expiresAt,
        scope,
        project,
      })
      .execute();
    await recordChange(trx, { action: 'createToken', account: owner, project, object: id });
  });
  return {
    token,
    id,
    name: request.name,
    account,
    scope,
    project,
    expiresAt: expiresAt?.toISOString() ?? null,
  };
}

/** The tokens of the account, newest first. Those of jobs are not among them. Throws `NOT_FOUND`. */
export async function listTokens({ database }: WithDatabase, account: string): Promise<TokenEntry[]> {
  const rows = await database.query
    .selectFrom('tokens')
    .selectAll()
    .where('account_id', '=', await accountId(database.query, account))
    .where('trust_id', 'is', null)
    .orderBy('created_at', 'desc')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    scope: row.scope,
    project: row.project,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }));
}

/** The token works no more, on any replica, and what is open under it ends. Throws `NOT_FOUND`. */
export async function removeToken({ database }: WithDatabase, account: string, id: string): Promise<void> {
  await database.transaction(async (trx) => {
    const owner = await accountId(trx, account);
    const removed = await trx
      .deleteFrom('tokens')
      .where('id', '=', id)
      .where('account_id', '=', owner)
      .returning(['id', 'project'])
      .executeTakeFirst();
    if (!removed) {
      throw new SphereError('NOT_FOUND', `"${account}" has no token "${id}"`, {
        hint: `See \`sphere token ls --account ${account}\`.`,
      });
    }
    await tokensRemoved(trx, [id]);
    await recordChange(trx, { action: 'removeToken', account: owner, project: removed.project, object: id });
  });
}

/** The channel on which replicas tell each other of tokens that work no more. */
export const removedTokens = 'sphere_tokens_removed';

/** Tells every replica, once the transaction is committed. */
export async function tokensRemoved(db: Queries, ids: readonly string[]): Promise<void> {
  for (const id of ids) await sql`select pg_notify(${removedTokens}, ${id})`.execute(db);
}

/**
 * Makes sure that there is an admin token: `given`, or one that is made once and answered to whoever made it. Null: it
 * was made before, or given. Any number of processes may do so at once.
 */
export async function ensureAdminToken(
  { database, now }: WithDatabase,
  given: string | null,
): Promise<string | null> {
  const token = given ?? newToken();
  const row = {
    id: ADMIN_TOKEN,
    account_id: null,
    name: 'admin',
    hash: hashToken(token),
    created_at: new Date(now()),
    scope: 'admin' as const,
  };
  const made = await database.query
    .insertInto('tokens')
    .values(row)
    .onConflict((conflict) =>
      given === null
        ? conflict.column('id').doNothing()
        : conflict.column('id').doUpdateSet({ hash: row.hash }),
    )
    .returning('id')
    .executeTakeFirst();
  return given === null && made ? token : null;
}

/** How long the use of a token goes unnoted, in milliseconds. */
const noteUseEveryMs = 60_000;

/** The row of a token that works, or undefined: misspelt, unknown, expired or removed. */
export async function findToken(
  { database, now }: WithDatabase,
  token: string,
): Promise<TokenRow | undefined> {
  if (isMisspelt(token)) return undefined;
  // By its hash: how long the comparison takes says nothing about any token.
  const row = await database.query
    .selectFrom('tokens')
    .selectAll()
    .where('hash', '=', hashToken(token))
    .executeTakeFirst();
  if (!row) return undefined;
  const expired = row.expires_at !== null && row.expires_at.getTime() <= now();
  if (expired && !(await isAtWork(database.query, row, now()))) return undefined;
  if (now() - (row.last_used_at?.getTime() ?? 0) > noteUseEveryMs) {
    await database.query
      .updateTable('tokens')
      .set({ last_used_at: new Date(now()) })
      .where('id', '=', row.id)
      .execute();
  }
  return row;
}

/** No job of GitHub's runs longer. */
const longestJobMs = 6 * 3600_000;
/** So long the job can still ask how it went. */
const afterEndMs = 2 * 60_000;

/** The token of a job outlives its time while a deployment that it has asked for has not ended. */
async function isAtWork(db: Queries, row: TokenRow, now: number): Promise<boolean> {
  if (row.trust_id === null || row.created_at.getTime() + longestJobMs <= now) return false;
  const unfinished = await db
    .selectFrom('deployments')
    .select('id')
    .where('token_id', '=', row.id)
    .where((eb) =>
      eb.or([
        eb('deployment_status', 'in', ['queued', 'building']),
        eb('finished_at', '>', new Date(now - afterEndMs)),
      ]),
    )
    .executeTakeFirst();
  return unfinished !== undefined;
}

/** Which of the tokens `ids` work no more. */
export async function endedTokens(
  { database, now }: WithDatabase,
  ids: readonly string[],
): Promise<string[]> {
  if (ids.length === 0) return [];
  const rows = await database.query.selectFrom('tokens').selectAll().where('id', 'in', ids).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const ended: string[] = [];
  for (const id of ids) {
    const row = byId.get(id);
    const expired = row?.expires_at && row.expires_at.getTime() <= now();
    if (!row || (expired && !(await isAtWork(database.query, row, now())))) ended.push(id);
  }
  return ended;
}

/** Forgets the tokens of jobs that are over, and the ID tokens that no clock takes for valid any more. */
export async function forgetJobTokens({ database, now }: WithDatabase): Promise<void> {
  const { query } = database;
  await query
    .deleteFrom('tokens')
    .where('trust_id', 'is not', null)
    .where('created_at', '<', new Date(now() - longestJobMs))
    .where('expires_at', '<', new Date(now()))
    .execute();
  await query
    .deleteFrom('used_id_tokens')
    .where('expires_at', '<', sql<Date>`now() - interval '1 hour'`)
    .execute();
}
