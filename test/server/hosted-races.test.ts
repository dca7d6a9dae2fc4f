/** What several connections to PostgreSQL at once, and one that breaks between two steps, must not do. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RollbackAnswer } from '../../contract/api.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { createGate } from '../gate.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { waitingForLocks } from './locks.ts';
import { deploy, startBuild } from './played-builds.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let postgres: Postgres;
let database: Database;
let plane: Replicas;
let token: string;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop(), 60_000);
beforeEach(async () => {
  const url = await postgres.createDatabase();
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  plane = await startReplicas(database);
  token = await plane.account('team');
});
afterEach(async () => {
  await plane.stop();
  await database.close();
});

const status = async (id: string) => (await plane.deployment(0, token, id)).status;

const deployed = (text: string) => deploy(plane, token, 'site', text);

test('a preview that is asked for while its project is removed is refused', async () => {
  await deployed('x');
  const answers = await database.transaction(async (trx) => {
    await trx.selectFrom('targets').select('name').where('name', '=', 'live').forUpdate().execute();
    const removal = plane.call<unknown>(0, token, 'DELETE', '/v1/projects/site');
    await expect.poll(() => waitingForLocks(database)).toBe(1);
    const preview = plane.create(1, token, { project: 'site', target: 'next' });
    await expect.poll(() => waitingForLocks(database)).toBe(2);
    return { removal, preview };
  });
  expect((await answers.removal).status).toBe(200);
  expect(await answers.preview).toMatchObject({ error: { code: 'PUBLISHING' } });
  const previews = await database.query
    .selectFrom('targets')
    .selectAll()
    .where('name', '=', 'next')
    .execute();
  expect(previews).toEqual([]);
});

test('a connection that breaks once live has moved does not make a failure of what is live', async () => {
  await sql
    .raw(`create sequence broken;
      create function break_once() returns trigger language plpgsql as $$ begin
        if new.deployment_status = 'ready' and nextval('broken') = 1 then
          perform pg_terminate_backend(pg_backend_pid());
        end if;
        return new;
      end $$;
      create trigger break_once before update on deployments for each row execute function break_once();`)
    .execute(database.query);
  const { id, builder } = await startBuild(plane, token, 'site');
  await builder.finish({ 'index.html': 'x' });
  await expect.poll(() => plane.printed.join('\n')).toContain(`${id} is live, and could not be settled yet`);
  expect(await status(id)).toBe('building');
  // As if the time had passed in which whoever has moved live is expected to say so.
  await sql`update publications set finished_at = finished_at - interval '1 minute'`.execute(database.query);
  await expect.poll(() => status(id)).toBe('ready');
});

test('rollbacks that wait for a publication are few, and are answered when their turn has come', async () => {
  const first = await deployed('one');
  await deployed('two');
  const gate = createGate();
  for (const { plane: one } of plane.running) {
    const { publish } = one.sites;
    one.sites.publish = async (publication) => {
      await gate.pass();
      return publish(publication);
    };
  }
  const ask = (n: number) =>
    plane.call<RollbackAnswer>(n, token, 'POST', '/v1/projects/site/rollback', { deployment: first });
  const asked = [ask(0)];
  await gate.reached;
  asked.push(...Array.from({ length: 20 }, (_, n) => ask(n)));
  const waiting = await Promise.race(asked);
  expect(waiting).toMatchObject({ status: 409, body: { error: { code: 'PUBLISHING' } } });
  const counted = await sql<{
    n: number;
  }>`select count(*)::integer as n from publications where state = 'waiting'`.execute(database.query);
  expect(counted.rows[0]?.n).toBeLessThanOrEqual(5);
  gate.open();
  const answers = await Promise.all(asked);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]));
});
