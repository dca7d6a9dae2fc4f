/** Followers over real sockets: many at once, slow ones, and ones that never answer. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { expect, onTestFinished, test, vi } from 'vitest';
import { followLog } from '../../cli/log-stream.ts';
import {
  type ClientEvents,
  decodeLines,
  encodeLine,
  followPath,
  type LogBatch,
  type PlaneEvents,
} from '../../contract/logs.ts';
import { gatherWakes } from '../../server/gathered-wakes.ts';
import type { LogStore } from '../../server/ports.ts';
import { sendLog } from '../../server/send-log.ts';

/** A log in memory, served over real sockets. */
async function servePlane() {
  const kept: string[] = [];
  const watchers = new Set<() => void>();
  let ended = false;
  const batches = new Map<number, LogBatch>();
  const read: LogStore['read'] = async (_, after, maxBytes) => {
    const last = kept.length;
    if (after >= last) return { batch: null, last, ended };
    let lines = kept[after] as string;
    let end = after + 1;
    while (end < last && lines.length + (kept[end] as string).length <= maxBytes) lines += kept[end++];
    const known = batches.get(after);
    const batch = known?.last === end ? known : { first: after + 1, last: end, lines };
    batches.set(after, batch);
    return { batch, last, ended: ended && end === last };
  };
  const watch = vi.fn((_: string, changed: () => void) => {
    watchers.add(changed);
    return () => void watchers.delete(changed);
  });
  const logs = { read, watch: gatherWakes(watch) };
  const wake = () => {
    for (const watcher of watchers) watcher();
  };

  const http = createServer();
  const sockets = new Server<ClientEvents, PlaneEvents>(http, {
    path: followPath,
    transports: ['websocket'],
  });
  sockets.on('connection', (socket) => {
    const gone = new AbortController();
    socket.on('disconnect', () => gone.abort());
    socket.on('follow', ({ deployment, after }, answer) => {
      answer({ ok: true });
      void sendLog(logs, socket, deployment, after, gone.signal);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => sockets.close());
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    watch,
    watchers,
    append(...texts: string[]) {
      for (const text of texts) kept.push(encodeLine(kept.length + 1, [1, 'build', 'stdout', text]));
      wake();
    },
    end() {
      ended = true;
      wake();
    },
  };
}

test('many followers that come and go see each line once, over one watch', async () => {
  const plane = await servePlane();
  const follow = async (after: number) => {
    const seen: number[] = [];
    for await (const batch of followLog({
      plane: { url: plane.url, token: 't' },
      deployment: 'dpl_1',
      after,
    })) {
      seen.push(...decodeLines(batch.lines).map(({ seq }) => seq));
    }
    return seen;
  };
  plane.append('a', 'b');
  const followers = Array.from({ length: 40 }, (_, n) => follow(n % 3));
  await vi.waitFor(() => expect(plane.watch).toHaveBeenCalled());
  for (let n = 3; n <= 50; n++) {
    plane.append(`line ${n}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  plane.end();
  const numbers = Array.from({ length: 50 }, (_, n) => n + 1);
  for (const [n, seen] of (await Promise.all(followers)).entries())
    expect(seen).toEqual(numbers.slice(n % 3));
  expect(plane.watch).toHaveBeenCalledTimes(1);
  await vi.waitFor(() => expect(plane.watchers.size).toBe(0));
});

test('a follower that acknowledges nothing is sent a window and no more, the rest when it does', async () => {
  const plane = await servePlane();
  plane.append(...Array.from({ length: 5_000 }, (_, n) => `line ${n} ${'x'.repeat(1_000)}`));
  const socket = io(plane.url, { path: followPath, transports: ['websocket'], auth: { token: 't' } });
  onTestFinished(() => void socket.disconnect());
  const held: (() => void)[] = [];
  let bytes = 0;
  let last = 0;
  let answers = false;
  socket.on('batch', (_: string, batch: LogBatch, received?: () => void) => {
    bytes += batch.lines.length;
    last = batch.last;
    if (received === undefined) return;
    if (answers) received();
    else held.push(received);
  });
  const ended = new Promise((resolve) =>
    socket.on('end', (of: string, seq: number) => of === 'dpl_1' && resolve(seq)),
  );
  await socket.emitWithAck('follow', { deployment: 'dpl_1', after: 0 });
  await vi.waitFor(() => expect(held).toHaveLength(4));
  // A round trip later nothing more has come.
  await socket.emitWithAck('follow', { deployment: 'dpl_2', after: 5_000 });
  expect(held).toHaveLength(4);
  expect(bytes).toBeLessThan(4 * (256 + 64) * 1024);
  answers = true;
  plane.end();
  for (const received of held) received();
  expect(await ended).toBe(5_000);
  expect(last).toBe(5_000);
});
