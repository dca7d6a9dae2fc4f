/** The database of an embedded plane, opened by a test: one of its own, or that of a plane that stands still. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../files/package-root.ts';
import { dataPaths } from '../../server/data-directory.ts';
import type { Database } from '../../server/database/database.ts';
import { openEmbeddedDatabase } from '../../server/database/embedded.ts';

/** That of the data directory `home`, whose plane must not run. */
export function openDatabaseOf(home: string): Promise<Database> {
  const { database: directory, backups } = dataPaths(home);
  return openEmbeddedDatabase({ directory, backups, assets: join(packageRoot(), 'dist', 'pglite') });
}

/** An empty one, which `close` removes. */
export async function openEmptyDatabase(): Promise<{ database: Database; close(): Promise<void> }> {
  const home = await mkdtemp(join(tmpdir(), 'sphere-database-'));
  const database = await openDatabaseOf(home);
  const close = async () => {
    await database.close();
    await rm(home, { recursive: true, force: true });
  };
  return { database, close };
}
