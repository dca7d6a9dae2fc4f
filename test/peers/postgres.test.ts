/** The PostgreSQL of the tests keeps what it has taken, through a restart and through a crash. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Postgres, startPostgres } from './postgres.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  // A server that ends says so on connections that are open.
  client.on('error', () => {});
  await client.connect();
  return (await client.query(text).finally(() => client.end())).rows;
}

test('keeps what it has taken, through a restart and a kill', async () => {
  const url = await postgres.createDatabase();
  await query(url, 'create table kept (n int); insert into kept values (1)');
  await postgres.restart();
  await query(url, 'insert into kept values (2)');
  await postgres.kill();
  await expect(query(url, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
  await postgres.restart();
  expect(await query(url, 'select n from kept order by n')).toEqual([{ n: 1 }, { n: 2 }]);

  const copy = await postgres.createDatabase(new URL(url).pathname.slice(1));
  expect(await query(copy, 'select count(*)::int as n from kept')).toEqual([{ n: 2 }]);
}, 30_000);
