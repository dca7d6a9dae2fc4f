/**
 * The log store of a hosted plane: the newest part of each log in Redis, where any replica appends and reads, older
 * parts as segments in the artifact store.
 *
 * What is not in a segment yet can be lost with Redis. A builder keeps such batches (`kept`) and sends them again when it
 * is asked to (`again`); the plane's own lines are in no builder's hands, so that they are closed at once. Which state is
 * the right one is looked up in the artifact store by each replica once per log and connection to Redis, and whenever a
 * batch does not follow: a Redis that was restarted, or failed over to a replica that lacked the last writes, is behind.
 */
import { randomUUID } from 'node:crypto';
import type { RedisOptions } from 'ioredis';
import type { LogAnswer } from '../../../contract/builder-api.ts';
import { SphereError } from '../../../contract/errors.ts';
import type { LogBatch, NewLine } from '../../../contract/logs.ts';
import type { ArtifactStore, LogStore } from '../../ports.ts';
import { within } from '../../within.ts';
import { fullLine } from '../full-log.ts';
import { openRedis } from './connection.ts';
import { createLogClosing } from './log-closing.ts';
import { batchFrom, encodeBodies, numberBodies } from './log-pieces.ts';
import { createLogReader } from './log-reader.ts';
import { emptyState, keysOf, type LogState, logScripts, unclosedKey } from './log-scripts.ts';
import { createLogSegments, createRecent } from './log-segments.ts';
import { readTail } from './log-tail.ts';

export type RedisLogStoreOptions = {
  /** `redis://` or `rediss://` URL, or what ioredis takes. Not a cluster; `maxmemory-policy` must be `noeviction`. */
  redis: string | RedisOptions;
  artifacts: ArtifactStore;
  /** Bounds one deployment's stored log. */
  maxBytes: number;
  /** An open part of this size is closed. */
  segmentBytes?: number;
  report(message: string, error?: unknown): void;
  /** For how long calls other than `append` wait for Redis. */
  patienceMs?: number;
  /** After this long without an answer from Redis, a call has failed. */
  answerMs?: number;
  /** After this long, a replica that closes a part is taken for dead. */
  lockMs?: number;
  /** How often a replica looks for what others have left undone. */
  sweepMs?: number;
};

export type RedisLogStore = LogStore & {
  /** What this process waits for, as a person would say it; null when nothing is away. */
  waitingFor(): string | null;
};

/** For how long an append, or the end, waits for the artifact store. */
const artifactsMs = 10_000;
/** Full batches from Redis that were read last: many followers that begin at the same place read the same. */
const maxBatches = 64;
const maxVerified = 20_000;
const maxEnded = 2_000;

type Answer = Awaited<ReturnType<LogStore['read']>>;

