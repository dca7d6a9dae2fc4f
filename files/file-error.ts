/** What an error of the file system means to a person: what was tried, with which path, why not, and the next step. */
import { type ErrorCode, SphereError } from '../contract/errors.ts';

type Meaning = { reason: string; code: ErrorCode; hint: string };

const permissions = 'See that you may use it and every directory above it, then run the command again.';
const freeSome = 'Free some space, then run the command again.';
const otherPath = 'Name another path, or move away what is there.';

const denied: Meaning = { reason: 'permission is denied', code: 'USAGE', hint: permissions };
const full: Meaning = { reason: 'no space is left', code: 'DISK_FULL', hint: freeSome };
const files: Meaning = {
  reason: 'too many files are open',
  code: 'INFRASTRUCTURE',
  hint: 'End what holds so many open, or raise the limit (`ulimit -n`), then run the command again.',
};

/** By the code of the error; where that is not enough, with its call or what was to be done. Of other codes it is a bug. */
const meanings: Record<string, Meaning> = {
  EACCES: denied,
  EPERM: denied,
  EROFS: {
    reason: 'it is on a file system that can only be read',
    code: 'USAGE',
    hint: 'Use a directory that can be written.',
  },
  ENOENT: { reason: 'it is not there', code: 'USAGE', hint: 'Name a path that is there.' },
  'ENOENT written': {
    reason: 'its directory is not there',
    code: 'USAGE',
    hint: 'Make the directory, or name another path.',
  },
  // The parent is there, and takes no directory: as /proc does.
  'ENOENT mkdir': { reason: 'no directory can be made there', code: 'USAGE', hint: 'Name another path.' },
  ENOTDIR: { reason: 'a part of the path is a file, not a directory', code: 'USAGE', hint: otherPath },
  EEXIST: { reason: 'something else is there already', code: 'USAGE', hint: otherPath },
  EISDIR: { reason: 'it is a directory', code: 'USAGE', hint: 'Name a file.' },
  ELOOP: { reason: 'its links lead in a circle', code: 'USAGE', hint: otherPath },
  ENAMETOOLONG: { reason: 'the name is too long', code: 'USAGE', hint: 'Name a shorter path.' },
  ENOSPC: full,
  EDQUOT: full,
  EMFILE: files,
  ENFILE: files,
  EIO: { reason: 'the disk reports an error', code: 'INFRASTRUCTURE', hint: 'Look after the disk.' },
};

/** Calls of the system as what was to be done. */
const doings: Record<string, string> = {
  open: 'opened',
  read: 'read',
  scandir: 'listed',
  opendir: 'listed',
  mkdir: 'made',
  mkdtemp: 'made',
  write: 'written',
  copyfile: 'copied',
  rename: 'renamed',
  unlink: 'removed',
  rmdir: 'removed',
  rm: 'removed',
};

/** What was tried; what is left out is taken from the error. */
export type Tried = {
  /** The thing, such as a path. */
  what?: string | undefined;
  /** What was to be done with it: `read`, `written`. */
  done?: string | undefined;
  code?: ErrorCode | undefined;
  hint?: string | undefined;
};

/**
 * The error in words, or null where it is none of a file: a `SphereError`, a call without a path, a program that is not
 * there. A disk that is full keeps its own code and hint, whatever was tried.
 */
export function fileError(error: unknown, tried: Tried = {}): SphereError | null {
  if (!(error instanceof Error) || error instanceof SphereError) return null;
  const { code = '', syscall = '', path } = error as NodeJS.ErrnoException;
  const meaning = meanings[`${code} ${tried.done}`] ?? meanings[`${code} ${syscall}`] ?? meanings[code];
  if (meaning === undefined || syscall.startsWith('spawn')) return null;
  const what = tried.what ?? path ?? (meaning.code === 'USAGE' ? undefined : 'A file');
  if (what === undefined) return null;
  const done = tried.done ?? doings[syscall] ?? 'used';
  // The thing that is named may be fine, and one above it the cause.
  const isNamed = path === undefined || path.endsWith(what) || what.split(/[ ,]+/).includes(path);
  const where = isNamed ? '' : ` (${path})`;
  const { code: ownCode, hint } = meaning.code === 'USAGE' ? tried : {};
  return new SphereError(ownCode ?? meaning.code, `${what} cannot be ${done}: ${meaning.reason}${where}.`, {
    hint: hint ?? meaning.hint,
    cause: error,
  });
}

/** The value of `act`. What the file system does not let it do is thrown as `fileError` has it. */
export function withFile<Value>(tried: Tried, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    throw fileError(error, tried) ?? error;
  }
}
