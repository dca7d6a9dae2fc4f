/** One follower's log over its socket: a window of batches, each sent when there is room. */
import type { Socket } from 'socket.io';
import { type ClientEvents, followLimits, type PlaneEvents } from '../contract/logs.ts';
import { emitShared } from './emit-shared.ts';
import { createSignal, followLog } from './follow.ts';
import type { LogStore } from './ports.ts';

export type FollowedLogs = Pick<LogStore, 'read' | 'watch'>;

/**
 * Sends batches after seq `after`, at most a window of them unacknowledged, then the end once all have been taken.
 * Resolves at the end, or when `stop` is aborted. Small batches share one acknowledgement: it costs more than they do.
 */
export async function sendLog<Data>(
  logs: FollowedLogs,
  socket: Socket<ClientEvents, PlaneEvents, Record<string, never>, Data>,
  deployment: string,
  after: number,
  stop: AbortSignal,
): Promise<void> {
  const taken = createSignal();
  stop.addEventListener('abort', taken.raise);
  let underway = 0;
  /** Characters sent since an acknowledgement was last asked for. */
  let unasked = 0;
  const received = () => {
    underway--;
    taken.raise();
  };
  const room = async (most: number) => {
    while (underway > most && !stop.aborted) await taken.wait();
  };
  const log = followLog(logs, deployment, after, { maxBatchBytes: followLimits.maxBatchBytes, stop });
  for (;;) {
    const next = await log.next();
    if (stop.aborted) break;
    if (next.done) {
      await room(0);
      if (!stop.aborted) socket.emit('end', deployment, next.value);
      break;
    }
    unasked += next.value.lines.length;
    if (unasked < followLimits.askEvery) {
      emitShared(socket, 'batch', deployment, next.value);
      continue;
    }
    unasked = 0;
    underway++;
    socket.emit('batch', deployment, next.value, received);
    await room(followLimits.window - 1);
  }
  await log.return(0);
  stop.removeEventListener('abort', taken.raise);
}
