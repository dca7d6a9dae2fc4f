/** The pure parts of the everyday commands: durations, regions by distance, what doctor makes of what it sees. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { clockFinding, healthFinding, lookAtNode, tokenFinding } from '../../cli/doctor.ts';
import { parseDuration, readSince, readTimeout } from '../../cli/durations.ts';
import { connectTime, nearestFirst } from '../../cli/ping.ts';
import { version } from '../../contract/version.ts';

test.each([
  ['90', 90_000],
  ['90s', 90_000],
  ['5m', 300_000],
  ['5min', 300_000],
  ['1.5h', 5_400_000],
  ['2d', 172_800_000],
  ['0', null],
  ['-5m', null],
  ['soon', null],
  ['5 minutes', null],
])('%j is %s ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test('a time is so long ago, or an instant', () => {
  expect(readSince('10m', 1_000_000)).toBe(400_000);
  expect(readSince('2026-03-01T12:00:00Z', 0)).toBe(Date.UTC(2026, 2, 1, 12));
  expect(() => readSince('yesterday', 0)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  expect(() => readTimeout('soon')).toThrow(/--timeout takes a duration such as 90s/);
});

describe('regions', () => {
  const region = (name: string, host: string | null) => ({ region: name, name, host });

  test('come nearest first, those without an answer last', async () => {
    const times: Record<string, number | null> = { far: 180, near: 12, gone: null };
    const found = await nearestFirst(
      [region('a', 'far'), region('b', 'gone'), region('c', null), region('d', 'near')],
      async (host) => times[host] ?? null,
    );
    expect(found.map(({ region: name, ms }) => [name, ms])).toEqual([
      ['d', 12],
      ['a', 180],
      ['b', null],
      ['c', null],
    ]);
  });

  test('are measured by one connection; none is no answer', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    let connections = 0;
    server.on('connection', (socket) => {
      connections += 1;
      socket.destroy();
    });
    const { port } = server.address() as AddressInfo;
    const ms = await connectTime('127.0.0.1', port);
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThan(3_000);
    const closed = once(server, 'close');
    server.close();
    await closed;
    expect(connections).toBe(1);
    expect(await connectTime('127.0.0.1', port)).toBeNull();
    expect(await connectTime('no-such-host.invalid')).toBeNull();
  });
});

describe('doctor', () => {
  const who = (expiresAt: string | null) => ({
    version,
    time: '',
    account: 'acme',
    admin: false,
    token: { id: 'tok_1', name: 'ci', expiresAt },
  });
  const now = Date.UTC(2026, 2, 1);

  test('says when a token expires, and what to do when that is soon', () => {
    expect(tokenFinding(who('2026-06-01T00:00:00.000Z'), 'SPHERE_TOKEN', now)).toMatchObject({ state: 'ok' });
    expect(tokenFinding(who('2026-03-03T00:00:00.000Z'), 'SPHERE_TOKEN', now)).toMatchObject({
      state: 'warn',
      seen: 'acme, "ci" (SPHERE_TOKEN), expires on 2026-03-03, in 2 days',
      fix: expect.stringContaining('sphere token create'),
    });
  });

  test.each([
    [0, 'ok', 'agrees'],
    [90_000, 'warn', '90 s behind the plane'],
    [-90_000, 'warn', '90 s ahead of the plane'],
  ])('a plane whose clock is off by %i ms: %s', (offMs, state, seen) => {
    const time = new Date(now + 50 + offMs).toISOString();
    // The request itself took 100 ms.
    expect(clockFinding(time, now, now + 100)).toMatchObject({
      state,
      seen: expect.stringMatching(seen.replace('90', '(89|90)')),
    });
  });

  test.each([
    [version, undefined, 'ok', undefined],
    ['0.0.1', undefined, 'warn', /older than this CLI/],
    ['99.0.0', undefined, 'warn', /update the CLI/],
    [version, ['Redis'], 'warn', /sphere server check/],
  ])('a plane of version %s that waits for %j: %s', (theirs, waitingFor, state, fix) => {
    const health = { status: 'ok' as const, version: theirs, ...(waitingFor ? { waitingFor } : {}) };
    const found = healthFinding(health, 'https://sphere.example.com (SPHERE_URL)', 12.4);
    expect(found).toMatchObject({ state, seen: expect.stringContaining('answered in 12 ms') });
    if (fix) expect(found.fix).toMatch(fix);
    if (waitingFor) expect(found.seen).toContain('waiting for Redis');
  });

  test.each([
    ['20.19.0', 'ok'],
    ['24.1.0', 'ok'],
    ['18.20.4', 'fail'],
  ])('node %s: %s', (running, state) => {
    expect(lookAtNode(running).state).toBe(state);
  });
});
