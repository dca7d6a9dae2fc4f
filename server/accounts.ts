/** Accounts and their tokens, for the admin of a hosted plane. Of a token only a hash is kept. */
import { randomBytes } from 'node:crypto';
import type { Account, CreateToken, CreateTokenAnswer, TokenEntry } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import type { Database } from './database/database.ts';
import { hashToken, newId } from './keys.ts';

/** The one token that belongs to no account. */
const ADMIN_TOKEN = 'admin';

type WithDatabase = { database: Database; now(): number };

/** A fresh token: 256 random bits. */
function newToken(): string {
  return `sph_${randomBytes(32).toString('hex')}`;
}

/** Makes the account `name`, or finds it. */
export async function createAccount({ database, now }: WithDatabase, name: string): Promise<Account> {
  const { query } = database;
  await query
    .insertInto('accounts')
    .values({ id: newId('acc'), name, created_at: new Date(now()) })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  return viewAccount(
    await query.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirstOrThrow(),
  );
}

/** All accounts, by name. */
export async function listAccounts({ database }: WithDatabase): Promise<Account[]> {
  const rows = await database.query.selectFrom('accounts').selectAll().orderBy('name').execute();
  return rows.map(viewAccount);
}

const viewAccount = (row: { name: string; created_at: Date }): Account => ({
  name: row.name,
  createdAt: row.created_at.toISOString(),
});

/** Makes a token of the account `name`. Throws `NOT_FOUND`. */
export async function createToken(
  { database, now }: WithDatabase,
  account: string,
  request: CreateToken,
): Promise<CreateTokenAnswer> {
  const token = newToken();
  const { expiresInDays: days } = request;
  const expiresAt = days === undefined ? null : new Date(now() + days * 24 * 3600_000);
  const id = newId('tok');
  await database.query
    .insertInto('tokens')
    .values({
      id,
      account_id: await accountId(database, account),
      name: request.name,
      hash: hashToken(token),
      created_at: new Date(now()),
      expires_at: expiresAt,
    })
    .execute();
  return { token, id, name: request.name, account, expiresAt: expiresAt?.toISOString() ?? null };
}

/** The tokens of the account, newest first. Throws `NOT_FOUND`. */
export async function listTokens({ database }: WithDatabase, account: string): Promise<TokenEntry[]> {
  const rows = await database.query
    .selectFrom('tokens')
    .selectAll()
    .where('account_id', '=', await accountId(database, account))
    .orderBy('created_at', 'desc')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    createdAt: row.created_at.toISOString(),
    expiresAt: row.expires_at?.toISOString() ?? null,
    lastUsedAt: row.last_used_at?.toISOString() ?? null,
  }));
}

/** The token works no more. Throws `NOT_FOUND`. */
export async function removeToken({ database }: WithDatabase, account: string, id: string): Promise<void> {
  const { numDeletedRows } = await database.query
    .deleteFrom('tokens')
    .where('id', '=', id)
    .where('account_id', '=', await accountId(database, account))
    .executeTakeFirst();
  if (numDeletedRows > 0n) return;
  throw new SphereError('NOT_FOUND', `"${account}" has no token "${id}"`, {
    hint: `See \`sphere token ls --account ${account}\`.`,
  });
}

async function accountId({ query }: Database, name: string): Promise<string> {
  const row = await query.selectFrom('accounts').select('id').where('name', '=', name).executeTakeFirst();
  if (row) return row.id;
  throw new SphereError('NOT_FOUND', `there is no account "${name}"`, {
    hint: 'Make it first: `sphere token create --account NAME` asks whether it should.',
  });
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

export type TokenOwner = { kind: 'account'; account: string } | { kind: 'admin' };

/** How long the use of a token goes unnoted, in milliseconds. */
const noteUseEveryMs = 60_000;

/** Whose token it is, or null: unknown, expired or removed. */
export async function ownerOfToken(
  { database, now }: WithDatabase,
  token: string,
): Promise<TokenOwner | null> {
  // By its hash: how long the comparison takes says nothing about any token.
  const row = await database.query
    .selectFrom('tokens')
    .selectAll()
    .where('hash', '=', hashToken(token))
    .executeTakeFirst();
  if (!row || (row.expires_at && row.expires_at.getTime() <= now())) return null;
  if (now() - (row.last_used_at?.getTime() ?? 0) > noteUseEveryMs) {
    await database.query
      .updateTable('tokens')
      .set({ last_used_at: new Date(now()) })
      .where('id', '=', row.id)
      .execute();
  }
  return row.account_id === null ? { kind: 'admin' } : { kind: 'account', account: row.account_id };
}
