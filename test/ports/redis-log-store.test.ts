/** The log store in Redis with several replicas, and with everything that it leans on going away. */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createSentBatches } from '../../builder/log/sent-batches.ts';
import type { LogRequest } from '../../contract/builder-api.ts';
import { createRedisLogStore } from '../../server/adapters/redis/redis-log-store.ts';
import { startRedis } from '../peers/redis.ts';
import {
  deployment,
  flaw,
  isUnbroken,
  lines,
  openPlane,
  readAll,
  startBuilder,
  startFollower,
  textsUpTo,
} from './redis-logs.ts';

/** The machine may be busy. */
const patience = 10_000;
const batchOf = (attempt: number, batch: number) => ({ attempt, batch });

/** A connection of the test's own. */
function connect(url: string): Redis {
  const redis = new Redis(url);
  onTestFinished(() => redis.disconnect());
  return redis;
}

describe('two replicas', () => {
  test('T29: followers on both see each line once, whichever replica took it', async () => {
    const plane = await openPlane();
    const [a, b] = [plane.replica(), plane.replica()];
    const followers = [startFollower(a), startFollower(b), startFollower(b, 150)];
    const texts = textsUpTo(1_000);
    await startBuilder([a, b]).ship(texts);
    await b.end(deployment);
    const [onA, onB, late] = await Promise.all(followers.map(({ ended }) => ended));
    expect(flaw(onA ?? [], texts)).toBeNull();
    expect(flaw(onB ?? [], texts)).toBeNull();
    expect(flaw(late ?? [], texts, 150)).toBeNull();
  });

  test('wake who watches a log from before its first line once per append, however the looks at Redis fall', async () => {
    const plane = await openPlane();
    const [a, b] = [plane.replica(), plane.replica()];
    const logs = Array.from({ length: 300 }, (_, n) => ({ deployment: `dpl_${n}`, woken: 0 }));
    for (const log of logs) {
      const unwatch = a.watch(log.deployment, () => log.woken++);
      onTestFinished(unwatch);
      await a.append(log.deployment, batchOf(1, 1), lines('a'));
    }
    // All that came before has come from Redis too when this has.
    const last = await new Promise((resolve) => {
      onTestFinished(a.watch('dpl_last', () => resolve('woken')));
      void b.append('dpl_last', batchOf(1, 1), lines('a'));
    });
    expect(last).toBe('woken');
    expect(logs.filter(({ woken }) => woken !== 1)).toEqual([]);
  });

  test('store a batch that both are given once', async () => {
    const plane = await openPlane();
    const replicas = [plane.replica(), plane.replica(), plane.replica()];
    for (let batch = 1; batch <= 20; batch++) {
      await Promise.all(
        replicas.map((replica) => replica.append(deployment, batchOf(1, batch), lines(`${batch}`))),
      );
    }
    expect((await readAll(replicas[0] as never)).texts).toEqual(
      Array.from({ length: 20 }, (_, n) => `${n + 1}`),
    );
  });

  test('need one blocking connection each, whatever the number of followers', async () => {
    const plane = await openPlane();
    const a = plane.replica();
    const followers = Array.from({ length: 50 }, () => startFollower(a));
    await startBuilder([a]).ship(textsUpTo(10));
    await Promise.all(followers.map(({ until }) => until(10)));
    const direct = connect(plane.redis.url);
    await vi.waitFor(async () => {
      const clients = String(await direct.client('LIST'));
      expect(clients.match(/cmd=xread/g)).toHaveLength(1);
      expect(clients.trim().split('\n')).toHaveLength(3);
    }, patience);
  });

  test('wake a follower of a log that begins to be followed while the reader waits for others', async () => {
    const plane = await openPlane();
    const [a, b] = [plane.replica(), plane.replica()];
    const first = startFollower(a);
    await startBuilder([b]).ship(textsUpTo(10));
    await first.until(10);
    let woken = () => {};
    const change = new Promise<void>((resolve) => {
      woken = resolve;
    });
    onTestFinished(a.watch('dpl_2', () => woken()));
    await b.append('dpl_2', batchOf(1, 1), lines('other'));
    await change;
    expect((await readAll(a, 'dpl_2')).texts).toEqual(['other']);
  });
});

