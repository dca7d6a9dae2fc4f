/** What every connection to PostgreSQL has in common: pools whose breaking ends no process, and the least version. */
import pg from 'pg';

/** The oldest PostgreSQL, its major version, that the SQL is tested on. */
export const leastPostgresVersion = 15;

/**
 * Makes a pool. Connections are opened when they are needed. `report`: told of one that broke while nobody used it; the
 * pool replaces it.
 */
export function createPool(config: pg.PoolConfig, report: (error: Error) => void = () => {}): pg.Pool {
  const pool = new pg.Pool(config);
  // Without listeners, a connection that breaks ends the process: an idle one …
  pool.on('error', report);
  // … and one between two statements of a transaction, where the next statement tells whoever works with it.
  pool.on('connect', (client) => client.on('error', () => {}));
  return pool;
}
