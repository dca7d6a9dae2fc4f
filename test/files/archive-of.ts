/** Archives that no honest program would write. */
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

export type Entry = {
  path: string;
  type?: 'File' | 'SymbolicLink' | 'Link' | 'CharacterDevice' | 'FIFO' | 'Directory';
  content?: string;
  linkpath?: string;
  /** Default: the content's. */
  size?: number;
};

/** A tar.gz with exactly these headers: what no honest program would write. */
export function archiveOf(entries: readonly Entry[]): Readable {
  const blocks: Buffer[] = [];
  for (const { path, type = 'File', content = '', linkpath, size } of entries) {
    const header = new Header({
      path,
      type,
      mode: 0o644,
      size: size ?? Buffer.byteLength(content),
      mtime: new Date(0),
      ...(linkpath === undefined ? {} : { linkpath }),
    });
    const block = Buffer.alloc(512);
    header.encode(block);
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(content) / 512) * 512);
    body.write(content);
    blocks.push(block, body);
  }
  return Readable.from([gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]))]);
}
