/**
 * Keeps node_modules from one deployment to the next.
 *
 * An entry is made beside its place and moved there whole, so a killed build leaves none that is believed, and builds
 * that run at once do not disturb each other. Where the file system cannot clone, entry and build share their files by
 * hard links, which is three to forty times faster than copying; the entry notes what its files looked like, so that one
 * that a build has written into is noticed and dropped. Such a project's entries are copied from then on.
 */
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import { type CopyContext, type CopyMode, cheapestMode, copyTree, moveTree } from './copy-tree.ts';
import { isReallyInside } from './inside.ts';
import { listingDigest } from './listing.ts';
import type { ModulesKey } from './modules-key.ts';

export type ModulesPlace = CopyContext & {
  /** Where this target's entries are kept. */
  kept: string;
  /** Where entries may be read from as well; they are copied, because they belong to another target. */
  alsoRead: string | null;
  /** The directory of the source in which packages are installed. */
  directory: string;
  /** What is kept takes the place of what was: caches are to be ignored, or what was is used up. */
  replace?: boolean;
  /** Entries come from another machine, for this attempt alone. */
  remote?: boolean;
};

type Entry = {
  /** What an install has made, relative to where packages are installed. */
  paths: string[];
  /** Those of them that take the place of a file of the source. */
  rewritten: string[];
  parts: Record<string, string>;
  mode: CopyMode;
  /** Of `link` only: the listing of each path. */
  listings: (string | null)[];
};

const entryFile = 'entry.json';
/** In a target's directory: its builds write into node_modules, so nothing may be shared with them. */
const writesFile = 'builds-write';
/** Entries that are kept per target: the newest, and the one of the branch that it came from. */
const keptEntries = 2;
const abandonedMs = 60 * 60_000;

/** Puts the entry with this key into the source. Otherwise says why not, in words that follow "because". */
export async function reuseModules(
  place: ModulesPlace,
  { key, parts }: ModulesKey,
): Promise<{ reused: true } | { reused: false; why: string }> {
  const own = readEntry(join(place.kept, key));
  const other = place.alsoRead === null ? null : readEntry(join(place.alsoRead, key));
  if (own === null && other === null) return { reused: false, why: whyMissing(place, parts) };
  const [at, entry, mode] =
    own !== null
      ? [join(place.kept, key), own, own.mode]
      : [join(place.alsoRead as string, key), other as Entry, 'copy' as const];

  if (!place.remote && entry.mode === 'link' && !isUntouched(at, entry)) {
    await removeTree(at);
    writeFileSync(join(place.kept, writesFile), '');
    return { reused: false, why: 'an earlier build wrote into it' };
  }
  const made: string[] = [];
  try {
    for (const [index, path] of entry.paths.entries()) {
      const to = join(place.directory, path);
      if (!isReallyInside(place.directory, path)) throw new Error(`${path} lies behind a link`);
      if (entry.rewritten.includes(path)) rmSync(to, { force: true });
      else if (existsSync(to)) throw new Error(`${path} is in the source`);
      made.push(to);
      const from = join(at, String(index));
      if (place.remote) await moveTree(from, to, place);
      else await copyTree(from, to, mode, place);
    }
    return { reused: true };
  } catch (error) {
    place.signal.throwIfAborted();
    // Removed meanwhile by another build, or too many links to a file: an install mends it.
    for (const path of made) await removeTree(path);
    return { reused: false, why: `it could not be copied (${(error as Error).message})` };
  }
}

/**
 * Keeps the node_modules that an install has just made, before a build can write into them. `rewritten`: files of the
 * source that the install has changed, such as a lockfile that did not fit; they go with what was installed. Resolves to
 * whether there is a new entry.
 */
