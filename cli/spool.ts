/** A stream in a temporary file, for receivers that want to know what it is first (S3 signs for length and SHA-256). */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export type Spool = {
  bytes: number;
  sha256: string;
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
    const hash = createHash('sha256');
    await pipeline(
      content,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          yield chunk;
        }
      },
      createWriteStream(file, { mode: 0o600 }),
    );
    const { size } = await stat(file);
    return { bytes: size, sha256: hash.digest('hex'), open: () => createReadStream(file), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
