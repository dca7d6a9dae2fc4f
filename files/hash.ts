/** SHA-256 of files: the name of a blob. */
import { createHash, hash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { forEachBounded } from './bounded.ts';

export type HashedFile = {
  /** SHA-256 in hex. */
  blob: string;
  bytes: number;
};

/** Up to this size a file is read at once and synchronously: for small files the calls cost more than the bytes. */
const smallBytes = 128 * 1024;

/** Hashes one file; a large one is streamed, so that memory stays flat. Throws what the file system throws. */
export async function hashFile(path: string): Promise<HashedFile> {
  return statSync(path).size <= smallBytes ? hashSmall(path) : hashLarge(path);
}

/**
 * Hashes many files, in the order of `paths`; `concurrency` bounds how many are open at once. The event loop gets a
 * turn after each file: 5,000 small ones took 0.1 s like this and 0.6 s with 16 asynchronous reads in flight.
 */
export async function hashFiles(paths: readonly string[], concurrency = 4): Promise<HashedFile[]> {
  const hashed = new Array<HashedFile>(paths.length);
  await forEachBounded(paths, concurrency, async (path, index) => {
    hashed[index] = await hashFile(path);
    await setImmediate();
  });
  return hashed;
}

function hashSmall(path: string): HashedFile {
  const content = readFileSync(path);
  return { blob: hash('sha256', content, 'hex'), bytes: content.length };
}

async function hashLarge(path: string): Promise<HashedFile> {
  const digest = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    bytes += chunk.length;
  }
  return { blob: digest.digest('hex'), bytes };
}
