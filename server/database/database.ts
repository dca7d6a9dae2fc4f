/** The database as the use cases see it: Kysely, and transactions that cannot deadlock on a single connection. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Dialect, Kysely, type Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Database = {
  /** For single statements. Throws when used inside a transaction of the same call chain. */
  query: Kysely<Tables>;
  /** Runs `work` in one transaction; only its handle may be used inside. */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/**
 * Opens a database on the dialect that `dialect` makes. PGlite has one connection: a query beside an open transaction
 * would wait for it for ever, so `guard` (called whenever a connection is asked for) turns that into an error at once.
 */
export function createDatabase(dialect: (guard: () => void) => Dialect): Database {
  const inside = new AsyncLocalStorage<true>();
  const guard = () => {
    if (inside.getStore()) throw new Error('a query outside of the transaction that is open here');
  };
  const query = new Kysely<Tables>({ dialect: dialect(guard) });
  return {
    query,
    transaction: (work) => query.transaction().execute((trx) => inside.run(true, () => work(trx))),
    close: () => query.destroy(),
  };
}
