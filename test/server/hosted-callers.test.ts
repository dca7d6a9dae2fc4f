/** Who may call what on a hosted plane: every route of the table and the socket, with every kind of caller. */
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import { type Principal, type RouteName, routePath, routes } from '../../contract/routes.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let postgres: Postgres;
let plane: Replicas;
let team = '';
let others = '';
let own: { id: string; token: string; bootstrap: string };
let foreign: { id: string; token: string; bootstrap: string };
let closeDatabase: () => Promise<void>;

beforeAll(async () => {
  postgres = await startPostgres();
  const database = await openPostgresDatabase({
    url: await postgres.createDatabase(),
    connections: 10,
    report: () => {},
  });
  closeDatabase = () => database.close();
  plane = await startReplicas(database);
  [team, others] = [await plane.account('team'), await plane.account('others')];
  own = await building('own-site', team);
  foreign = await building('their-site', others);
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await closeDatabase();
  await postgres.stop();
}, 60_000);

async function building(project: string, token: string) {
  const { deployment } = await plane.create(0, token, { project, origin: project });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(0, deployment.id);
  await builder.register();
  return { id: deployment.id, token: builder.token, bootstrap: plane.bootstrapToken(deployment.id, 1) };
}

type Caller = { token: () => string | undefined; opens: readonly Principal[] };
const callers: Record<string, Caller> = {
  nobody: { token: () => undefined, opens: [] },
  'a made-up token': { token: () => `sph_${'0'.repeat(64)}`, opens: [] },
  'an account': { token: () => team, opens: ['account', 'holder'] },
  'another account': { token: () => others, opens: ['account', 'holder'] },
  'the admin': { token: () => plane.adminToken, opens: ['admin', 'holder'] },
  'the builder of this attempt': { token: () => own.token, opens: ['builder'] },
  'the builder of another deployment': { token: () => foreign.token, opens: [] },
  "the attempt's bootstrap token": { token: () => own.bootstrap, opens: ['bootstrap'] },
  "another attempt's bootstrap token": { token: () => plane.bootstrapToken(own.id, 2), opens: [] },
};

// It would end the replica that the next test asks.
const names = (Object.keys(routes) as RouteName[]).filter((name) => name !== 'stopPlane');
const fill = { digest: 'a'.repeat(64), blob: 'b'.repeat(64), account: 'none', name: 'none', attempt: 1 };

/** Bodies that are right, so that what is looked at is whose object it is. */
const bodies: Partial<Record<RouteName, unknown>> = {
  rollback: {},
  promote: { target: 'none' },
  redeploy: { noCache: false },
};

describe.each(Object.keys(callers))('%s', (caller) => {
  test.each(names)('on %s', async (name) => {
    const { method, principal } = routes[name];
    const { token, opens } = callers[caller] as Caller;
    // Its owner asks for what is not there: nothing that the other callers ask for may change.
    const object =
      caller === 'an account' ? { id: 'dpl_none', slug: 'none' } : { id: own.id, slug: 'own-site' };
    const path = routePath(name, { ...fill, ...object, deployment: own.id });
    const body = method === 'get' ? undefined : (bodies[name] ?? { not: 'what the route takes' });
    const answer = await plane.call<unknown>(1, token() ?? '', method.toUpperCase(), path, body);
    const refused = answer.status === 401 || answer.status === 403;
    expect([name, refused]).toEqual([name, principal !== 'nobody' && !opens.includes(principal)]);
    expect(answer.status).toBeLessThan(500);
    const namesAnObject = /:id|:slug/.test(routes[name].path) && principal === 'account';
    if (caller === 'another account' && namesAnObject) expect([name, answer.status]).toEqual([name, 404]);
  });
});

test.each([
  ['an account', { account: 'team', admin: false, token: { name: 'test', expiresAt: null } }],
  ['the admin', { account: null, admin: true, token: { name: 'admin', expiresAt: null } }],
])('%s is told who it is', async (caller, answer) => {
  const token = callers[caller]?.token() ?? '';
  expect(await plane.call<unknown>(0, token, 'GET', '/v1/whoami')).toMatchObject({
    status: 200,
    body: answer,
  });
});

test('stopping a replica is for the admin alone', async () => {
  for (const token of ['', team, own.token]) {
    const { status } = await plane.call<unknown>(0, token, 'POST', '/v1/plane/stop', { ifIdle: false });
    expect([401, 403]).toContain(status);
  }
});

describe('a follower', () => {
  const connect = (token: string) =>
    io(plane.running[0]?.url ?? '', {
      path: followPath,
      transports: ['websocket'],
      auth: { token },
      reconnection: false,
      forceNew: true,
    });

  test.each(['nobody', 'a made-up token', 'the admin', 'the builder of this attempt'])(
    '%s is not let in',
    async (caller) => {
      const socket = connect(callers[caller]?.token() ?? '');
      await expect(
        new Promise((resolve, reject) =>
          socket.once('connect', () => resolve('in')).once('connect_error', reject),
        ),
      ).rejects.toThrow('NOT_SIGNED_IN');
      socket.close();
    },
  );

  test("another account's log is not there", async () => {
    const socket = connect(others);
    const answer = await socket.emitWithAck('follow', { deployment: own.id, after: 0 });
    expect(answer).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    socket.close();
  });
});

test('a host name that is not the plane’s reaches nothing', async () => {
  const { request } = await import('node:http');
  const { port } = new URL(plane.running[0]?.url ?? '');
  const status = await new Promise((resolve, reject) => {
    request(
      { host: '127.0.0.1', port, path: '/v1/health', headers: { host: 'evil.example' } },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    )
      .on('error', reject)
      .end();
  });
  expect(status).toBe(421);
});
