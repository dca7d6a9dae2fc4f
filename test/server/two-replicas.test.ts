/** What two replicas, one of which stands still or meets a failure, must not do to each other and to what is live. */
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CreateDeploymentAnswer, DeploymentList } from '../../contract/api.ts';
import type { Database } from '../../server/database/database.ts';
import { pendingMigrations } from '../../server/database/migrations.ts';
import { keptDeployments } from '../../server/kept-deployments.ts';
import { leaseUntil } from '../../server/leases.ts';
import type { Plane } from '../../server/plane.ts';
import { settleAdopted } from '../../server/take-over.ts';
import { startWorkLoop } from '../../server/work-loop.ts';
import { createGate } from '../gate.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';
import { request } from './plane.ts';
import * as playing from './played-builds.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let database: Database;
let closeDatabase: () => Promise<void>;
let replicas: Replicas;
let token: string;
beforeEach(async () => {
  ({ database, close: closeDatabase } = await openEmptyDatabase());
  replicas = await startReplicas(database);
  token = await replicas.account('team');
});
afterEach(async () => {
  await replicas.stop();
  await closeDatabase();
});

const planes = (): Plane[] => replicas.running.map(({ plane }) => plane);
const status = async (id: string) => (await replicas.deployment(0, token, id)).status;
const get = <T>(path: string, by = token) => replicas.call<T>(0, by, 'GET', path);
const rowOf = (id: string) =>
  database.query.selectFrom('deployments').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

const startBuild = (project: string) => playing.startBuild(replicas, token, project);
const deploy = (project: string, text?: string) => playing.deploy(replicas, token, project, text);

describe('a publication', () => {
  test('that waits for the log of one that was outrun is carried out once, and never over what is newer', async () => {
    const published: string[] = [];
    const first = createGate();
    for (const { sites } of planes()) {
      const { publish } = sites;
      sites.publish = async (what) => {
        published.push(what.deployment);
        if (published.length === 1) await first.pass();
        return publish(what);
      };
    }
    const [a, b, c] = [await startBuild('site'), await startBuild('site'), await startBuild('site')];
    await a.builder.finish({ 'index.html': 'A' });
    await first.reached;
    await b.builder.finish({ 'index.html': 'B' });
    await c.builder.finish({ 'index.html': 'C' });
    const slow = createGate();
    for (const plane of planes()) {
      const { appendOwn } = plane.logs;
      const waiting: typeof appendOwn = async (id, lines) => {
        if (id === b.id && lines.length > 0) await slow.pass();
        return appendOwn(id, lines);
      };
      plane.logs = { ...plane.logs, appendOwn: waiting };
    }
    first.open();
    await slow.reached;
    await expect.poll(() => status(c.id)).toBe('ready');
    const d = await deploy('site', 'D');
    slow.open();
    await expect.poll(() => status(b.id)).toBe('cancelled');
    await expect.poll(() => planes().every(({ publishing }) => publishing.size === 0)).toBe(true);
    expect(published).toEqual([a.id, c.id, d]);
  });

  test('asked for by a rollback that fails at first is waited for, and no bug', async () => {
    const one = await deploy('site', 'one');
    await deploy('site', 'two');
    let failures = 0;
    for (const { sites } of planes()) {
      const { publish } = sites;
      sites.publish = async (what) => {
        if (++failures <= 3) throw new Error('S3 answered 503');
        return publish(what);
      };
    }
    const answer = await replicas.call<unknown>(0, token, 'POST', '/v1/projects/site/rollback', {
      deployment: one,
    });
    const { state } = await database.query
      .selectFrom('publications')
      .select('state')
      .where('kind', '=', 'rollback')
      .executeTakeFirstOrThrow();
    // Either it has come to its end in time, or it has not and says so: never an answer that is not true later.
    expect([answer.status, answer.body.error?.code, state]).toSatisfy(
      ([code, error, seen]) =>
        (code === 200 && seen === 'done') || (error === 'PUBLISH_FAILED' && seen === 'failed'),
    );
  });

  test('whose files cannot be looked at is not called freed, nor a result without a manifest', async () => {
    const one = await deploy('site', 'one');
    await deploy('site', 'two');
    const { builder } = await startBuild('site');
    await builder.upload({ 'index.html': 'x' });
    for (const { sites } of planes()) sites.getManifest = () => Promise.reject(new Error('S3 answered 503'));
    const back = await replicas.call<unknown>(0, token, 'POST', '/v1/projects/site/rollback', {
      deployment: one,
    });
    expect(back.status).toBe(500);
    expect((await builder.built()).status).toBe(500);
  });
});

