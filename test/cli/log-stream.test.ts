/** The log stream over a real Socket.IO connection that breaks: no line lost, none twice. */
import { describe, expect, test } from 'vitest';
import { after, followLog } from '../../cli/log-stream.ts';
import { decodeLines } from '../../contract/logs.ts';
import { batchOf, openLogPlane, send } from './log-plane.ts';

type Options = Omit<Parameters<typeof followLog>[0], 'deployment' | 'after'>;

/** The numbers of all lines, in the order in which they came. */
async function numbers(options: Options): Promise<number[]> {
  const seen: number[] = [];
  for await (const batch of followLog({ deployment: 'dpl_1', after: 0, ...options })) {
    seen.push(...decodeLines(batch.lines).map((line) => line.seq));
  }
  return seen;
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

describe('a follower sees every line once and in order', () => {
  test('until the end', async () => {
    const plane = await openLogPlane(async (socket) => {
      await send(socket, batchOf(1, 10));
      await send(socket, batchOf(11, 25));
      socket.emit('end', 'dpl_1', 25);
    });
    expect(await numbers({ plane: plane.address })).toEqual(upTo(25));
  });

  test('over many broken connections, each time going on after the last line', async () => {
    const plane = await openLogPlane(async (socket, from, follow) => {
      if (follow === 6) return void socket.emit('end', 'dpl_1', from);
      await send(socket, batchOf(from + 1, from + 10));
      socket.conn.close();
    });
    let lost = 0;
    const seen = await numbers({ plane: plane.address, onLost: () => lost++ });
    expect(seen).toEqual(upTo(50));
    expect(plane.follows).toEqual([0, 10, 20, 30, 40, 50]);
    expect(lost).toBe(5);
  });

  test('when the plane asks it to leave', async () => {
    const plane = await openLogPlane((socket, from, follow) => {
      if (follow === 1) return void socket.disconnect(true);
      socket.emit('batch', 'dpl_1', batchOf(from + 1, 5), () => socket.emit('end', 'dpl_1', 5));
    });
    expect(await numbers({ plane: plane.address })).toEqual(upTo(5));
  });

  test('when batches come twice or overlap', async () => {
    const plane = await openLogPlane(async (socket) => {
      for (const [first, last] of [
        [1, 10],
        [1, 10],
        [6, 14],
        [15, 15],
      ] as const) {
        await send(socket, batchOf(first, last));
      }
      socket.emit('end', 'dpl_1', 15);
    });
    expect(await numbers({ plane: plane.address })).toEqual(upTo(15));
  });

  test('when a batch is missing: it asks again', async () => {
    const plane = await openLogPlane((socket, from, follow) => {
      if (follow === 1) {
        socket.emit('batch', 'dpl_1', batchOf(1, 3), () => {});
        socket.emit('batch', 'dpl_1', batchOf(7, 9), () => {});
        return;
      }
      socket.emit('batch', 'dpl_1', batchOf(from + 1, 9), () => socket.emit('end', 'dpl_1', 9));
    });
    expect(await numbers({ plane: plane.address })).toEqual(upTo(9));
    expect(plane.follows).toEqual([0, 3]);
  });

  test('when the end comes before the last lines: it asks again', async () => {
    const plane = await openLogPlane((socket, from, follow) => {
      if (follow === 1) return void socket.emit('end', 'dpl_1', 4);
      socket.emit('batch', 'dpl_1', batchOf(from + 1, 4), () => socket.emit('end', 'dpl_1', 4));
    });
    expect(await numbers({ plane: plane.address })).toEqual(upTo(4));
  });
});

test('a batch is acknowledged only when the next is asked for', async () => {
  const acknowledged: number[] = [];
  const plane = await openLogPlane((socket) => {
    for (const number of [1, 2, 3]) {
      socket.emit('batch', 'dpl_1', batchOf(number, number), () => {
        acknowledged.push(number);
        if (number === 3) socket.emit('end', 'dpl_1', 3);
      });
    }
  });
  const batches = followLog({ plane: plane.address, deployment: 'dpl_1', after: 0 });
  expect((await batches.next()).value).toMatchObject({ first: 1 });
  expect((await batches.next()).value).toMatchObject({ first: 2 });
  // The first has been let go by asking for the second; the others are held.
  await expect.poll(() => acknowledged).toEqual([1]);
  expect((await batches.next()).value).toMatchObject({ first: 3 });
  expect((await batches.next()).done).toBe(true);
  expect(acknowledged).toEqual([1, 2, 3]);
});

test('an abort ends the stream', async () => {
  const plane = await openLogPlane(async (socket) => send(socket, batchOf(1, 1)));
  const stop = new AbortController();
  const batches = followLog({ plane: plane.address, deployment: 'dpl_1', after: 0, signal: stop.signal });
  await batches.next();
  const next = batches.next();
  stop.abort();
  expect((await next).done).toBe(true);
});

test('what the plane refuses is thrown', async () => {
  const plane = await openLogPlane(() => {});
  const follow = (options: Partial<Parameters<typeof followLog>[0]>) =>
    followLog({ plane: plane.address, deployment: 'dpl_1', after: 0, ...options }).next();
  await expect(follow({ deployment: 'dpl_2' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(follow({ plane: { ...plane.address, token: 'bad' } })).rejects.toMatchObject({
    code: 'NOT_SIGNED_IN',
  });
});

describe('of a batch is new', () => {
  test.each([
    [0, batchOf(1, 5)],
    [3, batchOf(4, 5)],
    [5, null],
    [9, null],
  ])('after %d of 1 to 5', (position, fresh) => {
    expect(after(batchOf(1, 5), position)).toEqual(fresh);
  });
});
