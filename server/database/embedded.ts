/** The embedded plane's database: PGlite in the data directory, begun from a copy that was prepared at build time. */
import { cp, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { PGlite } from '@electric-sql/pglite';
import { x as extract } from 'tar';
import { createDatabase, type Database } from './database.ts';
import { migrate, pendingMigrations } from './migrations.ts';
import { pgliteDialect } from './pglite-dialect.ts';

/** A global of every JavaScript engine that Node's own types leave to the browser's. */
declare const WebAssembly: { compile(bytes: Uint8Array): Promise<object> };

export type EmbeddedDatabaseOptions = {
  /** Where the database lives. */
  directory: string;
  /** Where a copy goes before a migration. */
  backups: string;
  /** PGlite's own files, and the prepared directory: `dist/pglite`. */
  assets: string;
};

/**
 * Opens the database, made and migrated if need be. PGlite has no lock between processes: the caller holds the data
 * directory's. A first start unpacks the prepared directory, because initdb takes 3 to 7 s.
 */
export async function openEmbeddedDatabase(options: EmbeddedDatabaseOptions): Promise<Database> {
  const fresh = !(await exists(join(options.directory, 'PG_VERSION')));
  const [program] = await Promise.all([readProgram(options.assets), fresh ? unpackPrepared(options) : null]);
  let database = await open(options, program);
  const pending = await pendingMigrations(database.query);
  if (pending.length === 0) return database;
  if (!fresh) {
    // A copy of files that are in use would be worth nothing.
    await database.close();
    await backUp(options);
    database = await open(options, program);
  }
  await migrate(database.query);
  return database;
}

type Program = { wasm: object; bundle: Blob };

async function readProgram(assets: string): Promise<Program> {
  // V8 optimises what has run 1.8 MB of WebAssembly code, which PostgreSQL's start does all over: optimising later, only
  // what stays busy, halves the time until the database is open (1.0 to 0.5 s) and takes a quarter off its memory.
  setFlagsFromString('--wasm-tiering-budget=1000000000');
  const [wasm, bundle] = await Promise.all([
    readFile(join(assets, 'pglite.wasm')).then((bytes) => WebAssembly.compile(bytes)),
    readFile(join(assets, 'pglite.data')),
  ]);
  return { wasm, bundle: new Blob([bundle]) };
}

async function open({ directory }: EmbeddedDatabaseOptions, { wasm, bundle }: Program): Promise<Database> {
  const client = await PGlite.create({ dataDir: directory, pgliteWasmModule: wasm, fsBundle: bundle });
  return createDatabase((guard) => pgliteDialect(client, guard));
}

/** Unpacks beside and renames, so that an interruption leaves no half database. */
async function unpackPrepared({ directory, assets }: EmbeddedDatabaseOptions): Promise<void> {
  const draft = `${directory}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true, mode: 0o700 });
  // Synchronous: 300 small files cost tar twice the processor time otherwise, and nobody waits for anything else yet.
  extract({ file: join(assets, 'prepared.tar.gz'), cwd: draft, sync: true });
  await rm(directory, { recursive: true, force: true });
  await rename(draft, directory);
}

async function backUp({ directory, backups }: EmbeddedDatabaseOptions): Promise<void> {
  const name = `database-${new Date().toISOString().replaceAll(':', '-')}`;
  await mkdir(backups, { recursive: true, mode: 0o700 });
  await cp(directory, join(backups, `${name}.draft`), { recursive: true });
  await rename(join(backups, `${name}.draft`), join(backups, name));
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
