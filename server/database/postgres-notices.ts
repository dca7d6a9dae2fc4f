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
  async function hear(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      application_name: 'sphere notices',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: aliveAfterMs,
    });
    let stop = () => {};
    const broken = new Promise<Error | undefined>((resolve) => {
      // A client that is ended while it connects never says what became of it.
      stop = () => resolve(undefined);
      ending.signal.addEventListener('abort', stop);
      client.on('error', resolve);
      client.on('end', () => resolve(undefined));
    });
    client.on('notification', ({ payload }) => told(payload ?? ''));
    try {
      const heard = client
        .connect()
        .then(() => client.query(`listen ${client.escapeIdentifier(channel)}`))
        .then(again);
      // What fails here has ended the connection, too.
      heard.catch(() => {});
      await Promise.race([heard, broken]);
      const error = await broken;
      if (!ending.signal.aborted) report(`the connection for notices broke: ${error?.message ?? 'it ended'}`);
    } finally {
      ending.signal.removeEventListener('abort', stop);
      // Not waited for: it may never be answered, and its socket is closed by then.
      void client.end().catch(() => {});
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
    await done;
  };
}
