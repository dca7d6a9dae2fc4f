/** Makes directories, and the data directory of the plane on this machine. */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { SphereError } from '../contract/errors.ts';
import { fileError } from './file-error.ts';

/**
 * Makes `directory` with what is missing above it, part by part: `mkdir` with `recursive` goes round for ever where a
 * parent is there and takes no directories (Node 20 below /proc). Throws what the file system throws.
 */
export function makeDirectory(directory: string, mode = 0o777): void {
  const target = path.resolve(directory);
  let at = nearestDirectory(target);
  for (const part of path.relative(at, target).split(path.sep).filter(Boolean)) {
    at = path.join(at, part);
    makeOne(at, mode);
  }
}

function makeOne(directory: string, mode: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Somebody else was faster.
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** `target`, or the nearest directory above it that is there. Throws ENOTDIR where there is something else. */
function nearestDirectory(target: string): string {
  for (let at = target; ; at = path.dirname(at)) {
    const found = statSync(at, { throwIfNoEntry: false });
    if (found?.isDirectory()) return at;
    if (found || at === path.dirname(at)) {
      throw Object.assign(new Error(`ENOTDIR: not a directory, mkdir '${at}'`), {
        code: 'ENOTDIR',
        syscall: 'mkdir',
        path: at,
      });
    }
  }
}

/** Makes the data directory `home`, for its owner alone. Throws CONFIGURATION_INVALID where it cannot be used, DISK_FULL. */
export function makeDataDirectory(home: string): void {
  try {
    makeDirectory(home, 0o700);
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw dataDirectoryError(error, home) ?? error;
  }
}

/** What is wrong with the data directory `home`, or would be in making it; null: nothing. Changes nothing. */
export function dataDirectoryProblem(home: string): SphereError | null {
  try {
    const there = nearestDirectory(path.resolve(home));
    const reads = there === path.resolve(home) ? constants.R_OK : 0;
    accessSync(there, reads | constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    const problem = dataDirectoryError(error, home);
    if (problem === null) throw error;
    return problem;
  }
}

/** What the file system said of the data directory, in words; null for another error. */
export function dataDirectoryError(error: unknown, home: string, done = 'used'): SphereError | null {
  return fileError(error, {
    what: `The data directory ${home}`,
    done,
    code: 'CONFIGURATION_INVALID',
    hint: 'Set SPHERE_HOME to a directory that you may read and write.',
  });
}
