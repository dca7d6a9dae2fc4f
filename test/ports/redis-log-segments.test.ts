/** Closed segments of logs: when the artifact store is away, and when replicas are slow, at it together, or die at it. */
import { Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createGate } from '../gate.ts';
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

test('closed segments leave Redis, and readers cross from them into what is open', async () => {
  const plane = await openPlane();
  const a = plane.replica();
  const texts = textsUpTo(1_000);
  await startBuilder([a]).ship(texts);
  const redis = new Redis(plane.redis.url);
  onTestFinished(() => redis.disconnect());
  await vi.waitFor(async () => {
    expect(plane.artifacts.puts.length).toBeGreaterThan(5);
    expect(await redis.xlen(`sphere:log:{${deployment}}`)).toBeLessThan(20);
  }, patience);
  for (const after of [0, 1, 137, 500, 999]) {
    const follower = startFollower(plane.replica(), after);
    await follower.until(1_000);
    expect(flaw(follower.seen, texts, after)).toBeNull();
  }
});

test('a log that has ended leaves nothing in Redis but its end, for a minute', async () => {
  const plane = await openPlane();
  const a = plane.replica();
  await startBuilder([a]).ship(textsUpTo(20));
  await a.appendOwn(deployment, lines('own'));
  await a.end(deployment);
  const redis = new Redis(plane.redis.url);
  onTestFinished(() => redis.disconnect());
  await vi.waitFor(async () => expect(await redis.scard('sphere:logs:unclosed')).toBe(0));
  for (const key of await redis.keys('sphere:log:*')) {
    const seconds = await redis.ttl(key);
    expect([key, seconds > 0 && seconds <= 60]).toEqual([key, true]);
  }
  // Its end was stored once.
  expect(plane.artifacts.puts).toHaveLength(new Set(plane.artifacts.puts).size);
  expect(a.said).toEqual([]);
});

test('the artifact store away: the log stays in Redis, and is closed when it is back', async () => {
  const plane = await openPlane();
  const a = plane.replica();
  const texts = textsUpTo(600);
  plane.artifacts.away = true;
  const builder = startBuilder([a]);
  await builder.ship(texts);
  await a.appendOwn(deployment, lines('own'));
  await a.end(deployment);
  expect((await readAll(a)).texts).toEqual([...texts, 'own']);
  expect(plane.artifacts.puts).toEqual([]);
  expect(a.waitingFor()).toContain('artifact store');
  expect(a.said.filter((message) => message.includes('cannot be stored'))).toHaveLength(1);
  plane.artifacts.away = false;
  await vi.waitFor(() => expect(plane.artifacts.puts.at(-1)).toMatch(/0000000601$/), patience);
  expect(a.waitingFor()).toBeNull();
  await plane.redis.restartEmpty();
  expect(await readAll(plane.replica())).toMatchObject({ texts: [...texts, 'own'], ended: true });
});

test('what a replica left undone when it died, another closes', async () => {
  const plane = await openPlane();
  const dying = plane.replica({ lockMs: 300, sweepMs: 1_000_000 });
  const gate = createGate();
  plane.artifacts.beforePut = gate.pass;
  const texts = textsUpTo(150);
  await startBuilder([dying]).ship(texts);
  void dying.end(deployment);
  await gate.reached;
  plane.artifacts.beforePut = async () => {};
  const other = plane.replica({ lockMs: 300 });
  await vi.waitFor(() => expect(plane.artifacts.puts.at(-1)).toMatch(/0000000150$/), patience);
  await plane.redis.restartEmpty();
  expect(await readAll(other)).toMatchObject({ texts, ended: true });
  gate.open();
});

test('a segment that two replicas close at once is in the log once', async () => {
  const plane = await openPlane({ lockMs: 100 });
  const [slow, quick] = [plane.replica(), plane.replica()];
  const gate = createGate();
  plane.artifacts.beforePut = gate.pass;
  const texts = textsUpTo(200);
  const builder = startBuilder([slow]);
  await builder.ship(texts.slice(0, 150));
  await gate.reached;
  plane.artifacts.beforePut = async () => {};
  const follower = startFollower(quick);
  const later = startBuilder([quick], 2);
  await vi.waitFor(async () => {
    await later.ship(['more']);
    expect(plane.artifacts.puts).not.toEqual([]);
  }, patience);
  const puts = plane.artifacts.puts.length;
  gate.open();
  await vi.waitFor(() => expect(plane.artifacts.puts.length).toBeGreaterThan(puts), patience);
  await builder.ship(texts.slice(150));
  await slow.end(deployment);
  const seen = await follower.ended;
  expect(isUnbroken(seen)).toBe(true);
  expect(seen.map(({ text }) => text).filter((text) => text !== 'more')).toEqual(texts);
  expect((await readAll(plane.replica())).seen).toEqual(seen);
});

test('segments that were removed are one line for those who follow, and the rest comes', async () => {
  const plane = await openPlane();
  const a = plane.replica();
  await startBuilder([a]).ship(textsUpTo(1_000));
  await a.end(deployment);
  const keys = (await plane.artifacts.list('logs/')).map(({ key }) => key);
  await plane.artifacts.remove(keys.slice(0, 2));
  const { seen } = await readAll(plane.replica());
  expect(seen[0]?.text).toMatch(/^Lines 1 to \d+ of this log are no longer kept\.$/);
  expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, n) => (seen[0]?.seq ?? 0) + n));
  expect(seen.at(-1)?.seq).toBe(1_000);
});

test('answers say up to which batch lines are safe, so that a builder keeps no more', async () => {
  const plane = await openPlane({ segmentBytes: 1_000_000 });
  const a = plane.replica();
  expect(await a.append(deployment, batchOf(1, 1), lines('a'))).toMatchObject({ kept: 0 });
  await a.append(deployment, batchOf(1, 2), lines('b'));
  await a.appendOwn(deployment, []);
  expect(await a.append(deployment, batchOf(1, 3), lines('c'))).toMatchObject({ kept: 2 });
});
