/** A small read-only view of a source tree, so that planning neither runs nor writes anything. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, posix, sep } from 'node:path';
import { readPlainFile } from '../../files/plain-file.ts';

export type SourceEntry = { name: string; kind: 'file' | 'directory' };

/** Paths are relative to the source's top with `/` between parts; `.` is the top itself. */
export type SourceFiles = {
  /** The text of a file, or null when there is no such file. Throws SOURCE_REFUSED where it is too large. */
  read(path: string): Promise<string | null>;
  exists(path: string): Promise<boolean>;
  /** What is in a directory, sorted by name; nothing when there is no such directory. */
  list(directory: string): Promise<SourceEntry[]>;
  /** When a file last changed, in milliseconds, if that is known. The times of a fresh checkout say nothing. */
  changedAt?(path: string): Promise<number | null>;
};

/** Joins and normalises paths within a source. */
export function joinPath(...parts: string[]): string {
  const path = posix.join(...parts);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

/** Whether a path stays in the source. */
export function isInside(path: string): boolean {
  return !posix.isAbsolute(path) && path !== '..' && !path.startsWith('../');
}

/** The tree below a real directory. What a link outside of it points to is not there. */
export function sourceFilesAt(directory: string): SourceFiles {
  const top = realpath(directory);
  async function resolve(path: string): Promise<string | null> {
    if (!isInside(joinPath(path))) return null;
    try {
      const real = await realpath(join(await top, path));
      return real === (await top) || real.startsWith((await top) + sep) ? real : null;
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }
  async function kindOf(path: string): Promise<SourceEntry['kind'] | null> {
    const real = await resolve(path);
    if (real === null) return null;
    const found = await stat(real);
    if (found.isDirectory()) return 'directory';
    // Reading a pipe or a device would wait for ever.
    return found.isFile() ? 'file' : null;
  }
  return {
    async read(path) {
      const real = await resolve(path);
      return real === null ? null : (readPlainFile(real)?.toString('utf8') ?? null);
    },
    async exists(path) {
      return (await kindOf(path)) !== null;
    },
    async list(path) {
      const real = (await kindOf(path)) === 'directory' ? await resolve(path) : null;
      if (real === null) return [];
      const entries = await Promise.all(
        (await readdir(real))
          .sort()
          .map(async (name) => ({ name, kind: await kindOf(joinPath(path, name)) })),
      );
      return entries.filter((entry): entry is SourceEntry => entry.kind !== null);
    },
  };
}

function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'EACCES';
}
