/**
 * Everything that is appended to the logs that are followed on this replica, over one connection: a single blocking
 * `XREAD` over all of them, whatever the number of followers.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisConnection } from './connection.ts';
import { numberBodies, type Piece } from './log-pieces.ts';
import { type Entry, keysOf } from './log-scripts.ts';
import { createTail, endTail, forgetTail, growTail, skipTail, startTail, type Tail } from './log-tail.ts';

export type LogReader = {
  watch(deployment: string, changed: () => void): () => void;
  tailOf(deployment: string): Tail | undefined;
  /** What this replica has appended itself; it need not come back from Redis first. */
  appended(deployment: string, piece: Piece): void;
  /** The log has ended with line `last`. */
  ended(deployment: string, last: number): void;
  forget(deployment: string): void;
  close(): Promise<void>;
};

type Watched = {
  tail: Tail;
  /** The id behind which the stream is read; null before the state has been looked at. */
  cursor: string | null;
  watchers: Set<() => void>;
};

const blockMs = 5_000;
/** For how long arrivals gather: each `XREAD` names every log that is followed. */
const gatherMs = 5;
/** Where a log stands is looked at anew: a stream that was lost and built up again has lower ids than the last one read. */
const lookAgainMs = 10_000;
const retryMs = 250;
/** Of one stream at a time; an entry has up to 1 MB. */
const entriesAtOnce = 8;

export function createLogReader(connection: RedisConnection): LogReader {
  const logs = new Map<string, Watched>();
  let redis: Redis | null = null;
  let clientId: number | null = null;
  /** Raised with every change of the set that is watched. */
  let generation = 0;
  /** The generation that the `XREAD` underway covers; null when none is. */
  let reading: number | null = null;
  let interrupting = false;
  let lookedAt = 0;
  let loop: Promise<void> | null = null;

  const wake = (log: Watched) => {
    for (const watcher of log.watchers) watcher();
  };

  /** Ends an `XREAD` that does not cover all. It may be on its way to Redis still, hence again until it has ended. */
  async function interrupt(): Promise<void> {
    if (interrupting) return;
    interrupting = true;
    while (reading !== null && reading !== generation && !connection.closed) {
      await connection.run((commands) => commands.client('UNBLOCK', clientId ?? 0)).catch(() => {});
      await delay(gatherMs);
    }
    interrupting = false;
  }

  /** Looks where logs stand, and from where on each is to be read. */
  async function lookAt(reader: Redis, found: readonly [string, Watched][]): Promise<void> {
    const pipeline = reader.pipeline();
    for (const [deployment] of found) pipeline.hmget(keysOf(deployment).state, 'last', 'ended');
    const asked = found.map(([, { tail }]) => tail.last);
    const answers = (await pipeline.exec()) ?? [];
    for (const [index, [, log]] of found.entries()) {
      const [error, state] = answers[index] as [Error | null, [string | null, string | null]];
      if (error) throw error;
      const last = Number(state[0] ?? 0);
      // Behind what has been seen, when Redis has lost lines: they come again, with the same numbers.
      const known = log.tail.from === null ? last : Math.min(log.tail.last, last);
      log.cursor = `${known}-0`;
      if (state[0] === null) {
        // It began after the look.
        if (log.tail.last !== asked[index]) continue;
        // Ended long ago, or lost: whoever follows looks in the closed segments.
        const knew = log.tail.from !== null;
        forgetTail(log.tail);
        if (knew) wake(log);
        continue;
      }
      const missed = startTail(log.tail, last);
      const ended = state[1] === '1' && endTail(log.tail, last);
      if (missed || ended) wake(log);
    }
  }

  function take(stream: string, entries: readonly Entry[]): void {
    const deployment = stream.slice(stream.indexOf('{') + 1, stream.lastIndexOf('}'));
    const log = logs.get(deployment);
    if (log === undefined) return;
    let news = false;
    for (const [id, values] of entries) {
      const last = Number.parseInt(id, 10);
      log.cursor = id;
      if (values[0] === 'f') {
        if (log.tail.from !== null && last <= log.tail.last) continue;
        news = growTail(log.tail, numberBodies(Number(values[1]), values[7] as string)) || news;
      } else {
        news = skipTail(log.tail, last) || news;
        if (values[0] === 'e') news = endTail(log.tail, last) || news;
      }
    }
    if (news) wake(log);
  }

  async function round(reader: Redis): Promise<void> {
    if (reader.status !== 'ready') return waitFor(reader);
    clientId ??= await reader.client('ID');
    const all = performance.now() - lookedAt > lookAgainMs;
    if (all) lookedAt = performance.now();
    const unknown = [...logs].filter(([, log]) => all || log.cursor === null);
    if (unknown.length > 0) await lookAt(reader, unknown);
    const cursors = [...logs.values()].map(({ cursor }) => cursor);
    // Watched since then.
    if (cursors.length === 0 || cursors.includes(null)) return;
    const keys = [...logs.keys()].map((deployment) => keysOf(deployment).stream);
    reading = generation;
    try {
      const reply = await reader.xread(
        'COUNT',
        entriesAtOnce,
        'BLOCK',
        blockMs,
        'STREAMS',
        ...keys,
        ...(cursors as string[]),
      );
      for (const [stream, entries] of (reply ?? []) as [string, Entry[]][]) take(stream, entries);
    } finally {
      reading = null;
    }
    await delay(gatherMs);
  }

  /** Waits until `reader` is connected, or for a while. */
  async function waitFor(reader: Redis): Promise<void> {
    lookedAt = 0;
    const waited = new AbortController();
    const stop = () => waited.abort();
    reader.once('ready', stop);
    await delay(retryMs, undefined, { signal: waited.signal }).catch(() => {});
    reader.off('ready', stop);
  }

  async function run(): Promise<void> {
    redis ??= openBlocking();
    while (logs.size > 0 && !connection.closed) {
      try {
        await round(redis);
      } catch {
        // That Redis is away is said by the other connection.
        lookedAt = 0;
        await delay(retryMs);
      }
    }
  }

  function openBlocking(): Redis {
    const opened = connection.blocking();
    opened.on('close', () => {
      clientId = null;
    });
    return opened;
  }

  const start = () => {
    loop ??= run().finally(() => {
      loop = null;
      if (logs.size > 0 && !connection.closed) start();
    });
  };

  return {
    watch(deployment, changed) {
      let log = logs.get(deployment);
      if (log === undefined) {
        log = { tail: createTail(), cursor: null, watchers: new Set() };
        logs.set(deployment, log);
        generation++;
        void interrupt();
      }
      const watched = log.watchers.add(changed);
      start();
      return () => {
        watched.delete(changed);
        if (watched.size > 0 || logs.get(deployment)?.watchers !== watched) return;
        logs.delete(deployment);
      };
    },
    tailOf: (deployment) => logs.get(deployment)?.tail,
    appended(deployment, piece) {
      const log = logs.get(deployment);
      if (log === undefined) return;
      // What another replica appended in between is on its way; this comes behind it, from Redis.
      const { from, last } = log.tail;
      if (from !== null && piece.first > last + 1) return;
      if (growTail(log.tail, piece)) wake(log);
    },
    ended(deployment, last) {
      const log = logs.get(deployment);
      if (log && endTail(log.tail, last)) wake(log);
    },
    forget: (deployment) => void logs.delete(deployment),
    async close() {
      redis?.disconnect();
      redis?.stream?.destroy();
      await loop;
    },
  };
}
