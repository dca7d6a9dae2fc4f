/** `sphere server check`: PostgreSQL is there, new enough, migrated, and its clock goes as ours does. */
import { PostgresDialect, sql } from 'kysely';
import type { Check } from '../check.ts';
import { createDatabase, type Database } from '../database/database.ts';
import { pendingMigrations } from '../database/migrations.ts';
import { createPool, leastPostgresVersion } from '../database/postgres-pool.ts';
import type { Keys } from '../keys.ts';
import { countStored } from '../stored-keys.ts';
import { describeError } from './run-checks.ts';

/** Leases go by the database's clock alone; what people see, and when a token ends, would be off by more than this. */
const mostSkewMs = 1_000;

/** Looks at the database at `url`. `keys`: what its secrets are to be opened with. `now`: this machine's clock. */
export async function checkDatabase(
  url: string,
  keys: Pick<Keys, 'ids'>,
  now: () => number = Date.now,
): Promise<Check[]> {
  // A connection that breaks while nothing is asked for is not reported: the next query says it.
  const pool = createPool({ connectionString: url, max: 1, connectionTimeoutMillis: 10_000 });
  const database = createDatabase(() => new PostgresDialect({ pool }));
  try {
    const reachable = await checkVersion(database);
    if (!reachable.ok) return [reachable];
    const migrations = await checkMigrations(database);
    const key = migrations.ok ? [await checkKey(database, keys)] : [];
    return [reachable, migrations, ...key, await checkClock(database, now)];
  } finally {
    await database.close();
  }
}

async function checkVersion({ query }: Database): Promise<Check> {
  const name = 'database';
  try {
    const { rows } = await sql<{ server_version_num: string; server_version: string; name: string }>`
      select current_setting('server_version_num') as server_version_num,
        current_setting('server_version') as server_version, current_database() as name`.execute(query);
    const [row] = rows;
    const ok = Number(row?.server_version_num) >= leastPostgresVersion * 10_000;
    const seen = `PostgreSQL ${row?.server_version}, database "${row?.name}"`;
    return ok
      ? { name, ok, seen }
      : { name, ok, seen, fix: `Upgrade it to PostgreSQL ${leastPostgresVersion} or newer.` };
  } catch (error) {
    return { name, ok: false, seen: describeError(error), fix: connectionFix(error) };
  }
}

/** By PostgreSQL's own error codes (appendix A of its manual) and Node's. */
function connectionFix(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === '28P01' || code === '28000')
    return 'Set user and password in DATABASE_URL as the server has them.';
  if (code === '3D000') return 'Create the database: `createdb` with the name that DATABASE_URL ends in.';
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code ?? ''))
    return 'Name the authority that signed its certificate: NODE_EXTRA_CA_CERTS=FILE, or `&sslrootcert=FILE` in DATABASE_URL.';
  return 'Check host and port in DATABASE_URL, that the server runs, and that its security group lets this machine in.';
}

async function checkMigrations({ query }: Database): Promise<Check> {
  const name = 'migrations';
  const pending = await pendingMigrations(query);
  if (pending.length === 0) return { name, ok: true, seen: 'all done' };
  const fix = 'Start one replica of this version: it migrates the database before it serves.';
  return { name, ok: false, seen: `pending: ${pending.join(', ')}`, fix };
}

async function checkKey(database: Database, keys: Pick<Keys, 'ids'>): Promise<Check> {
  const name = 'key';
  const { all, unopened } = await countStored(database, keys);
  if (unopened === 0) return { name, ok: true, seen: `opens all ${all} stored values` };
  const fix =
    'Set SPHERE_KEY as it is on the other replicas; after a change of the key, SPHERE_KEY_PREVIOUS, too.';
  return { name, ok: false, seen: `${unopened} of ${all} stored values were sealed with another key`, fix };
}

async function checkClock({ query }: Database, now: () => number): Promise<Check> {
  const name = 'database clock';
  const asked = now();
  const { rows } = await sql<{
    ms: string;
  }>`select extract(epoch from clock_timestamp()) * 1000 as ms`.execute(query);
  const answered = now();
  // It was read at some time in between.
  const difference = Number(rows[0]?.ms) - (asked + answered) / 2;
  const away = Math.max(0, Math.abs(difference) - (answered - asked) / 2);
  const ok = away <= mostSkewMs;
  const direction = difference > 0 ? 'ahead of' : 'behind';
  const seen = ok
    ? `within ${mostSkewMs} ms of this machine's`
    : `${(away / 1000).toFixed(1)} s ${direction} this machine's`;
  if (ok) return { name, ok, seen };
  return { name, ok, seen, fix: 'Keep the clocks of both in step: run chrony or systemd-timesyncd here.' };
}
