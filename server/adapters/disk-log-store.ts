/**
 * The log store of an embedded plane: two files per deployment.
 *
 * `log` holds the lines in their kept form. `index` holds one record of six 8-byte numbers per append, written after
 * the lines that it covers: an append counts when its record is whole, so that a `kill -9` between the two leaves bytes
 * behind that the next append overwrites. Nothing is synced to the disk: a power cut can cost the last seconds.
 */
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { encodeLine, type NewLine } from '../../contract/logs.ts';
import type { LogStore } from '../ports.ts';
import { fullLine } from './full-log.ts';

const recordNumbers = 6;
const recordBytes = recordNumbers * 8;
/** Of the index, memory keeps one entry per this many bytes of log: 200 MB cost 3,200 entries. */
const sparseBytes = 64 * 1024;
/** What a record says instead of an attempt for the plane's own lines, and for the end of the log. */
const ownLines = 0;
const endMark = -1;
/** The batch number of the plane's own line that says that the log is full. */
const fullMark = 1;
/** Logs whose files stay open; beyond it the one that has been idle longest is closed. */
const maxOpen = 64;

type OpenLog = {
  lines: FileHandle;
  index: FileHandle;
  size: number;
  records: number;
  last: number;
  ended: boolean;
  /** Bytes of builders' lines, which the limit counts. */
  counted: number;
  saidFull: boolean;
  /** Per attempt: the highest batch stored. */
  batches: Map<number, number>;
  /** Ascending: the line `seq` starts at `offset`. */
  sparse: { seq: number; offset: number }[];
  /** Where readers stopped: seq -> offset behind it. */
  cursors: Map<number, number>;
  /** Appends run one after the other. */
  tail: Promise<unknown>;
};

export type DiskLogLimits = { maxBytes: number };

/** Opens the log store in `directory`, which need not exist. `maxBytes` bounds one deployment's stored log. */
export function createDiskLogStore(directory: string, limits: DiskLogLimits): LogStore {
  const logs = new Map<string, { opening: Promise<OpenLog>; users: number }>();
  const watchers = new Map<string, Set<() => void>>();
  let closed = false;

  const changed = (deployment: string) => {
    for (const watcher of watchers.get(deployment) ?? []) watcher();
  };

  /** Runs `work` on the open log, which stays open meanwhile. */
  async function use<T>(deployment: string, work: (log: OpenLog) => Promise<T>): Promise<T> {
    // Whoever comes late, such as a follower that is being sent away, must not open files that nobody closes.
    if (closed) throw new Error('the log store is closed');
    const entry = logs.get(deployment) ?? { opening: openLog(join(directory, deployment)), users: 0 };
    // The last one in is the last one to be closed.
    logs.delete(deployment);
    logs.set(deployment, entry);
    entry.users++;
    try {
      return await work(await entry.opening.catch((error: unknown) => forget(deployment, error)));
    } finally {
      entry.users--;
      await closeIdle();
    }
  }

  /** A log that could not be opened is tried anew the next time. */
  function forget(deployment: string, error: unknown): never {
    logs.delete(deployment);
    throw error;
  }

  async function closeIdle() {
    for (const [deployment, { opening, users }] of logs) {
      if (logs.size <= maxOpen) return;
      if (users > 0) continue;
      logs.delete(deployment);
      await closeLog(await opening);
    }
  }

  /** Appends in turn. */
  const inTurn = <T>(deployment: string, work: (log: OpenLog) => Promise<T>) =>
    use(deployment, (log) => {
      const turn = log.tail.then(() => work(log));
      log.tail = turn.catch(() => {});
      return turn;
    });

  return {
    append: (deployment, from, lines) =>
      inTurn(deployment, async (log) => {
        const highest = log.batches.get(from.attempt) ?? 0;
        if (log.saidFull || from.batch <= highest) return { last: log.last, full: log.saidFull };
        if (from.batch !== highest + 1) {
          throw new SphereError('REQUEST_INVALID', `batch ${from.batch} came after batch ${highest}`);
        }
        if (log.ended) throw new SphereError('ATTEMPT_STALE', 'the log has ended');
        if (log.counted >= limits.maxBytes) {
          await write(log, ownLines, fullMark, [fullLine(limits.maxBytes)]);
          changed(deployment);
          return { last: log.last, full: true };
        }
        await write(log, from.attempt, from.batch, lines);
        changed(deployment);
        return { last: log.last, full: false };
      }),

    appendOwn: (deployment, lines) =>
      inTurn(deployment, async (log) => {
        if (log.ended || lines.length === 0) return;
        await write(log, ownLines, 0, lines);
        changed(deployment);
      }),

    end: (deployment) =>
      inTurn(deployment, async (log) => {
        if (log.ended) return;
        await write(log, endMark, 0, []);
        log.ended = true;
        changed(deployment);
      }),

    async read(deployment, after, maxBytes) {
      // Reading makes no files.
      const isThere = logs.has(deployment) || existsSync(join(directory, deployment));
      if (!isThere) return { batch: null, last: 0, ended: false };
      return use(deployment, async (log) => {
        const { last, size, ended } = log;
        if (after >= last) return { batch: null, last, ended };
        const batch = await readLines(log, after, size, maxBytes);
        return { batch, last, ended: ended && batch.last === last };
      });
    },

    watch(deployment, watcher) {
      const set = watchers.get(deployment) ?? new Set();
      watchers.set(deployment, set.add(watcher));
      return () => {
        set.delete(watcher);
        if (set.size === 0 && watchers.get(deployment) === set) watchers.delete(deployment);
      };
    },

    async remove(deployment) {
      const entry = logs.get(deployment);
      logs.delete(deployment);
      const log = await entry?.opening.catch(() => undefined);
      await log?.tail;
      if (log) await closeLog(log);
      const path = join(directory, deployment);
      const bytes = (await sizeOf(join(path, 'log'))) + (await sizeOf(join(path, 'index')));
      await rm(path, { recursive: true, force: true });
      return bytes;
    },

    async close() {
      closed = true;
      const opened = [...logs.values()];
      logs.clear();
      for (const { opening } of opened) {
        const log = await opening;
        await log.tail;
        await closeLog(log);
      }
    },
  };
}

