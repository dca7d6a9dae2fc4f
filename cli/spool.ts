/** A stream in a temporary file, for receivers that want to know its length first (S3 refuses a `PUT` without it). */
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export type Spool = {
  bytes: number;
  /** The content from its beginning, as often as it is needed. */
  open(): Readable;
  remove(): Promise<void>;
};

/** Reads `content` to its end. Rejects with its error. */
export async function spool(content: Readable): Promise<Spool> {
  const directory = await mkdtemp(path.join(tmpdir(), 'sphere-source-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  const file = path.join(directory, 'source.tar.gz');
  try {
    await pipeline(content, createWriteStream(file, { mode: 0o600 }));
    return { bytes: (await stat(file)).size, open: () => createReadStream(file), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