describe('an attempt', () => {
  test('that another replica has taken over is not lost by a start that fails late', async () => {
    const late = createGate();
    const { start } = replicas.runner.builds;
    let first = true;
    replicas.runner.builds.start = async (build) => {
      if (!first) return start(build);
      first = false;
      await late.pass();
      throw new Error('the signature has expired');
    };
    const { deployment } = await replicas.create(0, token, { project: 'site', force: true });
    await late.reached;
    const claimer = (await rowOf(deployment.id)).lease_owner;
    const other = planes().find(({ id }) => id !== claimer) as Plane;
    await database.query.updateTable('deployments').set({ lease_owner: other.id }).execute();
    await settleAdopted(other, await rowOf(deployment.id));
    expect((await replicas.builder(0, deployment.id).register()).status).toBe(200);
    late.open();
    await expect.poll(() => replicas.printed.join('\n')).toContain('signature has expired');
    expect(await rowOf(deployment.id)).toMatchObject({ deployment_status: 'building', lost_attempts: 0 });
  });

  test('T33: that is lost while a newer deployment of its target is there is not built again', async () => {
    const { id } = await startBuild('site');
    const newer = await replicas.create(0, token, { project: 'site', force: true });
    replicas.runner.crash(1);
    await expect.poll(() => status(id)).toBe('cancelled');
    expect(await rowOf(id)).toMatchObject({ reason: 'superseded' });
    expect((await replicas.deployment(0, token, id)).error?.message).toContain(newer.deployment.id);
    expect(replicas.runner.started.filter((build) => build.deployment === id)).toHaveLength(1);
  });

  test('is not silent because the clocks of two replicas differ', async () => {
    const { id, builder } = await startBuild('site');
    const { lease_owner } = await rowOf(id);
    const holder = planes().find((plane) => plane.id === lease_owner) as Plane;
    let looks = 0;
    const { states } = replicas.runner.builds;
    replicas.runner.builds.states = (refs) => {
      looks++;
      return states(refs);
    };
    holder.now = () => Date.now() + 61_000;
    const other = replicas.running.find(({ plane }) => plane !== holder);
    // A look begins when the one before has judged: the last of these says that those in between have.
    for (let times = 0; times < 4; times++) {
      const alive = await fetch(`${other?.url}/v1/builds/${id}/1/heartbeat`, {
        method: 'POST',
        headers: { authorization: `Bearer ${builder.token}` },
      });
      expect(alive.status).toBe(200);
      await expect.poll(() => looks).toBeGreaterThan(times);
    }
    expect(await rowOf(id)).toMatchObject({ deployment_status: 'building', lost_attempts: 0 });
  });

  test('has its last line in the log, also for whoever reads between the end and that line', async () => {
    const { id, builder } = await startBuild('site');
    const late = createGate();
    for (const plane of planes()) {
      const { appendOwn } = plane.logs;
      const waiting: typeof appendOwn = async (of, lines) => {
        if (lines.some(([, , , text]) => text.startsWith('Failed'))) await late.pass();
        return appendOwn(of, lines);
      };
      plane.logs = { ...plane.logs, appendOwn: waiting };
    }
    const failing = builder.fail();
    await late.reached;
    const read = async () => {
      const url = `${replicas.running[0]?.url}/v1/deployments/${id}/logs`;
      return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text();
    };
    await read();
    late.open();
    await failing;
    expect(await read()).toContain('Failed: exit code 1');
  });
});

