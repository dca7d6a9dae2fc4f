/** `sphere prune`: frees what nothing refers to. Blobs go by mark and sweep from what is kept. */
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PruneAnswer } from '../contract/api.ts';
import type { Manifest } from '../contract/manifest.ts';
import { isEnded } from '../contract/words.ts';
import { removeTree } from '../files/remove-tree.ts';
import { siteStorePaths } from './adapters/disk-site-store.ts';
import { keptDeployments } from './kept-deployments.ts';
import { removeOldLogs } from './old-logs.ts';
import type { Plane } from './plane.ts';

/** Caches that no build has used for this long are freed, in milliseconds. */
const idleCacheMs = 7 * 24 * 3600_000;
/** Directories between a kind of cache and its entries: those of `builder/cache/places.ts` lie in one per project. */
const cacheDepths: Record<string, number> = { modules: 1, frameworks: 1, home: 1, git: 0, tools: 0 };
/** File systems stamp with the time of the last tick of the kernel's clock, a few milliseconds ago. */
const clockTickMs = 100;
/** Logs of deployments that ended this long ago, and were not live lately, are freed. */
const oldLogMs = 30 * 24 * 3600_000;

export type PruneDirectories = { sites: string; builds: string; cache: string; compressed: string };

/** Frees sources, blobs, manifests, logs, build directories and caches that nothing needs, and says how much. */
export async function prune(plane: Plane, directories: PruneDirectories): Promise<PruneAnswer> {
  // Before the query: what is made from now on may belong to a deployment that the query does not see.
  const started = plane.now();
  const rows = await plane.database.query
    .selectFrom('deployments')
    .select(['id', 'deployment_status', 'source', 'finished_at', 'stopped_at', 'runner'])
    .execute();
  const kept = new Set([...(await keptDeployments(plane)).values()].flatMap((set) => [...set]));
  const unfinished = rows.filter((row) => !isEnded(row.deployment_status));
  // What arrives while this runs is referred to by nothing yet: the longest build protects it.
  const before = started - plane.settings.timeLimitMs;
  const paths = siteStorePaths(directories.sites);

  const neededSources = new Set(
    unfinished.flatMap(({ source }) => (source.kind === 'upload' ? [`${source.digest}.tar.gz`] : [])),
  );
  const sources = await sweep(paths.sources, (name) => neededSources.has(name), before);
  let blobs = 0;
  let manifests = 0;
  const neededBlobs = new Set<string>();
  for (const slug of await names(paths.projects)) {
    manifests += await sweep(paths.manifests(slug), (name) => kept.has(name.replace(/\.json$/, '')), before);
    const marked = await markedBlobs(paths.manifests(slug));
    for (const blob of marked) neededBlobs.add(blob);
    for (const part of await names(paths.blobs(slug))) {
      blobs += await sweep(join(paths.blobs(slug), part), (name) => marked.has(name), before);
    }
  }
  let compressed = 0;
  for (const part of await names(directories.compressed)) {
    const needed = (name: string) => neededBlobs.has(name.slice(0, 64)) && !name.endsWith('.tmp');
    compressed += await sweep(join(directories.compressed, part), needed, before);
  }
  const atWork = new Set(
    rows
      .filter((row) => !isEnded(row.deployment_status) || (row.runner && !row.stopped_at))
      .map((row) => row.id),
  );
  const builds = await sweep(
    directories.builds,
    (name) => atWork.has(name.split('-')[0] ?? ''),
    started - clockTickMs,
  );
  const idle = started - idleCacheMs;
  const builtLately = rows.some(({ finished_at }) => finished_at !== null && finished_at.getTime() >= idle);
  const caches = unfinished.length > 0 ? 0 : await sweepCaches(directories.cache, idle, builtLately);
  const logs = await removeOldLogs(plane, { kept, olderThanMs: oldLogMs });

  const parts = [
    { what: 'uploaded sources', freedBytes: sources },
    { what: 'files of old deployments', freedBytes: blobs + manifests },
    { what: 'compressed copies', freedBytes: compressed },
    { what: 'build directories', freedBytes: builds },
    { what: 'caches that no build used for a week', freedBytes: caches },
    { what: 'logs older than 30 days', freedBytes: logs },
  ];
  return { freedBytes: parts.reduce((sum, part) => sum + part.freedBytes, 0), parts };
}

