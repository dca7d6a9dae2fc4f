/** Compressed variants of blobs: which one a client gets, and how it comes to be on disk. */
import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, mkdir, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import Negotiator from 'negotiator';

export type Coding = 'br' | 'gzip' | 'identity';

/** Smaller files gain nothing, larger ones keep a core busy for seconds. */
const compressible = { leastBytes: 1024, mostBytes: 32 * 1024 ** 2 } as const;
const compressibleType =
  /^(?:text\/(?!event-stream)|application\/(?:json|javascript|xml|wasm|manifest\+json|.+\+(?:json|xml)|vnd\.ms-fontobject)|image\/(?:svg\+xml|bmp|vnd\.microsoft\.icon)|font\/(?:ttf|otf)|model\/gltf)/;

/** Whether a file of this type and size is ever sent compressed. */
export function isCompressible(contentType: string, bytes: number): boolean {
  return (
    bytes >= compressible.leastBytes &&
    bytes <= compressible.mostBytes &&
    compressibleType.test(contentType.toLowerCase())
  );
}

/** The coding for a client: by its q values; of equals brotli, then gzip. */
export function chooseCoding(request: IncomingMessage): Coding {
  const negotiator = new Negotiator(request) as unknown as {
    encoding(available: Coding[], options: { preferred: Coding[] }): Coding | undefined;
  };
  const codings: Coding[] = ['br', 'gzip', 'identity'];
  return negotiator.encoding(codings, { preferred: codings }) ?? 'identity';
}

export type CompressedFiles = {
  /**
   * The file that holds `blob` (at `source`) in `coding`, made when it is not there. Null while it takes longer than a
   * request should wait: it is then there for a later one.
   */
  variant(source: string, blob: string, coding: 'br' | 'gzip'): Promise<string | null>;
};

/** How many variants are made at once. */
const workers = 2;

/**
 * Keeps variants in `directory`, by blob; all of it may be deleted at any time. A failure to make one goes to `report`,
 * and the client gets the file as it is. A request waits at most `patienceMs` for a variant.
 */
export function createCompressedFiles(
  directory: string,
  patienceMs: number,
  report: (error: unknown) => void,
): CompressedFiles {
  const making = new Map<string, Promise<string | null>>();
  const waiting: (() => void)[] = [];
  let busy = 0;

  const make = async (source: string, target: string, coding: 'br' | 'gzip'): Promise<string | null> => {
    if (busy >= workers) await new Promise<void>((resolve) => waiting.push(resolve));
    else busy += 1;
    try {
      await compress(source, target, coding);
      return target;
    } catch (error) {
      report(error);
      return null;
    } finally {
      making.delete(target);
      const next = waiting.shift();
      if (next === undefined) busy -= 1;
      else next();
    }
  };

  return {
    async variant(source, blob, coding) {
      const target = join(directory, blob.slice(0, 2), `${blob}.${coding}`);
      if (await exists(target)) return target;
      const made = making.get(target) ?? make(source, target, coding);
      making.set(target, made);
      return withPatience(made, patienceMs);
    },
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function withPatience(made: Promise<string | null>, patienceMs: number): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), patienceMs);
  });
  try {
    return await Promise.race([made, enough]);
  } finally {
    clearTimeout(timer);
  }
}

/** A reader sees the whole variant or none: it gets its name when it is complete. */
async function compress(source: string, target: string, coding: 'br' | 'gzip'): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const temporary = `${target}.${randomUUID()}.tmp`;
  try {
    await pipeline(
      createReadStream(source),
      compressor(coding),
      createWriteStream(temporary, { flags: 'wx' }),
    );
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function compressor(coding: 'br' | 'gzip') {
  // Quality 5 takes a tenth of the time of 9 for 5 % more bytes, and the first request may be waiting.
  return coding === 'br'
    ? createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })
    : createGzip({ level: 6 });
}
