/** How often somebody may ask, over all replicas; and requests that hardly arrive. */
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRateStores, type RateStores } from '../../server/adapters/redis/rate-store.ts';
import { createHttpServer } from '../../server/app.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { startRedis } from '../peers/redis.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let postgres: Postgres;
let redis: Awaited<ReturnType<typeof startRedis>>;
let stores: RateStores;
let database: Database;
let plane: Replicas;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
  const url = await postgres.createDatabase();
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  stores = openRateStores(redis.url);
  plane = await startReplicas(database, { limits: { perToken: 20, refusals: 8, store: stores.store } });
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await stores.close();
  await database.close();
  await Promise.all([postgres.stop(), redis.stop()]);
}, 60_000);

async function ask(token: string, replica: number, path = '/v1/projects') {
  const answer = await fetch(`${plane.running[replica % 2]?.url}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const body = (await answer.json()) as { error?: { code: string } };
  return { status: answer.status, wait: Number(answer.headers.get('retry-after')), code: body.error?.code };
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