describe('Redis restarted empty', () => {
  test('in mid-log: the builder sends again, lines keep their numbers, followers go on', async () => {
    const plane = await openPlane();
    const [a, b] = [plane.replica(), plane.replica()];
    const followers = [startFollower(a), startFollower(b)];
    const builder = startBuilder([a, b]);
    const texts = textsUpTo(1_000);
    await builder.ship(texts.slice(0, 495));
    await Promise.all(followers.map(({ until }) => until(495)));
    await plane.redis.restartEmpty();
    await builder.ship(texts.slice(495));
    await a.end(deployment);
    for (const { ended } of followers) expect(flaw(await ended, texts)).toBeNull();
    expect(builder.asked).toHaveLength(1);
    // Only what was in no closed segment was asked for.
    expect(builder.asked[0]).toBeGreaterThan(20);
    expect(flaw((await readAll(plane.replica())).seen, texts)).toBeNull();
  });

  test("does not lose the plane's own lines, and gives no number twice", async () => {
    const plane = await openPlane({ segmentBytes: 1_000_000 });
    const a = plane.replica();
    await a.append(deployment, batchOf(1, 1), lines('a', 'b'));
    await a.appendOwn(deployment, lines('attempt 1 was lost'));
    await plane.redis.restartEmpty();
    const b = plane.replica();
    expect(await b.append(deployment, batchOf(2, 1), lines('c'))).toMatchObject({ last: 4, kept: 0 });
    await b.end(deployment);
    expect((await readAll(b)).texts).toEqual(['a', 'b', 'attempt 1 was lost', 'c']);
  });

  test('after the end of a log changes nothing for those who read it', async () => {
    const plane = await openPlane();
    const texts = textsUpTo(300);
    const a = plane.replica();
    await startBuilder([a]).ship(texts);
    await a.end(deployment);
    await plane.redis.restartEmpty();
    const b = plane.replica();
    expect(await readAll(b)).toMatchObject({ texts, ended: true, last: 300 });
    await b.end(deployment);
    await expect(b.append(deployment, batchOf(2, 1), lines('late'))).rejects.toMatchObject({
      code: 'ATTEMPT_STALE',
    });
    expect(await b.remove(deployment)).toBeGreaterThan(0);
    expect(await readAll(b)).toMatchObject({ texts: [], ended: false, last: 0 });
  });

  test('with lines that the builder no longer has: as many say so, and the others keep their numbers', async () => {
    const plane = await openPlane();
    const a = plane.replica();
    const sent = createSentBatches(0);
    const send = (body: string) => {
      const { batch, lines } = JSON.parse(body) as LogRequest;
      return a.append(deployment, batchOf(1, batch), lines);
    };
    const bodyOf = (batch: number) => JSON.stringify({ batch, lines: lines(`a${batch}`, `b${batch}`) });
    for (const number of [1, 2, 3]) {
      const body = bodyOf(number);
      sent.answered({ number, body, lines: 2 }, (await send(body)).kept);
    }
    await plane.redis.restartEmpty();
    await vi.waitFor(async () => expect(await send(bodyOf(4))).toMatchObject({ again: 1 }), patience);
    for (const number of [1, 2, 3]) expect((await send(sent.bodyOf(number))).last).toBe(2 * number);
    expect((await send(bodyOf(4))).last).toBe(8);
    const { texts } = await readAll(a);
    expect(texts.slice(0, 6).every((text) => text.includes('lost'))).toBe(true);
    expect(texts.slice(6)).toEqual(['a4', 'b4']);
  });
});

test('Redis that lacks its last writes, as after a failover, is brought up to date from closed segments', async () => {
  const plane = await openPlane({ segmentBytes: 1_000_000 });
  const a = plane.replica();
  const direct = connect(plane.redis.url);
  const keys = [`sphere:log:{${deployment}}`, `sphere:log:{${deployment}}:state`] as const;
  await a.append(deployment, batchOf(1, 1), lines('a'));
  const before = await Promise.all(keys.map((key) => direct.dumpBuffer(key)));
  await a.append(deployment, batchOf(1, 2), lines('b'));
  await a.appendOwn(deployment, lines('attempt 1 was lost'));
  for (const [n, key] of keys.entries()) await direct.restore(key, 0, before[n] as Buffer, 'REPLACE');
  await direct.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await vi.waitFor(() => expect(a.said).toHaveLength(2), patience);
  expect(await a.append(deployment, batchOf(2, 1), lines('c'))).toMatchObject({ last: 4 });
  expect((await readAll(a)).texts).toEqual(['a', 'b', 'attempt 1 was lost', 'c']);
});

