/**
 * Rolling upgrades: migrations only add. What a program of the version before reads and writes goes on working while it
 * runs beside the new one, on a database that the new one has migrated.
 */
import { PostgresDialect, sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../server/database/database.ts';
import { migrate, migrateTo, migrationNames, pendingMigrations } from '../../server/database/migrations.ts';
import { createPool } from '../../server/database/postgres-pool.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

async function openEmpty(): Promise<Database> {
  const pool = createPool({ connectionString: await postgres.createDatabase() });
  return createDatabase(() => new PostgresDialect({ pool }));
}

type Column = { table: string; column: string; type: string; mayBeLeftOut: boolean };

async function columnsOf({ query }: Database): Promise<Column[]> {
  const { rows } = await sql<Column>`select table_name as table, column_name as column, data_type as type,
      (is_nullable = 'YES' or column_default is not null) as "mayBeLeftOut"
    from information_schema.columns where table_schema = 'public' and table_name not like 'kysely%'
    order by 1, 2`.execute(query);
  return rows;
}

test.each(migrationNames.slice(1).map((name, n) => [migrationNames[n] as string, name]))(
  'from %s to %s: every column is still there, and every new one may be left out',
  async (before, after) => {
    const database = await openEmpty();
    await migrateTo(database.query, before);
    const old = await columnsOf(database);
    await migrateTo(database.query, after);
    const now = await columnsOf(database);
    const tables = new Set(old.map((column) => column.table));
    for (const column of old) expect(now).toContainEqual(column);
    const added = now.filter(
      (one) => !old.some((was) => was.table === one.table && was.column === one.column),
    );
    for (const column of added.filter((one) => tables.has(one.table)))
      expect(column).toMatchObject({ mayBeLeftOut: true });
    await database.close();
  },
);

test('what the first version has written is kept, and what it goes on writing is taken', async () => {
  const database = await openEmpty();
  const { query } = database;
  await migrateTo(query, '0001-initial');
  const write = async (project: string) => {
    await sql`insert into projects (id, account_id, slug, bucket_location, origin)
      values (${project}, 'team', ${project}, 'eu-central-1', 'https://example.com/a.git')`.execute(query);
    await sql`insert into targets (project_id, name) values (${project}, 'live')`.execute(query);
    await sql`insert into deployments (id, account_id, project_id, target, project_slug, bucket_location, git_url,
        deployment_url, deployment_status, phases, detections, warnings, source, build, serving, no_cache, fingerprint, "order")
      values (${`dpl_${project}`}, 'team', ${project}, 'live', ${project}, 'eu-central-1', null, 'http://x/', 'queued',
        '[]', '[]', '[]', '{"kind":"upload"}', '{}', '{}', false, 'f', 1)`.execute(query);
    await sql`insert into publications (id, project_id, target, deployment_id, kind, "order", state)
      values (${`pub_${project}`}, ${project}, 'live', ${`dpl_${project}`}, 'deploy', 1, 'waiting')`.execute(
      query,
    );
  };
  await sql`insert into accounts (id, name) values ('team', 'team')`.execute(query);
  await write('before');
  await migrate(query);
  await write('after');
  const rows = await query.selectFrom('deployments').select('project_slug').orderBy('project_slug').execute();
  expect(rows.map((row) => row.project_slug)).toEqual(['after', 'before']);
  // A program of the version before that is started now finds nothing to do.
  expect(await pendingMigrations(query)).toEqual([]);
  await database.close();
});
