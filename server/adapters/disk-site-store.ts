/**
 * The site store of an embedded plane: blobs named by their SHA-256, manifests, and one small pointer file per target
 * that is replaced in one rename. Serving reads the manifest and the blobs themselves; nothing is copied to publish.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync } from 'node:fs';
import { access, mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { SphereError } from '../../contract/errors.ts';
import type { Manifest, ManifestFile } from '../../contract/manifest.ts';
import { parseSiteLabel, siteLabel } from '../../contract/preview.ts';
import { LOCAL_REGION } from '../../contract/words.ts';
import type { SiteStore, ThroughPlane } from '../ports.ts';
import { isFingerprinted } from '../sites/file-headers.ts';
import type { LiveSite } from '../sites/live-site.ts';

type Pointer = { deployment: string; order: number; recent: string[] };

/** A site store that this process serves from. A site is always one whole deployment: `publish` switches at one instant. */
export type DiskSiteStore = SiteStore & {
  transfer: ThroughPlane;
  /** What the site that host names call `label` serves now, or null. Answered from memory. */
  live(label: string): LiveSite | null;
  /** The file that holds a blob. */
  blobFile(slug: string, blob: string): string;
};

/** Where the disk site store keeps things below its directory; `prune` reads it too. */
export function siteStorePaths(directory: string) {
  const project = (slug: string) => join(directory, 'projects', slug);
  return {
    sources: join(directory, 'sources'),
    source: (digest: string) => join(directory, 'sources', `${digest}.tar.gz`),
    projects: join(directory, 'projects'),
    blobs: (slug: string) => join(project(slug), 'blobs'),
    blob: (slug: string, blob: string) => join(project(slug), 'blobs', blob.slice(0, 2), blob),
    manifests: (slug: string) => join(project(slug), 'manifests'),
    manifest: (slug: string, deployment: string) => join(project(slug), 'manifests', `${deployment}.json`),
    pointer: (slug: string, target: string) => join(project(slug), 'targets', `${target}.json`),
  };
}

/** Opens the site store in `directory`, which need not exist. */
export function createDiskSiteStore(directory: string): DiskSiteStore {
  const paths = siteStorePaths(directory);
  /** What is served, by label; null for those that have nothing live. */
  const served = new Map<string, LiveSite | null>();

  const load = (label: string): LiveSite | null => {
    const site = parseSiteLabel(label);
    if (!site) return null;
    const { slug, target } = site;
    const pointer = readJson<Pointer>(paths.pointer(slug, target));
    if (!pointer) return null;
    const manifestOf = (deployment: string) => readJson<Manifest>(paths.manifest(slug, deployment));
    const manifest = manifestOf(pointer.deployment);
    if (!manifest) return null;
    const recent = pointer.recent.flatMap((deployment) => manifestOf(deployment) ?? []);
    const { deployment, order } = pointer;
    return { slug, deployment, order, manifest, retained: retainedFiles(manifest, recent) };
  };

  return {
    regions: [LOCAL_REGION],
    transfer: {
      kind: 'plane',
      putSource: (_, digest, content) => store(paths.source(digest), content),
      async openSource(_, digest) {
        const path = paths.source(digest);
        const { size } = await stat(path);
        return { content: createReadStream(path), bytes: size };
      },
      putBlob: ({ slug }, blob, content) => store(paths.blob(slug, blob), content, blob),
    },
    // Directories are made as they are needed, and what is in them is ours.
    prepare: async () => {},
    shortcomings: async () => [],
    hasSource: (_, digest) => touch(paths.source(digest)),
    removeSource: (_, digest) => rm(paths.source(digest), { force: true }),

    async missingBlobs({ slug }, blobs) {
      const names = [...blobs.keys()];
      const there = await Promise.all(names.map((blob) => touch(paths.blob(slug, blob))));
      return names.filter((_, n) => !there[n]);
    },
    putManifest: ({ slug }, deployment, manifest) =>
      replace(paths.manifest(slug, deployment), JSON.stringify(manifest)),
    async getManifest({ slug }, deployment) {
      const manifest = readJson<Manifest>(paths.manifest(slug, deployment));
      if (manifest) return manifest;
      throw new SphereError('NOT_FOUND', `the files of ${deployment} are not there any more`);
    },

    async publish({ site: { slug, target }, deployment, order, recent, signal }) {
      const manifest = readJson<Manifest>(paths.manifest(slug, deployment));
      const blobs = Object.values(manifest?.files ?? {}).map(({ blob }) => paths.blob(slug, blob));
      const there = await Promise.all(blobs.map(exists));
      // Once the pointer is swapped there is no site but this one.
      if (!manifest || there.includes(false))
        throw new Error(`the files of ${deployment} are not there any more`);
      signal.throwIfAborted();
      const pointer: Pointer = { deployment, order, recent: [...recent] };
      await replace(paths.pointer(slug, target), JSON.stringify(pointer));
      const label = siteLabel({ slug, target });
      served.set(label, load(label));
    },

    async unpublish({ slug, target }) {
      await rm(paths.pointer(slug, target), { force: true });
      served.delete(siteLabel({ slug, target }));
    },

    live(label) {
      const known = served.get(label);
      if (known !== undefined) return known;
      const site = load(label);
      // Only sites are remembered: a stranger's made-up host names must not fill the memory.
      if (site) served.set(label, site);
      return site;
    },
    blobFile: (slug, blob) => paths.blob(slug, blob),
  };
}

/** Fingerprinted files of `recent` manifests that `manifest` no longer has. The newest wins. */
function retainedFiles(manifest: Manifest, recent: readonly Manifest[]): Map<string, ManifestFile> {
  const retained = new Map<string, ManifestFile>();
  for (const { files } of recent) {
    for (const [path, file] of Object.entries(files)) {
      if (manifest.files[path] || retained.has(path) || !isFingerprinted(path)) continue;
      retained.set(path, file);
    }
  }
  return retained;
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ENAMETOOLONG: a host name that no slug could be.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG') return null;
    throw error;
  }
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Whether the file is there. What was said to be there is about to be used: its new age keeps `prune` from it. */
const touch = (path: string) =>
  utimes(path, new Date(), new Date()).then(
    () => true,
    () => false,
  );

const draftOf = (path: string) => `${path}.${randomBytes(6).toString('hex')}.draft`;

/** Stores `content` whole or not at all; with `sha256`, only when it is that content. */
async function store(path: string, content: Readable, sha256?: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = draftOf(path);
  const hash = createHash('sha256');
  try {
    await pipeline(
      content,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(draft, { mode: 0o600 }),
    );
    const seen = hash.digest('hex');
    if (sha256 !== undefined && seen !== sha256) {
      throw new SphereError('DIGEST_MISMATCH', `content named ${sha256} arrived as ${seen}`, {
        hint: 'Send it again.',
      });
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw onDisk(error);
  }
}

async function replace(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = draftOf(path);
  try {
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw onDisk(error);
  }
}

function onDisk(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') return error;
  return new SphereError('DISK_FULL', 'the disk that holds the sites is full', {
    hint: 'Free space (`sphere prune` frees what Sphere no longer needs).',
    cause: error,
  });
}