async function markedBlobs(manifests: string): Promise<Set<string>> {
  const marked = new Set<string>();
  for (const name of await names(manifests)) {
    // Beside the manifests lie drafts of those that are being written.
    if (!name.endsWith('.json')) continue;
    const text = await unlessGone(readFile(join(manifests, name), 'utf8'));
    if (text === undefined) continue;
    for (const file of Object.values((JSON.parse(text) as Manifest).files)) marked.add(file.blob);
  }
  return marked;
}

/** Removes what in `directory` is not needed and was last written before `before`. Bytes freed. */
async function sweep(directory: string, needed: (name: string) => boolean, before: number): Promise<number> {
  let freed = 0;
  for (const name of await names(directory)) {
    if (needed(name)) continue;
    const path = join(directory, name);
    const entry = await unlessGone(lstat(path));
    if (entry && entry.mtimeMs < before) freed += await remove(path);
  }
  return freed;
}

/**
 * Removes the entries of the cache in which nothing was written since `before`. Using a tool writes nothing, so tools
 * are as old as the last build.
 */
async function sweepCaches(directory: string, before: number, builtLately: boolean): Promise<number> {
  let freed = 0;
  for (const kind of await names(directory)) {
    if (kind === 'tools' && builtLately) continue;
    const depth = cacheDepths[kind];
    const top = join(directory, kind);
    for (const entry of depth === undefined ? [top] : await entriesBelow(top, depth)) {
      if (await isIdle(entry, before)) freed += await remove(entry);
    }
  }
  return freed;
}

/** The paths of what lies in `directory`, with `depth` directories between. */
async function entriesBelow(directory: string, depth: number): Promise<string[]> {
  const paths = (await names(directory)).map((name) => join(directory, name));
  if (depth === 0) return paths;
  return (await Promise.all(paths.map((path) => entriesBelow(path, depth - 1)))).flat();
}

/** Whether nothing at or below `path` was written since `before`. */
async function isIdle(path: string, before: number): Promise<boolean> {
  const entry = await entryOfCache(path);
  if (!entry) return true;
  if (entry.mtimeMs >= before) return false;
  if (!entry.isDirectory()) return true;
  for (const name of await namesOfCache(path)) {
    if (!(await isIdle(join(path, name), before))) return false;
  }
  return true;
}

/** Removes `path` and all below it. Bytes freed. */
async function remove(path: string): Promise<number> {
  const bytes = await sizeOf(path);
  await removeTree(path);
  return bytes;
}

/** Of what lies in it, not of what links lead to. */
async function sizeOf(path: string): Promise<number> {
  const entry = await entryOfCache(path);
  if (!entry) return 0;
  if (!entry.isDirectory()) return entry.size;
  const sizes = await Promise.all((await namesOfCache(path)).map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** What `directory` holds: nothing when it is gone or a file. Any other failure must not look like nothing. */
const names = async (directory: string) => (await unlessGone(readdir(directory))) ?? [];

/** What a build has left in a cache may be unreadable: it is removed all the same, and its size is not known. */
const namesOfCache = (directory: string) => unlessUnreadable(names(directory), []);
const entryOfCache = (path: string) => unlessUnreadable(unlessGone(lstat(path)), undefined);

async function unlessUnreadable<T>(reading: Promise<T>, instead: T): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'ENAMETOOLONG') return instead;
    throw error;
  }
}

/** Builds and requests go on meanwhile, and remove or rename what was there a moment ago. */
async function unlessGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
