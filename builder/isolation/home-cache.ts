/**
 * `~/.cache` of isolated commands: downloads of package managers and tools (browsers, headers of Node), kept per project
 * and target, so that no project can leave anything there for another.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import { type CopyContext, copyTree } from '../cache/copy-tree.ts';

export type HomeCache = {
  directory: string;
  /** Call when the build has come to its end: makes a fresh one the one that is kept. */
  keep(): Promise<void>;
};

export type HomeCachePlace = CopyContext & { kept: string; alsoRead: string | null };

/**
 * Opens the cache that is kept; where caches are to be ignored, `fresh`, a directory of this attempt. A target that has
 * none begins with a copy of the one that it may read.
 */
export async function openHomeCache(place: HomeCachePlace, fresh: string | null): Promise<HomeCache> {
  const { kept, alsoRead } = place;
  if (fresh !== null) return { directory: fresh, keep: () => replace(kept, fresh) };
  if (!existsSync(kept) && alsoRead !== null && existsSync(alsoRead)) {
    const made = `${kept}.${randomUUID()}`;
    try {
      await copyTree(alsoRead, made, 'copy', place);
      renameSync(made, kept);
    } catch {
      place.signal.throwIfAborted();
      // Another build was faster, or what is there cannot be read: this one starts with what there is.
      await removeTree(made);
    }
  }
  mkdirSync(kept, { recursive: true, mode: 0o700 });
  return { directory: kept, async keep() {} };
}

async function replace(kept: string, fresh: string): Promise<void> {
  const before = `${kept}.${randomUUID()}`;
  mkdirSync(dirname(kept), { recursive: true });
  if (existsSync(kept)) renameSync(kept, before);
  renameSync(fresh, kept);
  await removeTree(before);
}