export function createRedisLogStore(options: RedisLogStoreOptions): RedisLogStore {
  const { artifacts, maxBytes, segmentBytes = 4 * 1024 * 1024 } = options;
  /** Logs of which Redis is known to be up to date with the artifact store. */
  const verified = createRecent<true>(maxVerified);
  /** Logs that have ended and are closed: they never change. */
  const ended = createRecent<number>(maxEnded);
  const connection = openRedis({ ...options, lost: () => verified.clear() });
  const segments = createLogSegments(artifacts);
  const closing = createLogClosing({ ...options, connection, segments, segmentBytes });
  const reader = createLogReader(connection);
  const batches = createRecent<LogBatch>(maxBatches);
  const reads = new Map<string, Promise<Answer>>();

  let artifactsFailedAt = Number.NEGATIVE_INFINITY;
  const resting = () => performance.now() - artifactsFailedAt < artifactsMs;

  async function newest(deployment: string): Promise<LogState> {
    const state = await within(artifactsMs, segments.newest(deployment)).catch((cause: unknown) => {
      artifactsFailedAt = performance.now();
      throw new SphereError('INFRASTRUCTURE', 'the plane waits for the artifact store', { cause });
    });
    if (state.ended) ended.set(deployment, state.last);
    return state;
  }

  /**
   * Runs a script that takes the newest closed state, when it needs it. `begins`: the log cannot have been there before,
   * so that it may begin while the artifact store is away.
   */
  async function upToDate<Reply extends [kind: string, ...rest: unknown[]]>(
    deployment: string,
    begins: boolean,
    work: (closedState: string) => Promise<Reply>,
  ): Promise<Reply> {
    const known = verified.get(deployment) !== undefined;
    const state = known || resting() ? null : await newest(deployment).catch(() => null);
    let reply = await work(state === null ? '' : JSON.stringify(state));
    if (state !== null) verified.set(deployment, true);
    else if (reply[0] === 'missing' || reply[0] === 'gap') {
      const found = await newest(deployment).catch((error: unknown) => {
        if (begins && reply[0] === 'missing') return emptyState;
        throw error;
      });
      reply = await work(JSON.stringify(found));
    }
    return reply;
  }

  async function append(
    deployment: string,
    { attempt, batch }: { attempt: number; batch: number },
    lines: readonly NewLine[],
  ): Promise<LogAnswer> {
    const { stream, state } = keysOf(deployment);
    const bodies = encodeBodies(lines);
    const full = encodeBodies([fullLine(maxBytes)]);
    const begins = attempt === 1 && batch === 1;
    const reply = await upToDate(deployment, begins, (closedState) =>
      connection.run((redis) =>
        logScripts.append(
          redis,
          [stream, state],
          [closedState, randomUUID(), attempt, batch, lines.length, bodies, maxBytes, full],
        ),
      ),
    );
    switch (reply[0]) {
      case 'missing':
        throw new SphereError('INFRASTRUCTURE', 'Redis has just lost the log');
      case 'ended':
        throw new SphereError('ATTEMPT_STALE', 'the log has ended');
      case 'gap':
        // On disk this is a mistake of the builder's. Redis may have lost batches that it had answered.
        return { last: 0, full: false, kept: 0, again: reply[1] + 1 };
      case 'known':
        return { last: reply[1], full: reply[2] === 1, kept: reply[3] };
      case 'full':
        reader.appended(deployment, numberBodies(reply[1], full));
        return { last: reply[1], full: true };
      case 'stored': {
        const [, last, kept, open] = reply;
        if (lines.length > 0) reader.appended(deployment, numberBodies(last - lines.length + 1, bodies));
        if (open >= segmentBytes) {
          void closing.close(deployment);
          if (open >= 2 * segmentBytes) await closing.keepUp(deployment);
        }
        return { last, full: false, kept };
      }
    }
  }

  async function appendOwn(deployment: string, lines: readonly NewLine[]): Promise<void> {
    const { stream, state } = keysOf(deployment);
    const bodies = encodeBodies(lines);
    const token = randomUUID();
    const reply = await connection.patiently(() =>
      upToDate(deployment, false, (closedState) =>
        connection.run((redis) =>
          logScripts.appendOwn(
            redis,
            [stream, state, unclosedKey],
            [closedState, token, lines.length, bodies, deployment],
          ),
        ),
      ),
    );
    if (reply[0] === 'stored' && lines.length > 0) {
      reader.appended(deployment, numberBodies(reply[1] - lines.length + 1, bodies));
    }
    if (reply[0] !== 'ended') await within(artifactsMs, closing.close(deployment)).catch(() => {});
  }

  async function end(deployment: string): Promise<void> {
    if (ended.get(deployment) !== undefined) return;
    const { stream, state } = keysOf(deployment);
    const reply = await connection.patiently(() =>
      upToDate(deployment, false, (closedState) =>
        connection.run((redis) =>
          logScripts.end(redis, [stream, state, unclosedKey], [closedState, randomUUID(), deployment]),
        ),
      ),
    );
    if (reply[0] !== 'missing') reader.ended(deployment, reply[1]);
    if (reply[0] === 'stored') await within(artifactsMs, closing.close(deployment)).catch(() => {});
  }

  /** What is not in the tail: the open part in Redis, or closed ones. */
  async function readKept(deployment: string, after: number, maxBytes: number): Promise<Answer> {
    const key = `${deployment}:${after}:${maxBytes}`;
    const known = batches.get(key);
    if (known) return { batch: known, last: known.last, ended: false };
    const final = ended.get(deployment);
    if (final !== undefined) return readClosed(deployment, after, maxBytes, final, true);
    const { stream, state } = keysOf(deployment);
    const reply = await connection.patiently(() =>
      connection.run((redis) => logScripts.read(redis, [stream, state], [after, maxBytes])),
    );
    if (reply[0] === 'missing') {
      const closed = await newest(deployment);
      return readClosed(deployment, after, maxBytes, closed.last, closed.ended);
    }
    const [kind, last, isEnded] = reply;
    if (kind === 'closed') return readClosed(deployment, after, maxBytes, last, isEnded === 1);
    const pieces = reply[3]
      .filter(([, values]) => values[0] === 'f')
      .map(([, values]) => numberBodies(Number(values[1]), values[7] as string));
    const batch = batchFrom(pieces, after, maxBytes);
    // With lines behind it, a batch is what it will always be.
    if (batch && batch.last < last) batches.set(key, batch);
    return { batch, last, ended: isEnded === 1 && (batch?.last ?? last) === last };
  }

  async function readClosed(
    deployment: string,
    after: number,
    maxBytes: number,
    last: number,
    isEnded: boolean,
  ): Promise<Answer> {
    const batch = after < last ? await segments.read(deployment, after, maxBytes) : null;
    return { batch, last, ended: isEnded && (batch?.last ?? last) >= last };
  }

  /** Readers at the same place share one read. */
  function readOnce(deployment: string, after: number, maxBytes: number): Promise<Answer> {
    const key = `${deployment}:${after}:${maxBytes}`;
    const underway = reads.get(key);
    if (underway) return underway;
    const reading = readKept(deployment, after, maxBytes).finally(() => reads.delete(key));
    reads.set(key, reading);
    return reading;
  }

  async function read(deployment: string, after: number, maxBytes: number): Promise<Answer> {
    const tail = reader.tailOf(deployment);
    const live = tail && readTail(tail, after, maxBytes);
    if (live) return live;
    const kept = await readOnce(deployment, after, maxBytes);
    if (kept.batch || kept.ended || tail === undefined) return kept;
    // Something may have arrived while it was read.
    if (tail.from === null) tail.answered = Math.min(tail.answered ?? kept.last, kept.last);
    return readTail(tail, after, maxBytes) ?? kept;
  }

  return {
    append,
    appendOwn,
    end,
    read,
    watch: reader.watch,
    async remove(deployment) {
      const { stream, state, lock } = keysOf(deployment);
      const open = await connection.patiently(() =>
        connection.run(async (redis) => {
          const bytes = await redis.hget(state, 'open');
          await redis.del(stream, state, lock);
          await redis.srem(unclosedKey, deployment);
          return Number(bytes ?? 0);
        }),
      );
      for (const known of [verified, ended]) known.delete(deployment);
      batches.clear();
      reader.forget(deployment);
      return open + (await segments.remove(deployment));
    },
    waitingFor: () => connection.waitingFor() ?? closing.waitingFor(),
    async close() {
      await within(artifactsMs, closing.stop()).catch(() => {});
      await connection.close();
      await reader.close();
    },
  };
}
