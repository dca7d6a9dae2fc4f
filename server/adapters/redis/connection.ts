/**
 * The plane's connection to Redis: fails fast or waits, says once that Redis is away and once that it is back.
 *
 * ioredis keeps commands for later and sends unanswered ones again by itself; both are switched off, because only the
 * caller knows whether it may wait, and every command of ours may be repeated.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { SphereError } from '../../../contract/errors.ts';

export type RedisConnection = {
  /** Runs `work`; throws `INFRASTRUCTURE` at once when Redis is away, or when it does not answer. */
  run<T>(work: (redis: Redis) => Promise<T>): Promise<T>;
  /** Runs `work` again and again while it fails with `INFRASTRUCTURE`: for two minutes at most. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  /** Another connection, for commands that block. */
  blocking(): Redis;
  /** What this process waits for, as a person would say it; null while Redis answers. */
  waitingFor(): string | null;
  readonly closed: boolean;
  close(): Promise<void>;
};

export type RedisConnectionOptions = {
  /** `redis://` or `rediss://` URL, or what ioredis takes. */
  redis: string | RedisOptions;
  report(message: string, error?: unknown): void;
  /** The connection was lost: what Redis knew it may no longer know. */
  lost(): void;
  /** How long `patiently` waits. */
  patienceMs?: number;
  /** After how long without an answer a command has failed. */
  answerMs?: number;
};

const connectMs = 5_000;
const retryMs = 200;
/** A connected Redis that refuses commands is said so often. */
const sayAgainMs = 60_000;
/** A blocking command is answered within this time, or the connection is dead. */
const blockingSilenceMs = 20_000;
/** Replies that mean that this Redis cannot do it now: a replica before its promotion, a start, a full memory. */
const passingReplies =
  /^(READONLY|LOADING|MASTERDOWN|OOM|BUSY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|UNBLOCKED)\b/;
const refusals = /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR Client sent AUTH)/;

export function openRedis(options: RedisConnectionOptions): RedisConnection {
  const { patienceMs = 120_000, answerMs = 5_000 } = options;
  let closed = false;
  let away: string | null = null;
  let refused: string | null = null;
  let saidAt = Number.NEGATIVE_INFINITY;
  const closing = new AbortController();

  const settings = {
    // The shapes of replies differ between protocols.
    protocol: 2,
    replyMapping: 'legacy',
    connectTimeout: connectMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Otherwise a command that was underway when the connection broke is never settled (ioredis 6.0).
    maxRetriesPerRequest: 0,
    // A refused login would be repeated for ever otherwise.
    retryStrategy: (times: number) =>
      refused === null ? Math.min(50 * 2 ** Math.min(times, 6), 2_000) : null,
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } as const;
  const open = (more: Pick<RedisOptions, 'commandTimeout' | 'socketTimeout'>) => {
    const redis =
      typeof options.redis === 'string'
        ? new Redis(options.redis, { ...settings, ...more })
        : new Redis({ ...options.redis, ...settings, ...more });
    redis.on('error', (error: Error) => {
      if (refusals.test(error.message)) refused = error.message;
    });
    return redis;
  };
  const redis = open({ commandTimeout: answerMs });
  const place = `Redis at ${redis.options.host}:${redis.options.port}`;

  const isAway = () => {
    if (away !== null || closed) return;
    away = place;
    options.report(refused === null ? `waiting for ${place}` : `${place} refuses the login: ${refused}`);
  };
  const isBack = () => {
    if (away === null || closed) return;
    away = null;
    options.report(`${place} is back`);
  };
  const refuses = (message: string) => {
    if (performance.now() - saidAt < sayAgainMs) return;
    saidAt = performance.now();
    options.report(`${place} does not do what it is asked: ${message}`);
  };
  redis.on('close', () => {
    if (closed) return;
    options.lost();
    isAway();
  });
  redis.on('ready', isBack);

  const failure = (cause?: unknown) => {
    if (refused !== null) {
      return new SphereError('CONFIGURATION_INVALID', `${place} refuses the login: ${refused}`, {
        hint: 'Correct REDIS_URL and start the plane again.',
      });
    }
    const seen = cause instanceof Error ? `: ${cause.message}` : '';
    return new SphereError('INFRASTRUCTURE', `the plane waits for ${place}${seen}`, { cause });
  };

  /** The first connection is given the time to be made. */
  const first = new Promise<void>((resolve) => {
    redis.once('ready', resolve);
    redis.once('close', resolve);
  });

  const run = async <T>(work: (redis: Redis) => Promise<T>): Promise<T> => {
    if (away === null) await first;
    if (redis.status !== 'ready') throw failure();
    try {
      return await work(redis);
    } catch (error) {
      const { name, message } = error as Error;
      if (name === 'ReplyError') {
        if (refusals.test(message)) refused = message;
        else if (!passingReplies.test(message)) throw error;
        else refuses(message);
      } else if (redis.status === 'ready') {
        // Connected, and without an answer: made anew, so that the next caller need not wait as long. A Redis that is
        // stopped does not take part in a farewell.
        redis.disconnect(true);
        redis.stream.destroy();
        isAway();
      }
      throw failure(error);
    }
  };

  return {
    run,
    async patiently(work) {
      const until = performance.now() + patienceMs;
      for (;;) {
        try {
          return await work();
        } catch (error) {
          const passing = error instanceof SphereError && error.code === 'INFRASTRUCTURE';
          if (!passing || closed || performance.now() > until) throw error;
          await delay(retryMs, undefined, { signal: closing.signal }).catch(() => {});
        }
      }
    },
    blocking: () => open({ socketTimeout: blockingSilenceMs }),
    waitingFor: () => (refused === null ? away : `${place}, which refuses the login`),
    get closed() {
      return closed;
    },
    async close() {
      closed = true;
      closing.abort();
      redis.disconnect();
      redis.stream?.destroy();
    },
  };
}
