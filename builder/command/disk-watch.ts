/** Ends a build before it has filled the disk, on which the plane and everything else of the machine depend. */
import { statfs } from 'node:fs/promises';
import { SphereError } from '../../contract/errors.ts';
import { size } from '../wording.ts';
import { runQuiet } from './run-quiet.ts';

export type DiskState = {
  /** Free for ordinary users, in bytes. */
  free: number;
  /** Of the whole file system. */
  total: number;
  /** How many more files it can hold; Infinity where it does not count them. */
  freeFiles: number;
};

/** A fast disk takes less than 1 GB meanwhile. Asking takes microseconds. */
const lookEveryMs = 250;
const reserve = { bytes: 1024 ** 3, share: 0.05, files: 10_000 };

/**
 * What must stay free of a disk that was like `start` when the build began: 1 GB or a twentieth, but no more than half of what
 * there was, so that small sites are built on full disks too. Pure.
 */
export function leastFree(start: DiskState): { bytes: number; files: number } {
  return {
    bytes: Math.min(reserve.bytes, start.total * reserve.share, start.free / 2),
    files: Math.min(reserve.files, start.freeFiles / 2),
  };
}

async function diskState(directory: string): Promise<DiskState> {
  const { bavail, bsize, blocks, files, ffree } = await statfs(directory);
  return {
    free: bavail * bsize,
    total: blocks * bsize,
    freeFiles: files === 0 ? Number.POSITIVE_INFINITY : ffree,
  };
}

export type DiskWatchOptions = {
  /** The attempt's own. */
  directory: string;
  environment: Record<string, string | undefined>;
  /** What a test may say the disk is like. */
  look?: (directory: string) => Promise<DiskState>;
};

export type DiskWatch = {
  /** Aborts when too little is left. */
  signal: AbortSignal;
  /** For what was thrown since: BUILD_FAILED instead of DISK_FULL where the attempt's own files are most of what has gone. */
  explain(error: unknown): Promise<unknown>;
  stop(): void;
};

/** Watches until `stop`. */
export async function watchDisk(options: DiskWatchOptions): Promise<DiskWatch> {
  const look = options.look ?? diskState;
  const full = new AbortController();
  const start = await look(options.directory);
  const least = leastFree(start);
  let timer: NodeJS.Timeout | undefined;
  let last = start;
  const check = async () => {
    last = await look(options.directory);
    // The commands are ended first, and it is asked afterwards whose fault it was: counting takes time.
    if (last.free < least.bytes || last.freeFiles < least.files) full.abort(diskFull(last));
  };
  let stopped = false;
  const next = () => {
    if (!stopped && !full.signal.aborted) timer = setTimeout(() => check().then(next, next), lookEveryMs);
  };
  next();
  return {
    signal: full.signal,
    explain: async (error) =>
      full.signal.aborted && error === full.signal.reason ? blame(options, start, last) : error,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

const whatWasLeft = ({ free, freeFiles }: DiskState) =>
  `Only ${size(free)}${freeFiles < reserve.files ? ` and ${freeFiles} files` : ''} were left on the disk of the machine that builds, and the build was stopped`;

function diskFull(now: DiskState): SphereError {
  return new SphereError('DISK_FULL', `${whatWasLeft(now)}.`, {
    hint: '`sphere prune` frees space; most of what was taken is not of this build.',
  });
}

async function blame(options: DiskWatchOptions, start: DiskState, now: DiskState): Promise<SphereError> {
  const own = await used(options);
  const bytes = own.bytes > Math.max(start.free - now.free, 1) / 2;
  const files =
    Number.isFinite(now.freeFiles) && own.files > Math.max(start.freeFiles - now.freeFiles, 1) / 2;
  if (!bytes && !(files && now.freeFiles < reserve.files)) return diskFull(now);
  const came = bytes ? size(own.bytes) : `${own.files} of them`;
  return new SphereError('BUILD_FAILED', `${whatWasLeft(now)}: its files have come to ${came}.`, {
    hint: 'Look in the log for what it was writing. They are removed now; `sphere prune` frees more space.',
  });
}

/** What the attempt's own files take; as much as could be counted in a while. */
async function used({ directory, environment }: DiskWatchOptions): Promise<{ bytes: number; files: number }> {
  const count = async (...flags: string[]) => {
    const signal = AbortSignal.timeout(10_000);
    const { stdout } = await runQuiet('du', [...flags, directory], { environment, signal });
    return Number.parseInt(stdout, 10) || 0;
  };
  try {
    return {
      bytes: (await count('-sk')) * 1024,
      files: process.platform === 'linux' ? await count('-s', '--inodes') : 0,
    };
  } catch {
    return { bytes: 0, files: 0 };
  }
}