export async function keepModules(
  place: ModulesPlace,
  { key, parts }: ModulesKey,
  rewritten: readonly string[] = [],
): Promise<boolean> {
  mkdirSync(place.kept, { recursive: true });
  const installed = madeByInstall(place.directory);
  const at = join(place.kept, key);
  if (installed.length === 0) return false;
  if (existsSync(at)) {
    if (!place.replace) return false;
    // Somebody may distrust it.
    await remove(place.kept, key);
  }
  const paths = [...installed, ...rewritten];
  const made = join(place.kept, `.${key}-${randomUUID()}`);
  const writes = existsSync(join(place.kept, writesFile));
  const cheapest = await cheapestMode(place.kept);
  const mode = writes && cheapest === 'link' ? 'copy' : cheapest;
  try {
    for (const [index, path] of paths.entries()) {
      await copyTree(join(place.directory, path), join(made, String(index)), mode, place);
    }
    const listings = paths.map((_, index) =>
      mode === 'link' ? listingDigest(join(made, String(index))) : null,
    );
    const entry: Entry = { paths, rewritten: [...rewritten], parts, mode, listings };
    writeFileSync(join(made, entryFile), JSON.stringify(entry));
    renameSync(made, at);
    return true;
  } finally {
    await removeTree(made);
  }
}

/** Removes entries that nothing will ask for again. */
export async function sweepModules(kept: string): Promise<void> {
  if (!existsSync(kept)) return;
  const found = readdirSync(kept, { withFileTypes: true }).filter((item) => item.isDirectory());
  const ages = found
    .map(({ name }) => ({ name, changed: statSync(join(kept, name)).mtimeMs }))
    .sort((a, b) => b.changed - a.changed);
  const abandoned = ages.filter(
    ({ name, changed }) => name.startsWith('.') && Date.now() - changed > abandonedMs,
  );
  const old = ages.filter(({ name }) => !name.startsWith('.')).slice(keptEntries);
  for (const { name } of [...abandoned, ...old]) await remove(kept, name);
}

async function remove(kept: string, name: string): Promise<void> {
  const removed = join(kept, `.${name}-removed`);
  // Moved away first, so that nobody finds half of it.
  renameSync(join(kept, name), removed);
  await removeTree(removed);
}

function readEntry(at: string): Entry | null {
  try {
    return JSON.parse(readFileSync(join(at, entryFile), 'utf8')) as Entry;
  } catch {
    return null;
  }
}

function isUntouched(at: string, entry: Entry): boolean {
  return entry.paths.every((_, index) => listingDigest(join(at, String(index))) === entry.listings[index]);
}

/** Compares with the newest entry, to name what has changed since. */
function whyMissing(place: ModulesPlace, parts: Record<string, string>): string {
  const entries = existsSync(place.kept) ? readdirSync(place.kept) : [];
  const newest = entries
    .filter((name) => !name.startsWith('.'))
    .map((name) => ({ entry: readEntry(join(place.kept, name)), at: join(place.kept, name) }))
    .filter((found): found is { entry: Entry; at: string } => found.entry !== null)
    .sort((a, b) => statSync(b.at).mtimeMs - statSync(a.at).mtimeMs)[0];
  if (newest === undefined)
    return place.remote ? 'none is kept for what is to be installed now' : 'nothing has been kept yet';
  const names = new Set([...Object.keys(parts), ...Object.keys(newest.entry.parts)]);
  const changed = [...names].filter((name) => parts[name] !== newest.entry.parts[name]);
  return `${changed.slice(0, 3).join(', ')}${changed.length > 3 ? ' and more' : ''} changed`;
}

/** Without this file of its own, yarn 2 and later runs no script of the project. */
const yarnState = '.yarn/install-state.gz';

/** What to keep of an install. Nothing under Plug'n'Play, which names packages by where the build was. */
function madeByInstall(directory: string): string[] {
  if (existsSync(join(directory, '.pnp.cjs'))) return [];
  const modules = modulesIn(directory);
  const hasState = existsSync(join(directory, yarnState)) && isReallyInside(directory, yarnState);
  return modules.length > 0 && hasState ? [...modules, yarnState] : modules;
}

/** The node_modules below `directory` that are not inside of another one. */
function modulesIn(directory: string): string[] {
  const found: string[] = [];
  const walk = (at: string, depth: number) => {
    for (const item of readdirSync(join(directory, at), { withFileTypes: true })) {
      if (!item.isDirectory() || item.name === '.git') continue;
      const path = at === '' ? item.name : `${at}/${item.name}`;
      if (item.name === 'node_modules') found.push(path);
      else if (depth < 6) walk(path, depth + 1);
    }
  };
  walk('', 0);
  return found.sort();
}

/** A path as the name of one directory. */
export function pathAsName(path: string): string {
  return encodeURIComponent(path).replaceAll('.', '%2E');
}
