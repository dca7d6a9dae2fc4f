/** Packs a source into a tar.gz and unpacks one that a stranger sent. */
import { createWriteStream, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { Pack, Parser, type ReadEntry } from 'tar';
import { SphereError } from '../contract/errors.ts';
import { leavesDirectory } from './links.ts';
import type { SourceEntry, SourceLimits } from './source.ts';

/**
 * Packs `entries` of `directory`, in their order, into a tar.gz. The same content gives the same bytes. The stream fails
 * with SOURCE_REFUSED when an entry has gone or changed its size meanwhile.
 */
export function packSource(directory: string, entries: readonly Pick<SourceEntry, 'path'>[]): Readable {
  const pack = new Pack({
    cwd: directory,
    portable: true,
    mtime: new Date(0),
    noDirRecurse: true,
    // The paths are ours and relative; without this, names such as `c:x` would lose their start.
    preservePaths: true,
    linkCache: new NoHardLinks(),
  });
  for (const { path } of entries) pack.write(path);
  pack.end();
  const gzip = createGzip({ level: 1, chunkSize: 64 * 1024 });
  const packed = Readable.from(pack, { objectMode: false });
  packed.once('error', (error) => gzip.destroy(changed(error)));
  gzip.once('close', () => packed.destroy());
  packed.pipe(gzip);
  return gzip;
}

function changed(error: Error): SphereError {
  return new SphereError(
    'SOURCE_REFUSED',
    `The source changed while it was being packed: ${error.message}.`,
    {
      hint: 'Deploy again when nothing writes to the directory.',
      cause: error,
    },
  );
}

/** Every file is packed with its content, also where several names share one (as package managers make them). */
class NoHardLinks extends Map<never, string> {
  override get(): undefined {
    return undefined;
  }
  override set(): this {
    return this;
  }
}

/** Up to this size a file is written at once. */
const smallBytes = 1024 * 1024;

/** What an archive holds beside its files' bytes: for each at most a header, an extended header and padding. */
const overheadPerFile = 4096;

/**
 * Unpacks a tar.gz into the empty `directory`. Links are made last, so that nothing is ever written through one.
 * Throws SOURCE_REFUSED for a path or link that leads out of the directory, for anything but files, links and
 * directories and for a damaged archive, TOO_LARGE beyond `limits`, DISK_FULL when there is no space left.
 */
export async function unpackSource(stream: Readable, directory: string, limits: SourceLimits): Promise<void> {
  const unpacking = new Unpacking(directory, limits);
  const parser = new Parser({ strict: true, brotli: false, zstd: false });
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (parser.write(chunk)) done();
      else parser.once('drain', done);
    },
    final(done) {
      parser.once('end', done);
      parser.end();
    },
  });
  const fail = (error: unknown) => sink.destroy(error as Error);
  parser.on('error', fail);
  parser.on('entry', (entry: ReadEntry) => {
    unpacking.take(entry).catch((error) => {
      entry.resume();
      fail(error);
    });
  });
  try {
    const all = limits.bytes + (limits.files + 2) * overheadPerFile;
    await pipeline(
      stream,
      createGunzip(),
      atMost(all, () => unpacking.tooLarge()),
      sink,
    );
    await unpacking.finish();
  } catch (error) {
    throw explain(error);
  }
}

class Unpacking {
  readonly #directory: string;
  readonly #limits: SourceLimits;
  readonly #made = new Set<string>();
  readonly #links = new Map<string, string>();
  #entries = 0;
  #bytes = 0;
  #writes: Promise<void>[] = [];

  constructor(directory: string, limits: SourceLimits) {
    this.#directory = directory;
    this.#limits = limits;
  }

  /** Takes one entry of the archive. */
  async take(entry: ReadEntry): Promise<void> {
    this.#entries += 1;
    this.#bytes += entry.size;
    if (this.#entries > this.#limits.files || this.#bytes > this.#limits.bytes) throw this.tooLarge();
    const path = entry.path.replace(/\/+$/, '');
    if (!isInner(path)) throw refused(`holds the path ${JSON.stringify(entry.path)}, which leads out of it`);
    switch (entry.type) {
      case 'Directory':
        entry.resume();
        return;
      case 'SymbolicLink':
        entry.resume();
        if (this.#links.has(path)) throw refused(`holds ${path} twice`);
        this.#links.set(path, entry.linkpath ?? '');
        return;
      case 'File':
      case 'OldFile': {
        const written = this.#write(path, entry);
        this.#writes.push(written);
        return written;
      }
      default:
        throw refused(`holds ${path}, a ${entry.type}; files, symbolic links and directories are allowed`);
    }
  }

  /** Waits for the files, then makes the links. */
  async finish(): Promise<void> {
    await Promise.all(this.#writes);
    for (const [path, target] of this.#links) {
      if (leavesDirectory(path, this.#links)) {
        throw refused(`holds the link ${path} to ${target}, which leads out of it`);
      }
    }
    for (const [path, target] of this.#links) {
      this.#makeParent(path);
      symlinkSync(target, join(this.#directory, path));
    }
  }

  tooLarge(): SphereError {
    const { files, bytes } = this.#limits;
    return new SphereError(
      'TOO_LARGE',
      `The source archive holds more than it may: ${files} files, ${Math.round(bytes / 1024 ** 2)} MB.`,
      { hint: 'List what the build does not need in .sphereignore.' },
    );
  }

  async #write(path: string, entry: ReadEntry): Promise<void> {
    const mode = ((entry.mode ?? 0) & 0o100) === 0 ? 0o644 : 0o755;
    const file = join(this.#directory, path);
    if (entry.size <= smallBytes) {
      const content = await entry.concat();
      this.#makeParent(path);
      writeFileSync(file, content, { flag: 'wx', mode });
      return;
    }
    this.#makeParent(path);
    await pipeline(Readable.from(entry), createWriteStream(file, { flags: 'wx', mode }));
  }

  #makeParent(path: string): void {
    const parent = dirname(path);
    if (this.#made.has(parent)) return;
    mkdirSync(join(this.#directory, parent), { recursive: true });
    this.#made.add(parent);
  }
}

function isInner(path: string): boolean {
  if (path.includes('\0')) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Passes `bytes` at most. Refuses what is still compressed: the parser would unzip it again, past this limit. */
function atMost(bytes: number, tooMany: () => Error) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    let left = bytes;
    for await (const chunk of chunks) {
      if (left === bytes && chunk[0] === 0x1f) throw refused('is compressed twice');
      left -= chunk.length;
      if (left < 0) throw tooMany();
      yield chunk;
    }
  };
}

function refused(what: string): SphereError {
  return new SphereError('SOURCE_REFUSED', `The source archive ${what}.`, {
    hint: 'Upload the source with `sphere deploy`.',
  });
}

/** Damage shows as an error of zlib or tar, a path that is twice there as one of the file system. */
function explain(error: unknown): unknown {
  if (error instanceof SphereError || !(error instanceof Error)) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SphereError('DISK_FULL', 'No space is left to unpack the source.', {
      hint: '`sphere prune` frees space.',
      cause: error,
    });
  }
  const clash = ['EEXIST', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG', 'ELOOP'].includes(code);
  const damage = code.startsWith('Z_') || code.startsWith('TAR_') || 'tarCode' in error;
  if (!clash && !damage) return error;
  return new SphereError('SOURCE_REFUSED', `The source archive cannot be unpacked: ${message}.`, {
    hint: 'Upload the source with `sphere deploy`.',
    cause: error,
  });
}
