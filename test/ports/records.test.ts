/** The records on PGlite and on PostgreSQL, and what only PostgreSQL has to show: processes that start at once. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pendingMigrations } from '../../server/database/migrations.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { previewsSuite } from './previews.suite.ts';
import { recordsSuite } from './records.suite.ts';
import type { OpenDatabase } from './replicas-on.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

const report = () => {};

async function openPostgres(): Promise<OpenDatabase> {
  const database = await openPostgresDatabase({
    url: await postgres.createDatabase(),
    connections: 20,
    report,
  });
  return { database, close: () => database.close() };
}

for (const [name, open] of [
  ['PGlite', openEmptyDatabase],
  ['PostgreSQL', openPostgres],
] as const) {
  recordsSuite(name, open);
  previewsSuite(name, open);
}

test('twenty replicas start and migrate an empty database at once', async () => {
  const url = await postgres.createDatabase();
  const opened = await Promise.all(
    Array.from({ length: 20 }, () => openPostgresDatabase({ url, connections: 2, report })),
  );
  expect(await Promise.all(opened.map((database) => pendingMigrations(database.query)))).toEqual(
    opened.map(() => []),
  );
  await Promise.all(opened.map((database) => database.close()));
}, 60_000);

test('a database that is away is waited for by nobody: the message says what to check', async () => {
  const url = `${await postgres.createDatabase()}-that-is-not-there`;
  await expect(openPostgresDatabase({ url, connections: 2, report })).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    hint: expect.stringContaining('DATABASE_URL'),
  });
});

test('listening that is ended while it connects has ended at once', async () => {
  const url = await postgres.createDatabase();
  const database = await openPostgresDatabase({ url, connections: 2, report });
  const stop = database.listen?.('tokens', report, report);
  const startedAt = Date.now();
  await stop?.();
  expect(Date.now() - startedAt).toBeLessThan(2_000);
  await database.close();
});

test('a deadlock is not seen by anybody', async () => {
  const database = await openPostgresDatabase({
    url: await postgres.createDatabase(),
    connections: 4,
    report,
  });
  await sql`create table pair (id integer primary key, n integer not null)`.execute(database.query);
  await sql`insert into pair values (1, 0), (2, 0)`.execute(database.query);
  let met = 0;
  let release = () => {};
  const together = new Promise<void>((resolve) => {
    release = resolve;
  });
  const add = (first: number, second: number) =>
    database.transaction(async (trx) => {
      await sql`update pair set n = n + 1 where id = ${first}`.execute(trx);
      if (++met === 2) release();
      await together;
      await sql`update pair set n = n + 1 where id = ${second}`.execute(trx);
    });
  await Promise.all([add(1, 2), add(2, 1)]);
  const { rows } = await sql<{ n: number }>`select n from pair order by id`.execute(database.query);
  expect(rows.map((row) => row.n)).toEqual([2, 2]);
  await database.close();
});
