/**
 * Reads files of a source by their names, outside of every sandbox. Whoever wrote the source may have put a link to a
 * device there, a pipe that nobody writes into, or more than memory holds.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { SphereError } from '../contract/errors.ts';

/** The largest lockfiles of monorepos have a quarter of it. */
export const mostPlainBytes = 64 * 1024 ** 2;

/**
 * The content of the file at `path`; null when there is none, or something else: a link, too, which callers follow by
 * themselves as far as they allow it. Throws SOURCE_REFUSED beyond `mostPlainBytes`.
 */
export function readPlainFile(path: string): Buffer | null {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return null;
  // It may have been replaced since: opened like this, nothing is followed, and no pipe is waited for.
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) return null;
    if (found.size > mostPlainBytes) throw tooLarge(path);
    return readWhole(file, found.size);
  } finally {
    closeSync(file);
  }
}

function readWhole(file: number, bytes: number): Buffer {
  const content = Buffer.allocUnsafe(bytes);
  let end = 0;
  while (end < bytes) {
    const read = readSync(file, content, end, bytes - end, null);
    if (read === 0) break;
    end += read;
  }
  return content.subarray(0, end);
}

function tooLarge(path: string): SphereError {
  return new SphereError(
    'SOURCE_REFUSED',
    `${basename(path)} is larger than ${mostPlainBytes / 1024 ** 2} MB, and is not read.`,
    { hint: 'Is it meant to be? Sphere reads settings, lockfiles and the like by their names.' },
  );
}
