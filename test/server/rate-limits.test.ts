/** How often somebody may ask, over all replicas; and requests that hardly arrive. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import { openRateStores, type RateStores } from '../../server/adapters/redis/rate-store.ts';
import { createHttpServer } from '../../server/app.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { startRedis } from '../peers/redis.ts';
import { type Replicas, startReplicas } from './replicas.ts';
import { githubClaims, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

let postgres: Postgres;
let redis: Awaited<ReturnType<typeof startRedis>>;
let stores: RateStores;
let database: Database;
let plane: Replicas;
let issuer: TokenIssuer;
const publicUrl = 'https://sphere.example.com';
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const url = await postgres.createDatabase();
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  stores = openRateStores(redis.url);
  issuer = await startTokenIssuer();
  plane = await startReplicas(database, {
    limits: { perToken: 20, refusals: 8, store: stores.store },
    publicUrl,
    issuers: [{ provider: 'github', url: issuer.url, keys: null }],
  });
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await stores.close();
  await database.close();
  await Promise.all([postgres.stop(), redis.stop(), issuer.stop()]);
}, 60_000);

async function ask(token: string, replica: number, path = '/v1/projects') {
  const answer = await fetch(`${plane.running[replica % 2]?.url}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await answer.json()) as { error?: { code: string } };
  return { status: answer.status, wait: Number(answer.headers.get('retry-after')), code: body.error?.code };
}

const opened: Socket[] = [];
afterEach(() => {
  for (const socket of opened.splice(0)) socket.close();
});

/** What a socket that shows `token` meets. */
async function openSocket(token: string, replica: number) {
  const socket = io(plane.running[replica % 2]?.url ?? '', {
    path: followPath,
    transports: ['websocket'],
    reconnection: false,
    auth: { token },
    // The replicas answer to the public name, as behind a proxy.
    extraHeaders: { host: new URL(publicUrl).host },
  });
  const met = await new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('in'));
    socket.once('connect_error', ({ message }) => resolve(message));
    socket.io.once('close', () => resolve('closed'));
  });
  if (met === 'in') opened.push(socket);
  return { socket, met };
}

test('a token that asks too often waits, on every replica, and no other does', async () => {
  const [busy, other] = [await plane.account('busy'), await plane.account('other')];
  const statuses: number[] = [];
  for (let n = 0; n < 24; n++) statuses.push((await ask(busy, n)).status);
  expect(statuses).toEqual([...Array(20).fill(200), ...Array(4).fill(429)]);
  const refused = await ask(busy, 1);
  expect(refused).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
  expect(refused.wait).toBeGreaterThan(0);
  expect(refused.wait).toBeLessThanOrEqual(60);
  expect((await ask(other, 0)).status).toBe(200);
});

test('while Redis is away nobody waits', async () => {
  const token = await plane.account('unlucky');
  await redis.kill();
  for (let n = 0; n < 30; n++) expect((await ask(token, n)).status).toBe(200);
  await redis.startEmpty();
  await expect.poll(async () => (await ask(token, 0)).status, { timeout: 20_000, interval: 100 }).toBe(429);
}, 40_000);

test('an address that guesses tokens waits, and nobody else who stands behind it', async () => {
  const token = await plane.account('neighbour');
  const statuses: number[] = [];
  for (let n = 0; n < 12; n++) statuses.push((await ask('sph_guess', n)).status);
  expect(statuses).toEqual([...Array(8).fill(401), ...Array(4).fill(429)]);
  expect((await ask(token, 0)).status).toBe(200);
  for (let n = 0; n < 30; n++) expect((await ask('', n, '/v1/health')).status).toBe(200);
});

test('an address that guesses the tokens of builders waits, too', async () => {
  const seen = [];
  for (let times = 0; times < 12; times++) {
    const answer = await fetch(`${plane.running[times % 2]?.url}/v1/builds/dpl_x/1/heartbeat`, {
      method: 'POST',
      headers: { authorization: 'Bearer guessed' },
    });
    seen.push(answer.status);
  }
  expect(seen.at(-1)).toBe(429);
});

test('sockets count as requests do: an address that guesses, and a token that asks too often', async () => {
  await redis.kill();
  await redis.startEmpty();
  const token = await plane.account('follower');
  await expect.poll(async () => (await ask('sph_guess', 0)).status, { interval: 100 }).toBe(429);
  // The client comes back: it is not told that its token is wrong.
  expect((await openSocket('sph_guess', 1)).met).toBe('closed');
  const { socket, met } = await openSocket(token, 0);
  expect(met).toBe('in');
  const closed = new Promise((resolve) => socket.once('disconnect', resolve));
  let answers = 0;
  for (let n = 0; n < 30; n++) socket.emit('follow', { deployment: 'dpl_x', after: 0 }, () => answers++);
  await closed;
  expect(answers).toBeLessThan(20);
  // Each replica lets one pass after Redis has come back empty.
  await openSocket(token, 1);
  expect((await openSocket(token, 1)).met).toBe('closed');
});

test('jobs that get tokens for their ID tokens are no strangers, however many come from one address', async () => {
  await redis.kill();
  await redis.startEmpty();
  const team = await plane.account('jobs');
  const made = await plane.call<unknown>(0, team, 'POST', '/v1/accounts/jobs/trusts', {
    provider: 'github',
    repository: 'acme/web',
    project: 'shop',
  });
  expect(made.status).toBe(201);
  for (let n = 0; n < 12; n++) {
    const idToken = await issuer.sign({ aud: publicUrl, ...githubClaims });
    const { status } = await plane.call<unknown>(n, '', 'POST', '/v1/oidc/token', {
      idToken,
      project: 'shop',
    });
    expect(status).toBe(201);
  }
});

test('a request whose body hardly arrives is ended, one that is slow and goes on is not', async () => {
  let got = 0;
  const server = createHttpServer(
    (request, response) => {
      request.on('data', (chunk: Buffer) => {
        got += chunk.length;
      });
      request.on('end', () => response.end('all'));
    },
    { windowMs: 200, bytes: 100 },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = (length: number) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`PUT / HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${length}\r\n\r\n`);
    return socket;
  };
  const loris = open(1000);
  const drip = setInterval(() => loris.write('x'), 50);
  await once(loris, 'close');
  clearInterval(drip);
  expect(got).toBeLessThan(100);

  const upload = open(6000);
  let sent = 0;
  const flow = setInterval(() => {
    upload.write('y'.repeat(200));
    sent += 200;
    if (sent === 6000) clearInterval(flow);
  }, 50);
  const [answer] = (await once(upload, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/200 OK[\s\S]*all/);
  upload.destroy();
  server.close();
});
