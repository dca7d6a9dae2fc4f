/** The hosted plane's database: PostgreSQL 15 or later, by a pool of connections. */
import { PostgresDialect } from 'kysely';
import type pg from 'pg';
import { SphereError } from '../../contract/errors.ts';
import { databaseAway } from './away.ts';
import { createDatabase, type Database } from './database.ts';
import { migrate, pendingMigrations } from './migrations.ts';
import { listen } from './postgres-notices.ts';
import { createPool, leastPostgresVersion } from './postgres-pool.ts';

export type PostgresOptions = {
  /** `postgres://user:password@host/database`. */
  url: string;
  /** The most connections of this process. */
  connections: number;
  /** Told of connections that broke while nobody used them. */
  report: (message: string) => void;
};

/** A statement that takes longer has met a lock that nobody gives back, or a database that is not coming back. */
const statementTimeoutMs = 60_000;
const connectTimeoutMs = 10_000;

/**
 * Opens the database and brings it up to date; any number of processes may do so at once. Throws
 * `CONFIGURATION_INVALID` when it cannot be reached, or is too old.
 */
export async function openPostgresDatabase(options: PostgresOptions): Promise<Database> {
  const pool = createPool(
    {
      connectionString: options.url,
      max: options.connections,
      connectionTimeoutMillis: connectTimeoutMs,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      statement_timeout: statementTimeoutMs,
      // A process that was stopped in a transaction must not keep its locks for ever.
      idle_in_transaction_session_timeout: 30_000,
      application_name: 'sphere',
    },
    (error) => options.report(`a connection to the database broke: ${error.message}`),
  );
  let away = false;
  const connect = async () => {
    try {
      const client = await pool.connect();
      away = false;
      return client;
    } catch (error) {
      away = true;
      throw databaseAway(error);
    }
  };
  const database = createDatabase(() => new PostgresDialect({ pool: { connect, end: () => pool.end() } }));
  try {
    await checkVersion(pool);
    if ((await pendingMigrations(database.query)).length > 0) await migrateAlone(options.url);
    return {
      ...database,
      isAway: () => away,
      listen: (channel, told, again) => listen(options, { channel, told, again }),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** By a connection of its own: an index on a large table takes longer than any statement of the plane's may. */
async function migrateAlone(url: string): Promise<void> {
  const pool = createPool({ connectionString: url, max: 1, application_name: 'sphere migrations' });
  const database = createDatabase(() => new PostgresDialect({ pool }));
  try {
    await migrate(database.query);
  } finally {
    await database.close();
  }
}

async function checkVersion(pool: pg.Pool): Promise<void> {
  const { rows } = await pool
    .query<{ version: string; name: string }>(
      `select current_setting('server_version_num') as version, current_setting('server_version') as name`,
    )
    .catch((cause: Error) => {
      throw new SphereError('CONFIGURATION_INVALID', `the database cannot be reached: ${cause.message}`, {
        hint: 'Check DATABASE_URL, and that PostgreSQL accepts connections from this machine.',
        cause,
      });
    });
  const found = rows[0];
  if (found && Number(found.version) >= leastPostgresVersion * 10_000) return;
  throw new SphereError('CONFIGURATION_INVALID', `the database is PostgreSQL ${found?.name ?? '?'}`, {
    hint: `Sphere needs PostgreSQL ${leastPostgresVersion} or later.`,
  });
}
