/**
 * Ends requests whose body hardly arrives: each would hold a connection for ever (slow loris). A limit in time would end
 * uploads that go on for an hour, too; what is asked for is a least speed.
 */
import type { IncomingMessage } from 'node:http';

export type LeastSpeed = { windowMs: number; bytes: number };

/** 1 KiB/s: a telephone line of 1990 is four times as fast. */
export const leastSpeed: LeastSpeed = { windowMs: 30_000, bytes: 30 * 1024 };

/** Breaks the connection off when less than `bytes` of the request come in a window, and it is not all there. */
export function endWhenSlow(request: IncomingMessage, { windowMs, bytes }: LeastSpeed = leastSpeed): void {
  if (request.complete) return;
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    if (request.complete) return clearInterval(timer);
    // What we have not read yet is no fault of the other side.
    if (socket.bytesRead - before < bytes && !request.isPaused()) socket.destroy();
    before = socket.bytesRead;
  }, windowMs);
  timer.unref();
  request.once('end', () => clearInterval(timer));
  request.once('close', () => clearInterval(timer));
}
