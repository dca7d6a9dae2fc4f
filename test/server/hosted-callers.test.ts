/**
 * Who may call what on a hosted plane: every route and socket event of the table, with every kind of caller, every scope
 * and every token of one project, on objects of its own, of another project, of another account, and on none.
 */
import { request } from 'node:http';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import {
  type Access,
  type Route,
  type RouteName,
  routePath,
  routes,
  socketEvents,
} from '../../contract/routes.ts';
import { type Scope, scopes } from '../../contract/words.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { newToken } from '../../server/token-text.ts';
import { removeToken } from '../../server/tokens.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';

type Building = { id: string; slug: string; token: string; bootstrap: string };
let postgres: Postgres;
let plane: Replicas;
let own: Building;
let sibling: Building;
let theirs: Building;
const tokens = new Map<string, string>();
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
  const [team, others] = [await plane.account('team'), await plane.account('others')];
  for (const scope of scopes) {
    tokens.set(`the account, ${scope}`, await plane.account('team', { scope }));
    tokens.set(`its project, ${scope}`, await plane.account('team', { scope, project: 'own-site' }));
    tokens.set(`another account, ${scope}`, await plane.account('others', { scope }));
    tokens.set(`no project yet, ${scope}`, await plane.account('team', { scope, project: 'not-made' }));
  }
  own = await building('own-site', team);
  sibling = await building('sibling-site', team);
  theirs = await building('their-site', others);
  tokens.set('the admin', plane.adminToken);
  tokens.set('the builder of this attempt', own.token);
  tokens.set('the builder of another deployment', theirs.token);
  tokens.set("the attempt's bootstrap token", own.bootstrap);
  tokens.set("another attempt's bootstrap token", plane.bootstrapToken(own.id, 2));
  tokens.set('a token that nobody has', newToken());
  tokens.set('a misspelt token', `${newToken().slice(0, -1)}_`);
  const expired = await plane.account('team', { expiresInDays: 1 });
  await database.query
    .updateTable('tokens')
    .set({ expires_at: new Date(Date.now() - 1) })
    .where('expires_at', 'is not', null)
    .execute();
  tokens.set('an expired token', expired);
  const removed = await plane.account('team', { name: 'removed' });
  const { id } = await database.query
    .selectFrom('tokens')
    .select('id')
    .where('name', '=', 'removed')
    .executeTakeFirstOrThrow();
  await removeToken({ database, now: Date.now }, 'team', id);
  tokens.set('a removed token', removed);
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await closeDatabase();
  await postgres.stop();
}, 60_000);

async function building(slug: string, token: string): Promise<Building> {
  const { deployment } = await plane.create(0, token, { project: slug, origin: slug });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(0, deployment.id);
  await builder.register();
  return { id: deployment.id, slug, token: builder.token, bootstrap: plane.bootstrapToken(deployment.id, 1) };
}

/** What a caller is, as the issue of it says; `account` names whose objects it reaches, `project` the only one. */
type Caller =
  | { kind: 'account'; account: 'team' | 'others'; scope: Scope; project?: string }
  | { kind: 'admin' | 'builder' | 'bootstrap' | 'nobody' };
const callers: Record<string, Caller> = {
  nobody: { kind: 'nobody' },
  'a token that nobody has': { kind: 'nobody' },
  'a misspelt token': { kind: 'nobody' },
  'an expired token': { kind: 'nobody' },
  'a removed token': { kind: 'nobody' },
  ...Object.fromEntries(
    scopes.flatMap((scope) => [
      [`the account, ${scope}`, { kind: 'account', account: 'team', scope }],
      [`its project, ${scope}`, { kind: 'account', account: 'team', scope, project: 'own-site' }],
      [`no project yet, ${scope}`, { kind: 'account', account: 'team', scope, project: 'not-made' }],
      [`another account, ${scope}`, { kind: 'account', account: 'others', scope }],
    ]),
  ),
  'the admin': { kind: 'admin' },
  'the builder of this attempt': { kind: 'builder' },
  'the builder of another deployment': { kind: 'nobody' },
  "the attempt's bootstrap token": { kind: 'bootstrap' },
  "another attempt's bootstrap token": { kind: 'nobody' },
};

/** Whether the door opens: written out here once more, so that a mistake in the plane's own reading shows. */
function isAdmitted(caller: Caller, access: Access): boolean {
  switch (access.principal) {
    case 'nobody':
      return true;
    case 'admin':
    case 'builder':
    case 'bootstrap':
      return caller.kind === access.principal;
    default: {
      if (caller.kind === 'admin') return access.principal === 'holder';
      if (caller.kind !== 'account') return false;
      const enough = { read: ['read', 'deploy', 'admin'], deploy: ['deploy', 'admin'], admin: ['admin'] };
      if (!enough[access.scope].includes(caller.scope)) return false;
      return access.about !== 'account' || caller.project === undefined;
    }
  }
}

type Objects = 'own' | 'sibling' | 'theirs' | 'none';
const objectsOf = (which: Objects) => {
  const of = { own, sibling, theirs, none: { id: 'dpl_none', slug: 'none' } }[which];
  return { id: of.id, slug: of.slug, account: which === 'theirs' ? 'others' : 'team' };
};

/** Whether `caller` is to find `which`, where the door is open. */
function finds(caller: Caller, access: Access, which: Objects): boolean {
  if (!('about' in access) || access.about === 'asked') return true;
  if (caller.kind === 'admin') return true;
  if (caller.kind !== 'account') return false;
  const whose = which === 'theirs' ? 'others' : 'team';
  if (access.about === 'account') return caller.account === whose;
  if (which === 'none' || caller.account !== whose) return false;
  return caller.project === undefined || caller.project === objectsOf(which).slug;
}

