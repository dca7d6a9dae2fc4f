/** Keeps the frameworks' own caches (`.next/cache`, `node_modules/.cache` …) from one deployment to the next. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import { type CopyContext, copyTree, moveTree } from './copy-tree.ts';
import { isReallyInside } from './inside.ts';
import { pathAsName } from './modules.ts';

export type FrameworkCaches = CopyContext & {
  /** Where this target's are kept. */
  kept: string;
  /** Where they are read from when this target has none. */
  alsoRead: string | null;
  /** The source's top. */
  source: string;
  /** Relative to it. */
  paths: readonly string[];
};

/** Returns the caches that are now in the source. They are copied: frameworks write into them. */
export async function restoreFrameworkCaches(caches: FrameworkCaches): Promise<string[]> {
  const restored: string[] = [];
  for (const path of caches.paths) {
    const places = [caches.kept, caches.alsoRead].filter((place) => place !== null);
    const from = places.map((place) => join(place, pathAsName(path))).find((place) => existsSync(place));
    const to = join(caches.source, path);
    if (from === undefined || existsSync(to) || !isReallyInside(caches.source, path)) continue;
    try {
      await copyTree(from, to, 'copy', caches);
      restored.push(path);
    } catch {
      caches.signal.throwIfAborted();
      // Replaced meanwhile by another build: this one starts without.
      await removeTree(to);
    }
  }
  return restored;
}

/** Moves the caches out of a source that has been built and is not needed any more. */
export async function keepFrameworkCaches(caches: FrameworkCaches): Promise<void> {
  mkdirSync(caches.kept, { recursive: true });
  for (const path of caches.paths) {
    const from = join(caches.source, path);
    if (!existsSync(from) || !isReallyInside(caches.source, path)) continue;
    const place = join(caches.kept, pathAsName(path));
    const made = join(caches.kept, `.${pathAsName(path)}-${randomUUID()}`);
    await move(from, made, caches);
    const before = `${made}-before`;
    if (existsSync(place)) renameSync(place, before);
    try {
      renameSync(made, place);
    } catch {
      // Another build was faster; one is as good as the other.
    }
    await removeTree(made);
    await removeTree(before);
  }
}

async function move(from: string, to: string, caches: FrameworkCaches): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  await removeTree(to);
  await moveTree(from, to, { ...caches, user: null });
}
