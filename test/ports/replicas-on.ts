/** What the suites of the records run on: replicas on a database that is emptied before each start. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { Database } from '../../server/database/database.ts';
import { type Replicas, type ReplicasOptions, startReplicas } from '../server/replicas.ts';

export type OpenDatabase = { database: Database; close(): Promise<void> };

/** For a suite: opens the database once; replicas end with the test that has started them. */
export function replicasOn(open: () => Promise<OpenDatabase>) {
  let opened: OpenDatabase;
  let replicas: Replicas | undefined;
  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterEach(async () => {
    await replicas?.stop();
    replicas = undefined;
  });
  afterAll(() => opened.close());
  return {
    query: () => opened.database.query,
    /** Those that run. */
    replicas: () => replicas as Replicas,
    /** Starts them, and makes an account with a token. */
    async start(options: ReplicasOptions = {}): Promise<{ replicas: Replicas; token: string }> {
      await empty(opened.database);
      replicas = await startReplicas(opened.database, options);
      return { replicas, token: await replicas.account('team') };
    },
  };
}

/** Removes every row. */
async function empty(database: Database): Promise<void> {
  await database.query.updateTable('targets').set({ live_publication_id: null }).execute();
  for (const table of [
    'publications',
    'idempotency_keys',
    'deployments',
    'targets',
    'projects',
    'tokens',
    'accounts',
    'duties',
  ] as const) {
    await database.query.deleteFrom(table).execute();
  }
}