// It would end the replica that the next test asks.
const names = (Object.keys(routes) as RouteName[]).filter((name) => name !== 'stopPlane');
const fill = { digest: 'a'.repeat(64), blob: 'b'.repeat(64), name: 'none', attempt: 1 };
/** Bodies that are right, so that what is looked at is whose object it is. */
const bodies: Partial<Record<RouteName, unknown>> = {
  rollback: {},
  promote: { target: 'none' },
  redeploy: { noCache: false },
};
const sets: Objects[] = ['own', 'sibling', 'theirs', 'none'];
let asked = 0;

describe.each(Object.keys(callers))('%s', (name) => {
  const caller = callers[name] as Caller;

  test.each(names)('on %s', async (route) => {
    const row: Route = routes[route];
    for (const which of row.path.includes(':') ? sets : (['own'] as const)) {
      const admitted = isAdmitted(caller, row);
      const found = finds(caller, row, which);
      // What may be changed is left as it is, for those who ask later.
      const changes = row.method !== 'get' && 'about' in row && /project|deployment/.test(row.about);
      if (changes && admitted && found) continue;
      const path = routePath(route, { ...fill, ...objectsOf(which), deployment: own.id });
      const body = row.method === 'get' ? undefined : (bodies[route] ?? { not: 'what the route takes' });
      const token = tokens.get(name) ?? '';
      const answer = await fetch(`${plane.running[asked++ % 2]?.url}${path}`, {
        method: row.method.toUpperCase(),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      await answer.arrayBuffer();
      const seen = [route, which, answer.status];
      expect(answer.status, `${seen}`).toBeLessThan(500);
      if (!admitted) {
        expect([401, 403], `${seen}`).toContain(answer.status);
        if (caller.kind === 'nobody') expect(seen).toEqual([route, which, 401]);
        continue;
      }
      expect([401, 403], `${seen}`).not.toContain(answer.status);
      if (!found) expect(seen).toEqual([route, which, 404]);
      // Nothing has been live there yet, so that no rollback can be planned.
      else if (row.method === 'get' && 'about' in row && which === 'own')
        expect(seen).toEqual([route, which, route === 'planRollback' ? 409 : 200]);
    }
  });

  test('on the socket', async () => {
    const socket = io(plane.running[0]?.url ?? '', {
      path: followPath,
      transports: ['websocket'],
      auth: { token: tokens.get(name) ?? '' },
      reconnection: false,
      forceNew: true,
    });
    const connected = new Promise((resolve) => {
      socket.once('connect', () => resolve('in')).once('connect_error', (error) => resolve(error.message));
    });
    const admitted = isAdmitted(caller, socketEvents.connect);
    expect(await connected).toBe(admitted ? 'in' : 'NOT_SIGNED_IN');
    for (const which of admitted ? sets : []) {
      const answer = await socket.emitWithAck('follow', { deployment: objectsOf(which).id, after: 0 });
      if (finds(caller, socketEvents.follow, which)) expect(answer).toEqual({ ok: true });
      else expect(answer).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    }
    socket.close();
  });
});

test('what is asked for without being named is no more than the token reaches', async () => {
  const projectsOf = async (name: string) => {
    const token = tokens.get(name) ?? '';
    const { body } = await plane.call<{ projects: { slug: string }[] }>(0, token, 'GET', '/v1/projects');
    const list = await plane.call<{ deployments: { project: string }[] }>(0, token, 'GET', '/v1/deployments');
    const slugs = body.projects.map(({ slug }) => slug);
    expect(new Set(list.body.deployments?.map(({ project }) => project) ?? [])).toEqual(new Set(slugs));
    return slugs;
  };
  expect(await projectsOf('the account, read')).toEqual(['own-site', 'sibling-site']);
  expect(await projectsOf('its project, read')).toEqual(['own-site']);
  expect(await projectsOf('no project yet, read')).toEqual([]);
  expect(await projectsOf('another account, read')).toEqual(['their-site']);
  const sideways = await plane.call<unknown>(
    0,
    tokens.get('its project, read') ?? '',
    'GET',
    '/v1/deployments?project=sibling-site',
  );
  expect(sideways.status).toBe(404);
});

test('a token of one project deploys to no other, and makes its own where it is not there yet', async () => {
  const deploy = async (name: string, project: string) => {
    const token = tokens.get(name) ?? '';
    const answer = await plane.create(0, token, { project, origin: project });
    return answer.outcome ?? (answer as { error?: { code: string } }).error?.code;
  };
  expect(await deploy('its project, deploy', 'sibling-site')).toBe('NOT_FOUND');
  expect(await deploy('its project, deploy', 'brand-new')).toBe('NOT_FOUND');
  expect(await deploy('its project, deploy', 'own-site')).toBe('created');
  expect(await deploy('no project yet, deploy', 'not-made')).toBe('created');
});

test('stopping a replica is for the admin alone', async () => {
  for (const name of Object.keys(callers).filter((one) => one !== 'the admin')) {
    const token = tokens.get(name) ?? '';
    const { status } = await plane.call<unknown>(0, token, 'POST', '/v1/plane/stop', { ifIdle: false });
    expect([401, 403]).toContain(status);
  }
});

test('rows say what their paths name', () => {
  for (const [name, row] of Object.entries(routes) as [RouteName, Route][]) {
    if (!('about' in row)) continue;
    const named = row.path.startsWith('/v1/projects/:slug')
      ? 'project'
      : row.path.startsWith('/v1/deployments/:id')
        ? 'deployment'
        : row.path.startsWith('/v1/accounts/:account')
          ? 'account'
          : 'asked';
    expect([name, row.about]).toEqual([name, named]);
  }
});

test('a host name that is not the plane’s reaches nothing', async () => {
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
