/** Replicas' log stores on one real Redis and one artifact store, builders that ship to them, and followers. */
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { createShipper } from '../../builder/log/shipper.ts';
import type { LogRequest } from '../../contract/builder-api.ts';
import { SphereError } from '../../contract/errors.ts';
import { decodeLines, type LogLine, type NewLine } from '../../contract/logs.ts';
import {
  createRedisLogStore,
  type RedisLogStore,
  type RedisLogStoreOptions,
} from '../../server/adapters/redis/redis-log-store.ts';
import { followLog } from '../../server/follow.ts';
import type { LogStore } from '../../server/ports.ts';
import { openArtifacts } from '../peers/artifacts.ts';
import { startRedis } from '../peers/redis.ts';

export const deployment = 'dpl_1';

export const lines = (...texts: string[]): NewLine[] => texts.map((text) => [1, 'build', 'stdout', text]);
export const textsUpTo = (count: number, from = 1) =>
  Array.from({ length: count - from + 1 }, (_, n) => `line ${from + n} ${'x'.repeat(60)}`);

/** A plane's Redis and artifact store; `replica` opens one more store on them. */
export async function openPlane(options: Partial<RedisLogStoreOptions> = {}) {
  const redis = await startRedis();
  const artifacts = await openArtifacts();
  const stores: RedisLogStore[] = [];
  onTestFinished(async () => {
    artifacts.beforePut = async () => {};
    for (const store of stores) await store.close();
    await redis.stop();
    await artifacts.clear();
  });
  return {
    redis,
    artifacts,
    replica(more: Partial<RedisLogStoreOptions> = {}) {
      const said: string[] = [];
      const store = createRedisLogStore({
        redis: redis.url,
        artifacts,
        maxBytes: 200_000_000,
        segmentBytes: 10_000,
        answerMs: 500,
        sweepMs: 100,
        lockMs: 2_000,
        report: (message) => said.push(message),
        ...options,
        ...more,
      });
      stores.push(store);
      return { ...store, said };
    },
  };
}

/** The builder of an attempt, which sends each batch to one of `replicas` and repeats it while there is an outage. */
export function startBuilder(replicas: readonly LogStore[], attempt = 1) {
  let requests = 0;
  const asked: number[] = [];
  const shipper = createShipper({
    async send(body) {
      const { batch, lines } = JSON.parse(body) as LogRequest;
      for (;;) {
        const replica = replicas[requests++ % replicas.length] as LogStore;
        try {
          const answer = await replica.append(deployment, { attempt, batch }, lines);
          if (answer.again !== undefined) asked.push(answer.again);
          return answer;
        } catch (error) {
          if (!(error instanceof SphereError) || error.code !== 'INFRASTRUCTURE') throw error;
          await delay(20);
        }
      }
    },
    unblocked: () => {},
    failed: (error) => {
      throw error;
    },
  });
  return {
    /** The batches that were asked for again. */
    asked,
    /** Ships `texts` in batches of ten lines. */
    async ship(texts: readonly string[]) {
      for (let at = 0; at < texts.length; at += 10) {
        shipper.push(texts.slice(at, at + 10), 'build', 'stdout');
        await shipper.flush();
      }
    },
  };
}

/** Follows the log from `after` on until its end. */
export function startFollower(store: LogStore, after = 0) {
  const seen: LogLine[] = [];
  const waiting = new Set<() => void>();
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const ended = (async () => {
    const log = followLog(store, deployment, after, { maxBatchBytes: 5_000, stop: stop.signal });
    for await (const batch of log) {
      seen.push(...decodeLines(batch.lines));
      for (const look of waiting) look();
    }
    return seen;
  })();
  return {
    seen,
    ended,
    /** Resolves when line `seq` is there. */
    until: (seq: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if ((seen.at(-1)?.seq ?? 0) >= seq) resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** The whole log as any reader gets it. */
export async function readAll(store: LogStore, of = deployment) {
  const seen: LogLine[] = [];
  for (;;) {
    const { batch, ended, last } = await store.read(of, seen.at(-1)?.seq ?? 0, 5_000);
    if (!batch) return { seen, texts: seen.map(({ text }) => text), ended, last };
    seen.push(...decodeLines(batch.lines));
  }
}

/** The first thing that is wrong with `seen`, which should be `texts`, numbered on from `after`; null when all is right. */
export function flaw(seen: readonly LogLine[], texts: readonly string[], after = 0): string | null {
  for (let n = 0; n < Math.max(seen.length, texts.length - after); n++) {
    const line = seen[n];
    const wanted = `${after + n + 1} ${texts[after + n]}`;
    if (line === undefined) return `${wanted} is missing, and all behind it`;
    if (`${line.seq} ${line.text}` !== wanted) return `${line.seq} ${line.text} instead of ${wanted}`;
  }
  return null;
}

/** Whether the numbers of `seen` are 1, 2, 3 … */
export const isUnbroken = (seen: readonly LogLine[]) => seen.every(({ seq }, n) => seq === n + 1);