describe('Redis away', () => {
  test('appends fail at once, the rest waits, all goes on when it is back, and it is said once', async () => {
    const plane = await openPlane();
    const a = plane.replica({ answerMs: 3_000 });
    const follower = startFollower(a);
    const builder = startBuilder([a]);
    const texts = textsUpTo(200);
    await builder.ship(texts.slice(0, 100));
    await follower.until(100);
    plane.redis.pause();
    const waits = `the plane waits for Redis at 127.0.0.1:${plane.redis.port}`;
    const refusal = async () => {
      const startedAt = performance.now();
      const append = a.append(deployment, batchOf(1, 11), lines('x'));
      await expect(append).rejects.toMatchObject({
        code: 'INFRASTRUCTURE',
        message: expect.stringContaining(waits),
      });
      return performance.now() - startedAt;
    };
    // The first has waited 3 s for an answer: what comes after it asks for none.
    const first = await refusal();
    expect(await refusal()).toBeLessThan(first / 2);
    expect(a.waitingFor()).toBe(`Redis at 127.0.0.1:${plane.redis.port}`);
    const shipped = builder.ship(texts.slice(100));
    const read = plane.replica().read(deployment, 100, 5_000);
    plane.redis.resume();
    await shipped;
    expect((await read).last).toBeGreaterThanOrEqual(100);
    await a.end(deployment);
    const seen = await follower.ended;
    // The batch that was given up on had been taken by Redis, or had not: as the builder's own, it is there once.
    expect(seen.filter(({ text }) => text === 'x').length).toBeLessThanOrEqual(1);
    expect(isUnbroken(seen)).toBe(true);
    expect(a.waitingFor()).toBeNull();
    expect(a.said).toEqual([
      `waiting for Redis at 127.0.0.1:${plane.redis.port}`,
      `Redis at 127.0.0.1:${plane.redis.port} is back`,
    ]);
  });

  test('for a while in mid-log costs no line and doubles none', async () => {
    const plane = await openPlane();
    const [a, b] = [plane.replica(), plane.replica()];
    const followers = [startFollower(a), startFollower(b)];
    const builder = startBuilder([a, b]);
    const texts = textsUpTo(400);
    await builder.ship(texts.slice(0, 200));
    await plane.redis.kill();
    const shipped = builder.ship(texts.slice(200));
    const own = b.appendOwn('dpl_2', lines('own'));
    await vi.waitFor(() => expect(b.waitingFor()).not.toBeNull(), patience);
    await plane.redis.startEmpty();
    await Promise.all([shipped, own]);
    await b.end(deployment);
    for (const { ended } of followers) expect(flaw(await ended, texts)).toBeNull();
    expect((await readAll(a, 'dpl_2')).texts).toEqual(['own']);
  });

  test('for longer than a caller waits is an error that says so', async () => {
    const plane = await openPlane({ patienceMs: 300 });
    const a = plane.replica();
    await plane.redis.kill();
    await expect(a.appendOwn(deployment, lines('own'))).rejects.toMatchObject({ code: 'INFRASTRUCTURE' });
    await expect(a.read(deployment, 0, 100)).rejects.toMatchObject({ code: 'INFRASTRUCTURE' });
  });
});

test('a refused login is an error with the next step, and is not tried for ever', async () => {
  const redis = await startRedis([['requirepass', 'right']]);
  onTestFinished(() => redis.stop());
  const plane = await openPlane();
  const said: string[] = [];
  const store = createRedisLogStore({
    redis: `redis://:wrong@127.0.0.1:${redis.port}`,
    artifacts: plane.artifacts,
    maxBytes: 1_000,
    report: (message) => said.push(message),
  });
  onTestFinished(() => store.close());
  await expect(store.append(deployment, batchOf(1, 1), lines('a'))).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    hint: expect.stringContaining('REDIS_URL'),
  });
  await expect(store.appendOwn(deployment, lines('a'))).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
  });
  expect(said).toHaveLength(1);
  expect(said[0]).toContain('refuses the login');
  expect(store.waitingFor()).toContain('refuses the login');
  const admin = connect(`redis://:right@127.0.0.1:${redis.port}`);
  await once(admin, 'ready');
  expect(String(await admin.info('stats'))).toContain('total_connections_received:2');
});

test('a full Redis refuses batches with INFRASTRUCTURE and takes them when it has room', async () => {
  const plane = await openPlane({ segmentBytes: 100_000_000 });
  const a = plane.replica();
  const direct = connect(plane.redis.url);
  await a.append(deployment, batchOf(1, 1), lines('a'));
  await direct.config('SET', 'maxmemory', '1');
  await expect(a.append(deployment, batchOf(1, 2), lines('b'))).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
  });
  await direct.config('SET', 'maxmemory', '0');
  await a.append(deployment, batchOf(1, 2), lines('b'));
  expect((await readAll(a)).texts).toEqual(['a', 'b']);
});
