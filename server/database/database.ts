/** The database as the use cases see it: Kysely, and transactions that cannot deadlock on a single connection. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Dialect, Kysely, type Transaction } from 'kysely';
import type { Tables } from './tables.ts';

export type Database = {
  /** For single statements. Throws when used inside a transaction of the same call chain. */
  query: Kysely<Tables>;
  /** Runs `work` in one transaction; only its handle may be used inside. It is run again after a deadlock. */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /**
   * Calls `told` with every notice on `channel`, and `again` whenever notices before this moment may have been lost. The
   * returned function ends it. Absent where no other process could send one.
   */
  listen?(channel: string, told: (notice: string) => void, again: () => void): () => Promise<void>;
  /** Whether the last connection that was asked for could not be made. Absent where none can be missing. */
  isAway?(): boolean;
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
  const once = <T>(work: (trx: Transaction<Tables>) => Promise<T>) =>
    query.transaction().execute((trx) => inside.run(true, () => work(trx)));
  return {
    query,
    async transaction(work) {
      for (let tries = 1; ; tries++) {
        try {
          return await once(work);
        } catch (error) {
          if (tries >= mostTries || !isConflict(error)) throw error;
        }
      }
    },
    close: () => query.destroy(),
  };
}

/** How often a transaction is begun that others got in the way of. */
const mostTries = 5;

/** Serialization failure and deadlock (PostgreSQL, appendix A): the transaction has done nothing and may be run again. */
function isConflict(error: unknown): boolean {
  const { code } = error as { code?: string };
  return code === '40001' || code === '40P01';
}
