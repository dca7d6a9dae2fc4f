/** Sends a source to a store that takes only an archive that it was told of: packed into a file first, then described. */
import type { Readable } from 'node:stream';
import type { Api } from './api.ts';
import { spool } from './spool.ts';

/** `content` is the tar.gz of the source. */
export async function sendArchive(
  api: Pick<Api, 'offerSource' | 'uploadSource'>,
  source: { digest: string; bytes: number },
  content: Readable,
): Promise<void> {
  const { bytes, sha256, open, remove } = await spool(content);
  try {
    const { upload } = await api.offerSource({ ...source, archive: { bytes, sha256 } });
    if (upload) await api.uploadSource(upload, open, bytes);
  } finally {
    await remove();
  }
}
