/** Tells the plane what the site is made of, and uploads what it lacks. */
import { join } from 'node:path';
import type { Manifest } from '../../contract/manifest.ts';
import { isSignatureRefused, type UploadFigures, uploadMissing } from '../../files/upload.ts';
import type { Plane } from '../plane.ts';

/** A plane takes the bytes itself; a store that is far away and wide is kept busy by many at once. */
const concurrency = { plane: 16, store: 64 } as const;

/** Enough for a plane that restarts: with growing waits, about two minutes. */
const tries = 14;

/**
 * How often the plane is asked for URLs. They are good for an hour, and for less where the plane's own credentials end
 * before that: a slow line needs new ones.
 */
const rounds = 5;

/** `pathOf`: a blob to a file with its content. */
export async function uploadSite(
  plane: Plane,
  manifest: Manifest,
  pathOf: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Promise<UploadFigures> {
  const total: UploadFigures = { files: 0, bytes: 0, retries: 0 };
  for (let round = 1; ; round++) {
    try {
      total.retries += await uploadRound(plane, manifest, pathOf, signal, total);
      return total;
    } catch (error) {
      if (!isSignatureRefused(error) || round >= rounds) throw error;
      total.retries += 1;
    }
  }
}

/** Uploads what the plane lacks now, and counts it in `total`. Returns how many tries failed and were made again. */
async function uploadRound(
  plane: Plane,
  manifest: Manifest,
  pathOf: ReadonlyMap<string, string>,
  signal: AbortSignal,
  total: UploadFigures,
): Promise<number> {
  const sizes = new Map(Object.values(manifest.files).map((file) => [file.blob, file.bytes]));
  const { missing } = await plane.sendManifest(manifest);
  const items = missing.map(({ blob, url, headers }) => ({
    path: pathOf.get(blob) as string,
    url: plane.resolve(url),
    headers,
    bytes: sizes.get(blob) as number,
  }));
  const own = new URL(plane.resolve('/')).origin;
  const direct = items.some((item) => new URL(item.url).origin !== own);
  const { retries } = await uploadMissing(items, {
    concurrency: direct ? concurrency.store : concurrency.plane,
    signal,
    tries,
    uploaded: ({ bytes }) => {
      total.files += 1;
      total.bytes += bytes;
    },
  });
  return retries;
}

/** Where each blob's content can be read: `files` are relative to `directory`. */
export function blobPaths(directory: string, files: Manifest['files']): Map<string, string> {
  return new Map(Object.entries(files).map(([path, { blob }]) => [blob, join(directory, path)]));
}
