/** A plane that only serves one deployment's log over Socket.IO, and does what a network does: it breaks off. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { onTestFinished } from 'vitest';
import {
  type ClientEvents,
  encodeLine,
  followPath,
  type LogBatch,
  type PlaneEvents,
} from '../../contract/logs.ts';

export type Follower = Socket<ClientEvents, PlaneEvents>;

/** Lines `first` to `last`; the text of each is its number. */
export function batchOf(first: number, last: number): LogBatch {
  let lines = '';
  for (let seq = first; seq <= last; seq += 1)
    lines += encodeLine(seq, [0, 'build', 'stdout', `line ${seq}`]);
  return { first, last, lines };
}

/** `serve` is called for every `follow` with the number after which lines are asked for, and which follow it is. */
export async function openLogPlane(
  serve: (socket: Follower, after: number, follow: number) => void | Promise<void>,
) {
  const http = createServer();
  const io = new Server<ClientEvents, PlaneEvents>(http, { path: followPath, transports: ['websocket'] });
  const follows: number[] = [];
  io.use((socket, next) =>
    next(socket.handshake.auth.token === 'good' ? undefined : new Error('NOT_SIGNED_IN')),
  );
  io.on('connection', (socket) => {
    socket.on('follow', ({ deployment, after }, answer) => {
      if (deployment !== 'dpl_1') {
        return answer({ ok: false, error: { code: 'NOT_FOUND', message: 'there is no such deployment' } });
      }
      answer({ ok: true });
      follows.push(after);
      void serve(socket, after, follows.length);
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => io.close());
  const { port } = http.address() as AddressInfo;
  return { address: { url: `http://127.0.0.1:${port}`, token: 'good' }, follows };
}

/** Sends a batch and resolves when it was acknowledged. */
export function send(socket: Follower, batch: LogBatch): Promise<void> {
  return new Promise((resolve) => socket.emit('batch', 'dpl_1', batch, resolve));
}
