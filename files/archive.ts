/** Packs a source into a tar.gz and unpacks one that a stranger sent. */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { Header, Parser, Pax, type ReadEntry } from 'tar';
import { SphereError } from '../contract/errors.ts';
import type { DigestEntry } from './digest.ts';
import type { SourceEntry, SourceLimits } from './source.ts';
import { refused, Unpacking } from './unpacking.ts';

/** What of a source's entries goes into its archive. */
export type ArchiveEntry = Pick<SourceEntry, 'kind' | 'bytes'> & DigestEntry;

/**
 * Packs `entries` of `directory`, in their order, into a tar.gz. The same content gives the same bytes. The stream fails
 * with SOURCE_REFUSED when a file is gone or does not begin with what its entry says; what has been appended since is
 * left out, because logs are written to while they are deployed (`sphere deploy 2> deploy.log`).
 */
export function packSource(directory: string, entries: readonly ArchiveEntry[]): Readable {
  const gzip = createGzip({ level: 1 });
  const blocks = Readable.from(inChunks(blocksOf(directory, entries)), { objectMode: false });
  blocks.once('error', (error) => gzip.destroy(error));
  gzip.once('close', () => blocks.destroy());
  return blocks.pipe(gzip);
}

const blockBytes = 512;
/** Files up to this size are read in one call. */
const smallBytes = 1024 * 1024;

async function* blocksOf(directory: string, entries: readonly ArchiveEntry[]): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield headerOf(entry);
    if (entry.kind === 'link') continue;
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of contentOf(join(directory, entry.path), entry)) {
      bytes += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
    if (bytes !== entry.bytes) throw changed(`${entry.path} had ${entry.bytes} bytes and now ${bytes}`);
    if (hash.digest('hex') !== entry.sha256) throw changed(`${entry.path} has other content now`);
    yield Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
  }
  yield Buffer.alloc(2 * blockBytes);
}

function headerOf(entry: ArchiveEntry): Buffer {
  const fields = {
    path: entry.path,
    type: entry.kind === 'link' ? ('SymbolicLink' as const) : ('File' as const),
    mode: entry.executable ? 0o755 : 0o644,
    size: entry.kind === 'link' ? 0 : entry.bytes,
    mtime: new Date(0),
    ...(entry.target === undefined ? {} : { linkpath: entry.target }),
  };
  const header = Buffer.alloc(blockBytes);
  const tooLong = new Header(fields).encode(header);
  const { mtime: _mtime, ...extended } = fields;
  return tooLong ? Buffer.concat([new Pax(extended).encode(), header]) : header;
}

async function* contentOf(file: string, entry: ArchiveEntry): AsyncGenerator<Buffer> {
  try {
    if (entry.bytes <= smallBytes) yield readFileSync(file).subarray(0, entry.bytes);
    else yield* createReadStream(file, { end: entry.bytes - 1, highWaterMark: smallBytes });
  } catch (error) {
    throw changed((error as Error).message, error);
  }
}

/** Joins small pieces, because each call of the compressor costs more than the bytes of one. */
async function* inChunks(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < 64 * 1024) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  yield Buffer.concat(held);
}

function changed(what: string, cause?: unknown): SphereError {
  return new SphereError('SOURCE_REFUSED', `The source changed while it was being packed: ${what}.`, {
    hint: 'Deploy again when nothing writes to the directory.',
    cause,
  });
}

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

/** Passes `bytes` at most. Refuses what is still compressed: the parser would unzip it again, past this limit. */
function atMost(bytes: number, tooMany: () => Error) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    let left = bytes;
    for await (const chunk of chunks) {
      if (left === bytes && chunk[0] === 0x1f && chunk[1] === 0x8b) throw refused('is compressed twice');
      left -= chunk.length;
      if (left < 0) throw tooMany();
      yield chunk;
    }
  };
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
