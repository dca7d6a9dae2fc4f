/** Who may call what: every route of the table with every kind of caller, and the Host check. */
import { request as httpRequest } from 'node:http';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import { type Principal, type RouteName, routePath, routes } from '../../contract/routes.ts';
import { startPlane, type TestPlane } from './plane.ts';

let plane: TestPlane;
let own: { id: string; token: string };
let other: { id: string; token: string };

beforeAll(async () => {
  plane = await startPlane();
  [own, other] = [await building('one'), await building('two')];
}, 30_000);
afterAll(() => plane.remove());

async function building(project: string) {
  const { deployment } = await plane.create({ project, origin: project });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  return { id: deployment.id, token: builder.token };
}

const names = (Object.keys(routes) as RouteName[]).filter((name) => name !== 'stopPlane');
const fill = {
  digest: 'a'.repeat(64),
  blob: 'b'.repeat(64),
  slug: 'none',
  name: 'none',
  attempt: 1,
  account: 'none',
};

/** What each kind of caller is refused with by the door, before the route itself has a say. */
const callers: Record<string, { token: () => string | undefined; opens: (principal: Principal) => boolean }> =
  {
    nobody: { token: () => undefined, opens: (principal) => principal === 'nobody' },
    'a made-up token': { token: () => 'sph_made_up', opens: (principal) => principal === 'nobody' },
    'the account': {
      token: () => plane.token,
      opens: (principal) => ['nobody', 'account', 'admin', 'holder'].includes(principal),
    },
    'the builder of this attempt': {
      token: () => own.token,
      opens: (principal) => principal === 'nobody' || principal === 'builder',
    },
    'the builder of another deployment': {
      token: () => other.token,
      opens: (principal) => principal === 'nobody',
    },
    "the attempt's bootstrap token": {
      token: () => plane.bootstrapToken(own.id, 1),
      opens: (principal) => principal === 'nobody' || principal === 'bootstrap',
    },
    "another attempt's bootstrap token": {
      token: () => plane.bootstrapToken(own.id, 2),
      opens: (principal) => principal === 'nobody',
    },
  };

describe.each(Object.keys(callers))('%s', (caller) => {
  test.each(names)('on %s', async (name) => {
    const { method, principal } = routes[name];
    const parameters = { ...fill, id: principal === 'account' ? 'dpl_none' : own.id, deployment: own.id };
    const token = callers[caller]?.token();
    const response = await fetch(`${plane.url}${routePath(name, parameters)}`, {
      method: method.toUpperCase(),
      headers: {
        'content-type': 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      // Nobody must get as far as having a body read.
      ...(method === 'get' ? {} : { body: '{ "not": "what the route takes" }' }),
    });
    await response.arrayBuffer();
    expect([name, response.status === 401]).toEqual([name, !callers[caller]?.opens(principal)]);
    expect(response.status).toBeLessThan(500);
  });
});

/** A request with a Host header of its own, which `fetch` does not allow. */
function statusFor(host: string, path = '/v1/health', headers = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(plane.url);
    httpRequest({ host: '127.0.0.1', port, path, headers: { host, ...headers } }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('the Host check', () => {
  test.each([
    ['localhost', 200],
    ['127.0.0.1:4747', 200],
    ['[::1]:4747', 200],
    ['LOCALHOST.', 200],
    ['evil.example', 421],
    ['localhost.evil.example', 421],
    ['127.0.0.1.nip.example:4747', 421],
    ['one.localhost', 404],
  ])('%s is answered with %i', async (host, status) => {
    expect(await statusFor(host)).toBe(status);
  });

  test("a site's host name does not reach the API, token or not", async () => {
    const headers = { authorization: `Bearer ${plane.token}` };
    expect(await statusFor('one.localhost', '/v1/plane', headers)).toBe(404);
    expect(await statusFor('localhost', '/v1/plane', headers)).toBe(200);
  });
});

describe('a follower', () => {
  const connect = (token: string, headers = {}) =>
    io(plane.url, {
      path: followPath,
      transports: ['websocket'],
      auth: { token },
      reconnection: false,
      forceNew: true,
      extraHeaders: headers,
    });

  test('without the token is not let in, nor is one that came by a foreign host name', async () => {
    for (const open of [() => connect('wrong'), () => connect(plane.token, { host: 'evil.example' })]) {
      const socket = open();
      await expect(
        new Promise((resolve, reject) =>
          socket.once('connect', () => resolve('in')).once('connect_error', reject),
        ),
      ).rejects.toThrow();
      socket.close();
    }
  });

  test('follows eight logs at a time, each once, however many it asks for at once', async () => {
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, n) => plane.create({ project: `followed-${n}`, origin: `f${n}` })),
    );
    const socket = connect(plane.token);
    const follow = (deployment: string) => socket.emitWithAck('follow', { deployment, after: 0 });
    const ids = made.map(({ deployment }) => deployment.id);
    const answers = await Promise.all([ids[0], ...ids].map((id) => follow(id as string)));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(8);
    expect(answers[1]).toMatchObject({ ok: false, error: { code: 'REQUEST_INVALID' } });
    socket.close();
  });

  test('is told when there is no such deployment', async () => {
    const socket = connect(plane.token);
    const answer = await socket.emitWithAck('follow', { deployment: 'dpl_none', after: 0 });
    expect(answer).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    expect(await socket.emitWithAck('follow', 'nonsense')).toMatchObject({
      ok: false,
      error: { code: 'REQUEST_INVALID' },
    });
    socket.close();
  });
});