test('a lease counts from when it is written, not from when its transaction began', async () => {
  const { id } = await startBuild('site');
  await database.transaction(async (trx) => {
    // The time of the transaction stands still; it is written once the clock has gone on.
    let before = { time: '', later: false };
    while (!before.later) {
      const { rows } = await sql<typeof before>`
        select clock_timestamp()::text as time, clock_timestamp() > now() as later`.execute(trx);
      [before] = rows as [typeof before];
    }
    await trx
      .updateTable('deployments')
      .set({ lease_expires_at: leaseUntil(60_000) })
      .where('id', '=', id)
      .execute();
    const { rows } = await sql<{ whole: boolean }>`
      select lease_expires_at >= ${before.time}::timestamptz + interval '60 seconds' as whole
      from deployments where id = ${id}`.execute(trx);
    expect(rows).toEqual([{ whole: true }]);
  });
});

test('what is live is kept, however many publications have failed since', async () => {
  const id = await deploy('site');
  for (let n = 2; n < 24; n++) {
    await sql`insert into deployments select (jsonb_populate_record(d, jsonb_build_object(
      'id', ${`dpl_f${n}`}::text, 'order', ${n}::int, 'deployment_status', 'error'))).*
      from deployments d where id = ${id}`.execute(database.query);
    await sql`insert into publications (id, project_id, target, deployment_id, kind, "order", state, started_at)
      select ${`pub_f${n}`}, project_id, target, ${`dpl_f${n}`}, 'deploy', ${n}::int, 'failed', now()
      from deployments where id = ${id}`.execute(database.query);
  }
  const [kept] = (await keptDeployments(planes()[0] as Plane)).values();
  expect(kept?.has(id)).toBe(true);
  expect(kept?.has('dpl_f23')).toBe(true);
});

test('a duty that takes long holds up no other', async () => {
  const slow = createGate();
  let quick = 0;
  const loop = startWorkLoop({ ...(planes()[0] as Plane), id: 'pln_duty' }, [
    { name: 'slow', everyMs: 0, run: () => slow.pass() },
    {
      name: 'quick',
      everyMs: 0,
      run: async () => {
        quick++;
      },
    },
  ]);
  await slow.reached;
  await expect.poll(() => quick, { timeout: 60_000 }).toBeGreaterThan(1);
  slow.open();
  await loop.stop();
}, 90_000);

test('a token of one project sees nothing else, however often it names a project', async () => {
  await deploy('secret');
  const bound = await replicas.account('team', { scope: 'read', project: 'public' });
  const { status: code, body } = await get<DeploymentList>('/v1/deployments?project=a&project=b', bound);
  expect([code, body.error?.code]).toEqual([400, 'REQUEST_INVALID']);
});

test.each([
  [Date.now(), 1e12],
  [-8.64e15, 1],
])('a cursor that no page has given is refused: %j', async (time, order) => {
  const before = Buffer.from(JSON.stringify([time, order, 'dpl_x'])).toString('base64url');
  expect((await get<unknown>(`/v1/deployments?before=${before}`)).body.error?.code).toBe('REQUEST_INVALID');
});

test('a preview that is deployed again without days keeps those that it has', async () => {
  const made = await replicas.create(0, token, { project: 'site', target: 'pr-1', expireAfterDays: 90 });
  const path = `/v1/deployments/${made.deployment.id}/redeploy`;
  const again = await replicas.call<CreateDeploymentAnswer>(0, token, 'POST', path, { noCache: false });
  const days = (end: string | undefined) => Math.round((Date.parse(end ?? '') - Date.now()) / 86_400_000);
  expect([days(made.expiresAt), days(again.body.expiresAt)]).toEqual([90, 90]);
});

