/** Lists what an upload of a directory holds: ignore files honoured, links kept inside, credentials left out. */
import { type Dirent, lstatSync, readlinkSync, type Stats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SphereError } from '../contract/errors.ts';
import { fileError } from './file-error.ts';
import { type IgnoreRules, outerRules, readIgnoreTexts } from './ignore-rules.ts';
import { leavesDirectory } from './links.ts';

export type SourceEntry = {
  /** Relative to the directory, with `/` between its parts. */
  path: string;
  kind: 'file' | 'link';
  /** The owner may execute it. */
  executable: boolean;
  /** Size of a file; 0 for a link. */
  bytes: number;
  /** The text of a link. */
  target?: string;
};

/** The most files and bytes of one source. */
export const sourceLimits = { files: 100_000, bytes: 4 * 1024 ** 3 } as const;
export type SourceLimits = { files: number; bytes: number };

/**
 * Lists `directory` for an upload, sorted by path. Left out: what .gitignore and .sphereignore say, `.git`,
 * `node_modules`, `.env*` except `.env.example`, and what is neither file, link nor directory.
 *
 * Throws SOURCE_UNAVAILABLE when there is no such directory, SOURCE_REFUSED for a link that leads out of it, a name
 * that is not UTF-8 or a directory that cannot be read, TOO_LARGE beyond `sourceLimits`.
 */
export async function listSource(
  directory: string,
  limits: SourceLimits = sourceLimits,
): Promise<SourceEntry[]> {
  return listEntries(directory, outerRules(directory), limits);
}

/** Lists everything in `directory`, whatever its name: what an unpacked source is verified with. Throws as `listSource`. */
export async function listTree(directory: string): Promise<SourceEntry[]> {
  return listEntries(directory, null, { files: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
}

type Outer = { rules: IgnoreRules; prefix: string };

async function listEntries(
  directory: string,
  outer: Outer | null,
  limits: SourceLimits,
): Promise<SourceEntry[]> {
  const root = resolve(directory);
  const entries: SourceEntry[] = [];
  let bytes = 0;

  const walk = async (at: string, inherited: Outer | null): Promise<void> => {
    const found = await readDirectory(root, at);
    const outside = inherited && withOwnRules(inherited, root, at, found);
    for (const item of found) {
      const path = `${at}${item.name}`;
      if (outside && isLeftOut(item, path, outside)) continue;
      if (item.isDirectory()) {
        await walk(`${path}/`, outside);
        continue;
      }
      const entry = entryOf(root, path);
      if (entry === null) continue;
      entries.push(entry);
      bytes += entry.bytes;
      if (entries.length > limits.files || bytes > limits.bytes) throw tooLarge(root, limits);
    }
  };
  await walk('', outer);

  refuseLeavingLinks(root, entries);
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function readDirectory(root: string, at: string): Promise<Dirent[]> {
  try {
    return await readdir(resolve(root, at), { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (at !== '' || (code !== 'ENOENT' && code !== 'ENOTDIR')) {
      const hint = 'Make it readable for you, or leave it out.';
      throw fileError(error, { done: 'read', code: 'SOURCE_REFUSED', hint }) ?? error;
    }
    const seen = code === 'ENOENT' ? 'There is nothing at' : 'There is a file, not a directory, at';
    throw new SphereError('SOURCE_UNAVAILABLE', `${seen} ${root}.`, {
      hint: 'Name the directory to deploy.',
      cause: error,
    });
  }
}

function withOwnRules(outer: Outer, root: string, at: string, found: Dirent[]): Outer {
  if (!found.some((item) => item.name === '.gitignore' || item.name === '.sphereignore')) return outer;
  return { ...outer, rules: outer.rules.and(`${outer.prefix}${at}`, readIgnoreTexts(join(root, at))) };
}

function isLeftOut(item: Dirent, path: string, outer: Outer): boolean {
  if (item.name === '.git' || item.name === 'node_modules') return true;
  if (item.name.startsWith('.env') && item.name !== '.env.example') return true;
  return outer.rules.ignores(`${outer.prefix}${path}${item.isDirectory() ? '/' : ''}`);
}

function entryOf(root: string, path: string): SourceEntry | null {
  const stats = statsOf(root, path);
  if (stats.isSymbolicLink()) {
    return { path, kind: 'link', executable: false, bytes: 0, target: readlinkSync(join(root, path)) };
  }
  if (!stats.isFile()) return null;
  return { path, kind: 'file', executable: (stats.mode & 0o100) !== 0, bytes: stats.size };
}

function statsOf(root: string, path: string): Stats {
  try {
    return lstatSync(join(root, path));
  } catch (error) {
    // Node replaces what is not UTF-8 in a name, and then nothing has that name.
    if (!path.includes('\uFFFD')) throw error;
    throw new SphereError('SOURCE_REFUSED', `The name of ${path} in ${root} is not UTF-8.`, {
      hint: 'Rename it, or list its directory in .sphereignore.',
      cause: error,
    });
  }
}

function refuseLeavingLinks(root: string, entries: readonly SourceEntry[]): void {
  const links = new Map<string, string>();
  for (const { path, target } of entries) if (target !== undefined) links.set(path, target);
  for (const [path, target] of links) {
    if (!leavesDirectory(path, links)) continue;
    throw new SphereError('SOURCE_REFUSED', `The link ${path} points to ${target}, out of ${root}.`, {
      hint: 'Put what it points to in its place, make it a relative link inside the directory, or list it in .sphereignore.',
    });
  }
}

function tooLarge(root: string, limits: SourceLimits): SphereError {
  return new SphereError(
    'TOO_LARGE',
    `${root} holds more than an upload may: ${limits.files} files, ${Math.round(limits.bytes / 1024 ** 2)} MB.`,
    { hint: 'Deploy the directory of the project itself, or list what is not needed in .sphereignore.' },
  );
}
