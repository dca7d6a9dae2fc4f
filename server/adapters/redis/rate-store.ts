/** Counts requests in Redis, for all replicas together (rate-limit-redis), through outages of it. */
import type { ClientRateLimitInfo, Options, Store } from 'express-rate-limit';
import { RedisStore } from 'rate-limit-redis';
import { openRedis, type RedisConnectionOptions } from './connection.ts';

export type RateStores = { store(prefix: string): Store; close(): Promise<void> };

/** Opens a connection for counting. That Redis is away is said by the log store: here nobody waits for it. */
export function openRateStores(redis: RedisConnectionOptions['redis']): RateStores {
  const connection = openRedis({ redis, report: () => {}, lost: () => {}, answerMs: 1_000 });
  return {
    close: () => connection.close(),
    store(prefix) {
      const inner = new RedisStore({
        prefix: `sphere:rate:${prefix}:`,
        sendCommand: (command: string, ...args: string[]) =>
          connection.run((client) => client.call(command, ...args)) as Promise<never>,
      });
      let options: Options;
      // Its scripts are loaded once; after a first failure it would go on failing with that.
      const start = () => inner.init(options).catch(() => {});
      return {
        init(given) {
          options = given;
          void start();
        },
        async increment(key): Promise<ClientRateLimitInfo> {
          try {
            return await inner.increment(key);
          } catch {
            // While it cannot be counted, nobody is kept waiting.
            void start();
            return { totalHits: 1, resetTime: undefined };
          }
        },
        decrement: (key) => inner.decrement(key).catch(() => {}),
        resetKey: (key) => inner.resetKey(key),
      };
    },
  };
}
