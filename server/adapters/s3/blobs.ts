/** Finds out which blobs a project has, with as few requests as that takes. */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { forEachBounded } from '../../../files/bounded.ts';
import { listPages } from './artifacts.ts';
import { concurrency, type S3 } from './client.ts';
import { statusOf } from './retry.ts';

const listPage = 1000;
/** So many of a range seldom need a second page, however they happen to be spread. */
const fullPage = 900;
/** Ranges of a listing that are read at the same time. */
const listings = 16;

export type BlobQuestion = { region: string; bucket: string; prefix: string };

/**
 * Those of `blobs` (to their size) that are not there whole. `leaving` are about to be freed and count as missing: sent
 * again, they are new and stay.
 */
export async function findMissing(
  s3: S3,
  at: BlobQuestion,
  blobs: ReadonlyMap<string, number>,
  leaving: Promise<ReadonlySet<string>>,
): Promise<string[]> {
  const [there, gone] = await Promise.all([sizesOf(s3, at, blobs), leaving]);
  return [...blobs].flatMap(([blob, bytes]) => (there.get(blob) === bytes && !gone.has(blob) ? [] : [blob]));
}

/** The sizes of those of `blobs` that are there (and perhaps of others). */
async function sizesOf(
  s3: S3,
  at: BlobQuestion,
  blobs: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const names = [...blobs.keys()];
  if (names.length <= 1) return askEach(s3, at, names);
  const found = new Map<string, number>();
  await Promise.all(
    blobRanges(names.length).map(async (range) => {
      const inside = names.filter((blob) => isInside(range, blob));
      for (const [blob, bytes] of await sizesInRange(s3, at, range, inside)) found.set(blob, bytes);
    }),
  );
  return found;
}

/** The part of a listing after `after` and up to `to`; empty: from the beginning, to the end. */
export type BlobRange = { after: string; to: string };

function isInside({ after, to }: BlobRange, blob: string): boolean {
  return blob > after && (to === '' || blob <= to);
}

/**
 * Blobs are named by hashes, which are spread evenly: in a project of no other blobs than `count`, each of these ranges
 * is one page, and all are read at the same time.
 */
export function blobRanges(count: number): BlobRange[] {
  const ranges = Math.min(listings, Math.ceil(count / fullPage));
  const bounds = Array.from({ length: ranges - 1 }, (_, n) => nameAt((n + 1) / ranges));
  return ['', ...bounds].map((after, n) => ({ after, to: bounds[n] ?? '' }));
}

/** Lists one page. What follows it is listed too, or asked for one by one, whichever is fewer requests. */
async function sizesInRange(
  s3: S3,
  at: BlobQuestion,
  range: BlobRange,
  wanted: readonly string[],
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for await (const { objects, more } of listPages(s3, { ...at, after: at.prefix + range.after })) {
    for (const { key, bytes } of objects) found.set(key.slice(at.prefix.length), bytes);
    const last = objects.at(-1)?.key.slice(at.prefix.length) ?? range.after;
    if (!more || (range.to !== '' && last >= range.to)) break;
    const left = wanted.filter((blob) => blob > last);
    if (left.length >= pagesAfter(range, last, found.size)) continue;
    for (const [blob, bytes] of await askEach(s3, at, left)) found.set(blob, bytes);
    break;
  }
  return found;
}

/** How many pages of `range` follow `last`, judged by how far the first `seen` blobs of it reached. */
export function pagesAfter(range: BlobRange, last: string, seen: number): number {
  const [start, reached, end] = [
    placeOf(range.after),
    placeOf(last),
    range.to === '' ? 1 : placeOf(range.to),
  ];
  return Math.ceil((seen * (end - reached)) / Math.max(reached - start, 1 / scale) / listPage);
}

const scale = 16 ** 12;

/** Where a hash stands among all, from 0 to 1. */
function placeOf(blob: string): number {
  return blob === '' ? 0 : Number.parseInt(blob.slice(0, 12).padEnd(12, '0'), 16) / scale;
}

function nameAt(place: number): string {
  return Math.floor(place * scale)
    .toString(16)
    .padStart(12, '0');
}

async function askEach(s3: S3, at: BlobQuestion, blobs: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await forEachBounded(blobs, concurrency, async (blob) => {
    try {
      const { ContentLength = 0 } = await s3.call(at.region, (client, options) =>
        client.send(
          new HeadObjectCommand({ Bucket: at.bucket, Key: at.prefix + blob, ...s3.owner }),
          options,
        ),
      );
      found.set(blob, ContentLength);
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  });
  return found;
}
