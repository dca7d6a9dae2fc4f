/**
 * Puts PGlite's runtime files into dist/, with a prepared data directory beside them: PGlite's initdb takes seconds
 * and 800 MB of memory, unpacking takes a moment.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PGlite } from '@electric-sql/pglite';
import * as tar from 'tar';
import { createDatabase } from '../../server/database/database.ts';
import { migrate } from '../../server/database/migrations.ts';
import { pgliteDialect } from '../../server/database/pglite-dialect.ts';

const pgliteRoot = dirname(
  createRequire(join(process.cwd(), 'package.json')).resolve('@electric-sql/pglite'),
);

/**
 * Kept in the directory's `postgresql.auto.conf`. PGlite is one process with one connection: PostgreSQL's defaults
 * cost it 130 MB of memory and 80 MB of write-ahead log for nothing.
 */
const settings = {
  shared_buffers: '8MB',
  max_connections: '4',
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_replication_slots: '0',
  wal_buffers: '256kB',
  min_wal_size: '2MB',
  max_wal_size: '32MB',
};

/** Fills `directory` with `pglite.wasm`, `pglite.data` and `prepared.tar.gz`. */
export async function preparePglite(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (const name of ['pglite.wasm', 'pglite.data'])
    copyFileSync(join(pgliteRoot, name), join(directory, name));
  copyFileSync(await preparedArchive(), join(directory, 'prepared.tar.gz'));
}

/** The packed data directory; made once per version of PGlite, of the migrations and of this file. */
async function preparedArchive(): Promise<string> {
  const key = createHash('sha256')
    .update(readFileSync(join(pgliteRoot, 'pglite.wasm')))
    .update(readFileSync(join('scripts', 'build', 'pglite.ts')))
    .update(readFileSync(join('server', 'database', 'migrations.ts')))
    .digest('hex')
    .slice(0, 16);
  const cache = join('node_modules', '.cache', 'sphere');
  const archive = join(cache, `pglite-prepared-${key}.tar.gz`);
  if (existsSync(archive)) return archive;

  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), 'sphere-pglite-'));
  try {
    await makeDataDirectory(work);
    // Written beside and renamed by copy: an interrupted build must not leave half an archive under the final name.
    const packed = `${work}.tar.gz`;
    await tar.create({ cwd: work, file: packed, gzip: { level: 9 }, portable: true, mtime: new Date(0) }, [
      ...readdirSync(work).sort(),
    ]);
    copyFileSync(packed, archive);
    rmSync(packed);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return archive;
}

async function makeDataDirectory(directory: string): Promise<void> {
  const { PGlite } = await import('@electric-sql/pglite');
  // In memory first: initdb on files is slower still.
  const memory = await PGlite.create({ initDbStartParams: ['--wal-segsize=1', '--no-sync'] });
  await shape(memory);
  const image = await memory.dumpDataDir('none');
  await pipeline(Readable.fromWeb(image.stream() as never), tar.extract({ cwd: directory }));
  await memory.close();

  // Opened from files, under its settings, and closed: the first start of a plane then has nothing to recover.
  const files = await PGlite.create({ dataDir: directory });
  await files.exec('SELECT pg_switch_wal(); CHECKPOINT;');
  const { rows } = await files.query<{ name: string }>(
    'SELECT pg_walfile_name(pg_current_wal_lsn()) AS name',
  );
  await files.close();
  dropSpareSegments(join(directory, 'pg_wal'), rows[0]?.name);
}

/** Drops the template databases, two thirds of the directory: nobody creates databases here. */
async function shape(database: PGlite): Promise<void> {
  await database.exec('UPDATE pg_database SET datistemplate = false');
  await database.exec('DROP DATABASE template0');
  await database.exec('DROP DATABASE template1');
  for (const [name, value] of Object.entries(settings)) {
    await database.exec(`ALTER SYSTEM SET ${name} = '${value}'`);
  }
  // With today's tables in it: migrating costs a first start a second.
  await migrate(createDatabase((guard) => pgliteDialect(database, guard)).query);
  await database.exec('VACUUM FULL');
  await database.exec('CHECKPOINT');
}

/** After a clean shutdown only the segment with its checkpoint is read; the rest is preallocated or past. */
function dropSpareSegments(directory: string, current: string | undefined): void {
  if (current === undefined) throw new Error('PGlite did not name its write-ahead log segment');
  for (const name of readdirSync(directory)) {
    if (/^[0-9A-F]{24}$/.test(name) && name !== current) rmSync(join(directory, name));
  }
}
