/** Listens to notices of PostgreSQL (LISTEN/NOTIFY), on a connection of its own that is made again when it breaks. */
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { PostgresOptions } from './postgres.ts';

export type Listener = {
  channel: string;
  /** Called with every notice. */
  told(notice: string): void;
  /** Called when it begins to hear: earlier notices are lost. */
  again(): void;
};

const retryMs = 1_000;
/** A connection that nobody answers on is found broken within this time and the system's own (TCP keep-alive). */
const aliveAfterMs = 10_000;

/** Listens until the returned function is called. Never throws: what cannot be heard is asked for again in time. */
export function listen(
  { url, report }: PostgresOptions,
  { channel, told, again }: Listener,
): () => Promise<void> {
  const ending = new AbortController();
  let current: pg.Client | undefined;

  async function hear(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'sphere notices',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: aliveAfterMs,
    });
    current = client;
    const broken = new Promise<Error | undefined>((resolve) => {
      client.on('error', resolve);
      client.on('end', () => resolve(undefined));
    });
    client.on('notification', ({ payload }) => told(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${client.escapeIdentifier(channel)}`);
      again();
      const error = await broken;
      if (!ending.signal.aborted) report(`the connection for notices broke: ${error?.message ?? 'it ended'}`);
    } finally {
      await client.end().catch(() => {});
    }
  }

  const done = (async () => {
    while (!ending.signal.aborted) {
      await hear().catch(() => {});
      await delay(retryMs, undefined, { signal: ending.signal }).catch(() => {});
    }
  })();
  return async () => {
    ending.abort();
    await current?.end().catch(() => {});
    await done;
  };
}
