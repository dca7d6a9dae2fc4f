/**
 * Moves the older part of logs from Redis to the artifact store, one segment at a time.
 *
 * One replica at a time closes parts of a log, under a lock that runs out: one that dies is succeeded by whoever appends
 * next or looks for what is due. A slow one that was succeeded finds the log changed, and leaves it. While the artifact
 * store is away, lines stay in Redis.
 */
import { randomUUID } from 'node:crypto';
import { ReplyError } from 'ioredis';
import { within } from '../../within.ts';
import type { RedisConnection } from './connection.ts';
import { numberBodies } from './log-pieces.ts';
import { type Entry, keysOf, type LogState, logScripts, unclosedKey } from './log-scripts.ts';
import type { LogSegments } from './log-segments.ts';

export type LogClosing = {
  /** Closes what is due, or ripe. Resolves when that is done, or cannot be done now; never rejects. */
  close(deployment: string): Promise<void>;
  /** Resolves when a closing of this log that runs is done, or has run for too long to be waited for. */
  keepUp(deployment: string): Promise<void>;
  /** What this process waits for; null when the artifact store takes what it gets. */
  waitingFor(): string | null;
  stop(): Promise<void>;
};

export type LogClosingOptions = {
  connection: RedisConnection;
  segments: LogSegments;
  /** A part of this size is ripe to be closed. */
  segmentBytes: number;
  report(message: string, error?: unknown): void;
  /** After this long, whoever holds the lock of a log is taken for dead. */
  lockMs?: number;
  /** How often this replica looks for what others have left undone, and tries again after a failure. */
  sweepMs?: number;
};

/** A builder that prints faster than parts can be closed waits for so long; not for a store that is away. */
const keepUpMs = 2_000;
/** So often more may have become due while parts were closed; then the next sweep goes on. */
const maxRounds = 8;
/** Of the logs that are due, so many are looked at in one sweep. */
const sweptAtOnce = 64;

export function createLogClosing(options: LogClosingOptions): LogClosing {
  const { connection, segments, segmentBytes, report, lockMs = 30_000, sweepMs = 10_000 } = options;
  const underway = new Map<string, { done: Promise<void>; since: number }>();
  let failedAt: number | null = null;

  /** Stores one segment. False when there is nothing to do (any more). */
  async function closePart(deployment: string): Promise<boolean> {
    const { stream, state } = keysOf(deployment);
    const part = await connection.run((redis) => logScripts.openPart(redis, [stream, state], [segmentBytes]));
    if (part === null) return false;
    const [epoch, closed, closedState, due, ended, endClosed, open, entries, all] = part;
    const end = ended === 1 && endClosed === 0;
    if (due <= closed && !end && open < segmentBytes) return false;
    const segment = planSegment(JSON.parse(closedState) as LogState, entries, end && all === 1);
    if (segment === null) return false;
    await segments.put(deployment, segment).then(works, fails);
    const { last } = segment.state;
    const values = [
      epoch,
      closed,
      last,
      segment.bodyBytes,
      JSON.stringify(segment.state),
      segment.state.ended ? 1 : 0,
    ];
    return (
      (await connection.run((redis) => logScripts.markClosed(redis, [stream, state], values))) === 1 &&
      !segment.state.ended
    );
  }

  async function closeLocked(deployment: string): Promise<void> {
    const { state, lock } = keysOf(deployment);
    const token = randomUUID();
    const held = await connection.run((redis) => redis.set(lock, token, 'PX', lockMs, 'NX'));
    // Whoever holds it looks, before giving it back, whether something has become due.
    if (held !== 'OK') return;
    const release = (done: 0 | 1) =>
      connection.run((redis) =>
        logScripts.release(redis, [state, lock, unclosedKey], [token, deployment, done]),
      );
    try {
      for (let round = 0; round < maxRounds; round++) {
        while (await closePart(deployment));
        if ((await release(1)) === 1) return;
      }
      await release(0);
    } catch (error) {
      // Redis is away, which is said elsewhere, or the artifact store; what is due stays noted.
      if (error instanceof ReplyError) report(`the log of ${deployment} could not be closed`, error);
      await release(0).catch(() => {});
    }
  }

  const works = () => {
    if (failedAt !== null) report('closed parts of logs can be stored again');
    failedAt = null;
  };
  const fails = (error: unknown): never => {
    if (failedAt === null)
      report('closed parts of logs cannot be stored; they stay in Redis until then', error);
    failedAt = performance.now();
    throw error;
  };

  function close(deployment: string): Promise<void> {
    const running = underway.get(deployment);
    if (running) return running.done;
    const done = closeLocked(deployment)
      .catch(() => {})
      .finally(() => underway.delete(deployment));
    underway.set(deployment, { done, since: performance.now() });
    return done;
  }

  async function sweep(): Promise<void> {
    const due = await connection.run((redis) => redis.srandmember(unclosedKey, sweptAtOnce));
    for (const deployment of due) {
      if (connection.closed) return;
      await close(deployment);
      if (failedAt !== null) return;
    }
  }
  let sweeping: Promise<void> | null = null;
  const timer = setInterval(() => {
    sweeping ??= sweep()
      .catch(() => {})
      .finally(() => {
        sweeping = null;
      });
  }, sweepMs);
  timer.unref();

  const resting = () => failedAt !== null && performance.now() - failedAt < sweepMs;

  return {
    close: async (deployment) => {
      if (!resting()) await close(deployment);
    },
    async keepUp(deployment) {
      const running = underway.get(deployment);
      if (running === undefined) return;
      const left = keepUpMs - (performance.now() - running.since);
      if (left > 0) await within(left, running.done).catch(() => {});
    },
    waitingFor: () => (failedAt === null ? null : 'the artifact store, to store closed parts of logs'),
    async stop() {
      clearInterval(timer);
      await Promise.all([sweeping, ...[...underway.values()].map(({ done }) => done)]);
    },
  };
}

/** The segment that `entries` make behind `before`; null when there is nothing to store. */
export function planSegment(before: LogState, entries: readonly Entry[], withEnd: boolean) {
  const state: LogState = { ...before, batches: { ...before.batches }, ended: withEnd };
  let lines = '';
  let bodyBytes = 0;
  for (const [, values] of entries) {
    if (values[0] !== 'f') continue;
    const [, first, , attempt, , batch, , bodies] = values as string[] & { length: 8 };
    const piece = numberBodies(Number(first), bodies as string);
    const bytes = Buffer.byteLength(bodies as string);
    lines += piece.text;
    bodyBytes += bytes;
    state.last = piece.last;
    if (attempt === '0') state.full ||= batch === '1';
    else {
      state.batches[attempt as string] = Number(batch);
      state.counted += bytes;
    }
  }
  if (lines === '' && !withEnd) return null;
  return { first: before.last + 1, state, lines, bodyBytes };
}
