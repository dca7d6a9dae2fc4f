/**
 * Follows a deployment's log over Socket.IO: every line once and in order, however often the connection breaks.
 *
 * The position is the seq of the last line that was received; after every connection the plane is asked for what comes
 * after it. A batch is acknowledged only once the consumer has asked for the next, so that a slow output holds back the
 * plane instead of filling memory.
 */
import { io } from 'socket.io-client';
import { SphereError } from '../contract/errors.ts';
import { type FollowAnswer, followPath, type LogBatch } from '../contract/logs.ts';
import type { PlaneAddress } from './answers.ts';

/** The pause in milliseconds before a connection that was closed on purpose is made again. */
const restartMs = 250;

export type FollowOptions = {
  plane: PlaneAddress;
  deployment: string;
  /** The seq after which to begin. */
  after: number;
  /** The connection was lost; it is being made again. Called once per loss. */
  onLost?(): void;
  /** The connection is back. */
  onResumed?(): void;
  signal?: AbortSignal | undefined;
};

/**
 * The batches after `after`, until the log's end or the signal. Throws what the plane answers to `follow` (`NOT_FOUND`,
 * …) and `NOT_SIGNED_IN`; a lost connection is not an error.
 */
export async function* followLog(options: FollowOptions): AsyncGenerator<LogBatch, void, void> {
  const { deployment, signal } = options;
  const received: { batch: LogBatch; acknowledge: () => void }[] = [];
  let position = options.after;
  let failure: unknown;
  let ended = false;
  let lost = false;
  let closed = false;
  let wake = () => {};

  const socket = io(options.plane.url, {
    path: followPath,
    transports: ['websocket'],
    // Asked for at every connection: a plane that was brought back may have another.
    auth: (give) => give({ token: options.plane.token }),
    reconnectionDelay: 100,
    reconnectionDelayMax: 3_000,
    // This process follows one log, and others may follow with another token.
    forceNew: true,
  });
  const fail = (error: unknown) => {
    failure ??= error;
    wake();
  };
  const follow = () => {
    socket.emit('follow', { deployment, after: position }, (answer: FollowAnswer) => {
      if (!answer.ok) return fail(SphereError.fromBody(answer.error));
      if (lost) options.onResumed?.();
      lost = false;
    });
  };
  socket.on('connect', follow);
  socket.on('disconnect', () => {
    if (ended || closed) return;
    if (!lost) options.onLost?.();
    lost = true;
    // After a disconnect that either side asked for, the client does not come back of its own accord.
    if (!socket.active) setTimeout(() => closed || socket.connect(), restartMs);
  });
  socket.on('connect_error', (error: Error & { data?: unknown }) => {
    // The plane is there and refuses us: trying again changes nothing.
    if (!socket.active) fail(refusal(error));
  });
  socket.on('batch', (of: string, batch: LogBatch, acknowledge?: () => void) => {
    if (of !== deployment) return;
    const connection = socket.id;
    const onTaken = () => {
      if (socket.connected && socket.id === connection) acknowledge?.();
    };
    // Lines are missing: ask once more, on a new connection.
    if (batch.first > position + 1) return void socket.disconnect();
    const fresh = after(batch, position);
    if (fresh === null) return onTaken();
    position = batch.last;
    received.push({ batch: fresh, acknowledge: onTaken });
    wake();
  });
  socket.on('end', (of: string, lastSeq: number) => {
    if (of !== deployment) return;
    if (lastSeq > position) return void socket.disconnect();
    ended = true;
    wake();
  });
  const onAbort = () => wake();
  signal?.addEventListener('abort', onAbort);

  try {
    while (!signal?.aborted) {
      const next = received.shift();
      if (next) {
        yield next.batch;
        next.acknowledge();
      } else if (failure !== undefined) {
        throw failure;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    closed = true;
    signal?.removeEventListener('abort', onAbort);
    socket.disconnect();
  }
}

/** What of `batch` comes after seq `position`; null when all of it is known. */
export function after(batch: LogBatch, position: number): LogBatch | null {
  if (batch.last <= position) return null;
  if (batch.first > position) return batch;
  const known = position - batch.first + 1;
  let offset = 0;
  for (let line = 0; line < known; line += 1) offset = batch.lines.indexOf('\n', offset) + 1;
  return { first: position + 1, last: batch.last, lines: batch.lines.slice(offset) };
}

function refusal(error: Error & { data?: unknown }): SphereError {
  const body = (error.data as { error?: unknown } | undefined)?.error ?? error.data;
  if (typeof body === 'object' && body !== null && 'code' in body && 'message' in body) {
    return SphereError.fromBody(body as Parameters<typeof SphereError.fromBody>[0]);
  }
  return new SphereError('NOT_SIGNED_IN', `The control plane refused to stream the log: ${error.message}.`, {
    hint: 'Check SPHERE_TOKEN.',
    cause: error,
  });
}