async function openLog(path: string): Promise<OpenLog> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const [lines, index] = await Promise.all([
    openForUpdate(join(path, 'log')),
    openForUpdate(join(path, 'index')),
  ]);
  const log: OpenLog = {
    lines,
    index,
    size: 0,
    records: 0,
    last: 0,
    ended: false,
    counted: 0,
    saidFull: false,
    batches: new Map(),
    sparse: [],
    cursors: new Map(),
    tail: Promise.resolve(),
  };
  const { size } = await index.stat();
  const buffer = Buffer.alloc(size - (size % recordBytes));
  await index.read(buffer, 0, buffer.length, 0);
  for (let at = 0; at < buffer.length; at += recordBytes) {
    const number = (n: number) => buffer.readDoubleLE(at + n * 8);
    apply(log, { attempt: number(0), batch: number(1), first: number(2), last: number(3), bytes: number(5) });
  }
  return log;
}

/** Opens what is there, and makes only what is not: any other failure must not cost a log. */
async function openForUpdate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return open(path, 'w+', 0o600);
  }
}

type Append = { attempt: number; batch: number; first: number; last: number; bytes: number };

/** Takes an append into account that is on the disk. */
function apply(log: OpenLog, { attempt, batch, first, last, bytes }: Append): void {
  log.records++;
  if (attempt === endMark) {
    log.ended = true;
    return;
  }
  if (attempt === ownLines) log.saidFull ||= batch === fullMark;
  else {
    log.batches.set(attempt, batch);
    log.counted += bytes;
  }
  const entry = log.sparse.at(-1);
  if (bytes > 0 && (entry === undefined || log.size - entry.offset >= sparseBytes)) {
    log.sparse.push({ seq: first, offset: log.size });
  }
  log.size += bytes;
  log.last = last;
}

async function write(log: OpenLog, attempt: number, batch: number, lines: readonly NewLine[]): Promise<void> {
  let seq = log.last;
  let text = '';
  for (const line of lines) text += encodeLine(++seq, line);
  const bytes = Buffer.from(text);
  const append: Append = { attempt, batch, first: log.last + 1, last: seq, bytes: bytes.length };
  try {
    if (bytes.length > 0) await writeWhole(log.lines, bytes, log.size);
    await writeWhole(log.index, encodeRecord(append, log.size), log.records * recordBytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new SphereError('DISK_FULL', 'the disk that holds the logs is full', {
      hint: 'Free space (`sphere prune` frees what Sphere no longer needs).',
      cause: error,
    });
  }
  apply(log, append);
}

function encodeRecord({ attempt, batch, first, last, bytes }: Append, offset: number): Buffer {
  const record = Buffer.alloc(recordBytes);
  [attempt, batch, first, last, offset, bytes].forEach((value, n) => {
    record.writeDoubleLE(value, n * 8);
  });
  return record;
}

async function writeWhole(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

const newline = 10;
/** More than the longest line can take: 16,384 units, six bytes each when all are escaped, and its prefix. */
const lineBytes = 128 * 1024;

async function readLines(log: OpenLog, after: number, size: number, maxBytes: number) {
  let offset = log.cursors.get(after) ?? sparseOffset(log, after + 1);
  const exact = log.cursors.delete(after);
  const length = Math.max(maxBytes, lineBytes);
  let bytes = await readAt(log, offset, Math.min(length, size - offset));
  while (!exact) {
    const start = startOf(bytes, after + 1);
    if (start === 0) break;
    offset += start;
    bytes = await readAt(log, offset, Math.min(length, size - offset));
  }
  const end = bytes.lastIndexOf(newline, maxBytes - 1) + 1 || bytes.indexOf(newline) + 1;
  const last = seqAt(bytes, bytes.lastIndexOf(newline, end - 2) + 1);
  log.cursors.set(last, offset + end);
  if (log.cursors.size > 1024) log.cursors.delete(log.cursors.keys().next().value as number);
  return { first: after + 1, last, lines: bytes.toString('utf8', 0, end) };
}

/** An offset at or before the line `seq`. */
function sparseOffset(log: OpenLog, seq: number): number {
  let low = 0;
  let high = log.sparse.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((log.sparse[middle]?.seq ?? 0) <= seq) low = middle;
    else high = middle - 1;
  }
  return log.sparse[low]?.offset ?? 0;
}

async function readAt(log: OpenLog, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await log.lines.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}

/** Where the line `seq` starts in `bytes`; when it is not in there, where the last, cut line starts. */
function startOf(bytes: Buffer, seq: number): number {
  let at = 0;
  while (seqAt(bytes, at) < seq) {
    const end = bytes.indexOf(newline, at);
    if (end === -1 || end + 1 >= bytes.length) return end === -1 ? at : end + 1;
    at = end + 1;
  }
  return at;
}

/** The seq of the line that starts at `at`: the digits behind `[`. A cut number reads as too small or right. */
function seqAt(bytes: Buffer, at: number): number {
  let seq = 0;
  for (let i = at + 1; i < bytes.length; i++) {
    const digit = (bytes[i] as number) - 48;
    if (digit < 0 || digit > 9) break;
    seq = seq * 10 + digit;
  }
  return seq;
}

async function closeLog(log: OpenLog): Promise<void> {
  await Promise.all([log.lines.close(), log.index.close()]);
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
