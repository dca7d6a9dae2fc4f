/** `sphere prune`: frees what nothing refers to. Blobs go by mark and sweep from what is kept. */
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PruneAnswer } from '../contract/api.ts';
import type { Manifest } from '../contract/manifest.ts';
import { siteStorePaths } from './adapters/disk-site-store.ts';
import { isEnded } from './deployment-status.ts';
import type { Plane } from './plane.ts';

/** Deployments per target that were live and stay ready for a rollback. */
const keptPerTarget = 20;
/** Caches that no build has used for this long are freed, in milliseconds. */
const idleCacheMs = 7 * 24 * 3600_000;
/** Logs of deployments that ended this long ago, and were not live lately, are freed. */
const oldLogMs = 30 * 24 * 3600_000;

export type PruneDirectories = { sites: string; builds: string; cache: string; compressed: string };

/** Frees sources, blobs, manifests, logs, build directories and caches that nothing needs, and says how much. */
export async function prune(plane: Plane, directories: PruneDirectories): Promise<PruneAnswer> {
  const rows = await plane.database.query
    .selectFrom('deployments')
    .select([
      'id',
      'project_slug',
      'deployment_status',
      'source',
      'attempt',
      'finished_at',
      'stopped_at',
      'runner',
    ])
    .execute();
  const kept = await keptDeployments(plane);
  const unfinished = rows.filter((row) => !isEnded(row.deployment_status));
  for (const row of unfinished) kept.add(row.id);
  // What arrives while this runs is referred to by nothing yet: the longest build protects it.
  const before = plane.now() - plane.settings.timeLimitMs;
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
  const compressed = await sweep(
    directories.compressed,
    (name) => neededBlobs.has(name.slice(0, 64)),
    before,
  );
  const atWork = new Set(
    rows
      .filter((row) => !isEnded(row.deployment_status) || (row.runner && !row.stopped_at))
      .map((row) => row.id),
  );
  const builds = await sweep(directories.builds, (name) => atWork.has(name.split('-')[0] ?? ''), plane.now());
  const caches = unfinished.length > 0 ? 0 : await sweepIdle(directories.cache, plane.now() - idleCacheMs);
  let logs = 0;
  for (const row of rows) {
    const old = row.finished_at !== null && row.finished_at.getTime() < plane.now() - oldLogMs;
    if (old && !kept.has(row.id)) logs += await plane.logs.remove(row.id);
  }

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

/** Live, and per target the last that were. */
async function keptDeployments(plane: Plane): Promise<Set<string>> {
  const done = await plane.database.query
    .selectFrom('publications')
    .select(['project_id', 'target', 'deployment_id'])
    .where('state', '=', 'done')
    .orderBy('order', 'desc')
    .execute();
  const perTarget = new Map<string, Set<string>>();
  for (const row of done) {
    const key = `${row.project_id} ${row.target}`;
    const set = perTarget.get(key) ?? new Set<string>();
    perTarget.set(key, set);
    if (set.size < keptPerTarget) set.add(row.deployment_id);
  }
  return new Set([...perTarget.values()].flatMap((set) => [...set]));
}

async function markedBlobs(manifests: string): Promise<Set<string>> {
  const marked = new Set<string>();
  for (const name of await names(manifests)) {
    const manifest = JSON.parse(await readFile(join(manifests, name), 'utf8')) as Manifest;
    for (const file of Object.values(manifest.files)) marked.add(file.blob);
  }
  return marked;
}

/** Removes what in `directory` is not needed and was last written before `before`. Bytes freed. */
async function sweep(directory: string, needed: (name: string) => boolean, before: number): Promise<number> {
  let freed = 0;
  for (const name of await names(directory)) {
    if (needed(name)) continue;
    const path = join(directory, name);
    const { mtimeMs } = await stat(path);
    if (mtimeMs >= before) continue;
    freed += await sizeOf(path);
    await rm(path, { recursive: true, force: true });
  }
  return freed;
}

/** Removes the caches in which nothing was written since `before`. */
const sweepIdle = (directory: string, before: number) => sweep(directory, () => false, before);

const names = (directory: string) => readdir(directory).catch(() => [] as string[]);

async function sizeOf(path: string): Promise<number> {
  const entry = await stat(path).catch(() => undefined);
  if (!entry) return 0;
  if (!entry.isDirectory()) return entry.size;
  const sizes = await Promise.all((await names(path)).map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}
