/** The accounts of a hosted plane. */
import type { Account } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';
import { nothingChanged } from './asked-by.ts';
import { recordChange } from './audit.ts';
import type { Database } from './database/database.ts';
import { newId } from './keys.ts';
import type { Queries } from './plane.ts';

type WithDatabase = { database: Database; now(): number };

/** Makes the account `name`, or finds it. */
export async function createAccount({ database, now }: WithDatabase, name: string): Promise<Account> {
  return database.transaction(async (trx) => {
    const made = await trx
      .insertInto('accounts')
      .values({ id: newId('acc'), name, created_at: new Date(now()) })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning('id')
      .executeTakeFirst();
    if (made) await recordChange(trx, { action: 'createAccount', account: made.id, object: name });
    else nothingChanged();
    return viewAccount(
      await trx.selectFrom('accounts').selectAll().where('name', '=', name).executeTakeFirstOrThrow(),
    );
  });
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

/** The id of the account `name`. Throws `NOT_FOUND`. */
export async function accountId(db: Queries, name: string): Promise<string> {
  const row = await db.selectFrom('accounts').select('id').where('name', '=', name).executeTakeFirst();
  if (row) return row.id;
  throw new SphereError('NOT_FOUND', `there is no account "${name}"`, {
    hint: 'Make it first: `sphere token create --account NAME` asks whether it should.',
  });
}