test('a removal that fails half-way, and every change of a value, are in the audit log', async () => {
  await replicas.create(0, token, { project: 'site', target: 'pr-1' });
  await replicas.call(0, token, 'PUT', '/v1/projects/site/env/A_NAME', {
    value: 'a value',
    sensitive: false,
    scopes: ['live'],
  });
  await replicas.call(0, token, 'DELETE', '/v1/projects/site/env/A_NAME');
  for (const { sites } of planes()) sites.unpublish = () => Promise.reject(new Error('S3 is away'));
  expect((await replicas.call<unknown>(0, token, 'DELETE', '/v1/projects/site/targets/pr-1')).status).toBe(
    500,
  );
  const { body } = await get<{ entries: { action: string; project: string; object: string }[] }>('/v1/audit');
  expect(body.entries.map(({ action, project, object }) => [action, project, object])).toEqual(
    expect.arrayContaining([
      ['removeTarget', 'site', 'pr-1'],
      ['setEnvironmentValue', 'site', 'A_NAME'],
      ['removeEnvironmentValue', 'site', 'A_NAME'],
    ]),
  );
  expect(body.entries.filter(({ action }) => action === 'setEnvironmentValue')).toHaveLength(1);
});

test('a table of the same name in another schema is none of ours', async () => {
  await sql`create schema other`.execute(database.query);
  await sql`create table other.kysely_migration (name text)`.execute(database.query);
  await sql`alter table kysely_migration rename to elsewhere`.execute(database.query);
  const pending = await pendingMigrations(database.query);
  await sql`alter table elsewhere rename to kysely_migration`.execute(database.query);
  expect(pending[0]).toMatch(/^0001/);
});

test('a removal that takes long is the only one, and what is deployed comes after it', async () => {
  await deploy('gone', 'one');
  const [plane] = planes() as [Plane];
  const emptying = createGate();
  const { unpublish } = plane.sites;
  plane.sites.unpublish = async (...what) => {
    await emptying.pass();
    return unpublish(...what);
  };
  const first = replicas.call<unknown>(0, token, 'DELETE', '/v1/projects/gone');
  await emptying.reached;
  const second = await replicas.call<unknown>(1, token, 'DELETE', '/v1/projects/gone');
  expect(second.body.error).toMatchObject({ code: 'PUBLISHING', hint: expect.stringContaining('2 minutes') });
  const early = await replicas.call<unknown>(1, token, 'POST', '/v1/deployments', {
    ...request({ project: 'gone' }),
    region: undefined,
  });
  expect(early.body.error?.code).toBe('PUBLISHING');
  emptying.open();
  expect((await first).status).toBe(200);
  const id = await deploy('gone', 'two');
  expect((await replicas.deployment(0, token, id)).live).toBe(true);
});

test('a project that is removed again while it is taken back into use is not in use', async () => {
  await deploy('gone');
  const remove = (replica: number) => replicas.call(replica, token, 'DELETE', '/v1/projects/gone');
  expect((await remove(1)).status).toBe(200);
  const looked = createGate();
  const [plane, other] = planes() as [Plane, Plane];
  const { updateTable } = database.query;
  // The update that takes it back waits, after everything that it depends on has been looked at.
  let armed = true;
  const query = new Proxy(database.query, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (name !== 'updateTable') return typeof value === 'function' ? value.bind(target) : value;
      return (table: 'projects') => {
        const update = updateTable.call(target, table);
        if (table !== 'projects' || !armed) return update;
        armed = false;
        const waiting = (builder: object): object =>
          new Proxy(builder, {
            get(inner, step) {
              const method = Reflect.get(inner, step) as unknown;
              if (typeof method !== 'function') return method;
              return (...args: unknown[]) => {
                if (step === 'executeTakeFirst') return looked.pass().then(() => method.apply(inner, args));
                const next = method.apply(inner, args) as object;
                return typeof next === 'object' ? waiting(next) : next;
              };
            },
          });
        return waiting(update);
      };
    },
  });
  plane.database = { ...database, query };
  const creating = replicas.call<unknown>(0, token, 'POST', '/v1/deployments', {
    ...request({ project: 'gone' }),
    region: undefined,
  });
  await looked.reached;
  const emptying = createGate();
  const { unpublish } = other.sites;
  other.sites.unpublish = async (...what) => {
    await emptying.pass();
    return unpublish(...what);
  };
  const again = remove(1);
  await emptying.reached;
  looked.open();
  expect((await creating).body.error?.code).toBe('PUBLISHING');
  emptying.open();
  expect((await again).status).toBe(200);
});
