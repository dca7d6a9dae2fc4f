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

/** Whether a blob of that age is about to be freed. */
export type IsLeaving = (blob: string, modifiedAt: Date) => boolean;

type Found = { bytes: number; modifiedAt: Date };

/**
 * Those of `blobs` (to their size) that are not there whole. What is about to be freed counts as missing: sent again, it
 * is new and stays.
 */
export async function findMissing(
  s3: S3,
  at: BlobQuestion,
  blobs: ReadonlyMap<string, number>,
  leaving: Promise<IsLeaving>,
): Promise<string[]> {
  const [there, isLeaving] = await Promise.all([findEach(s3, at, blobs), leaving]);
  return [...blobs.keys()].filter((blob) => {
    const found = there.get(blob);
    return !found || found.bytes !== blobs.get(blob) || isLeaving(blob, found.modifiedAt);
  });
}

/** Those of `blobs` that are there (and perhaps others). */
async function findEach(
  s3: S3,
  at: BlobQuestion,
  blobs: ReadonlyMap<string, number>,
): Promise<Map<string, Found>> {
  const names = [...blobs.keys()];
  if (names.length <= 1) return askEach(s3, at, names);
  const found = new Map<string, Found>();
  await Promise.all(
    blobRanges(names.length).map(async (range) => {
      const inside = names.filter((blob) => isInside(range, blob));
      for (const [blob, one] of await findInRange(s3, at, range, inside)) found.set(blob, one);
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
async function findInRange(
  s3: S3,
  at: BlobQuestion,
  range: BlobRange,
  wanted: readonly string[],
): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for await (const { objects, more } of listPages(s3, { ...at, after: at.prefix + range.after })) {
    for (const { key, ...one } of objects) found.set(key.slice(at.prefix.length), one);
    const last = objects.at(-1)?.key.slice(at.prefix.length) ?? range.after;
    if (!more || (range.to !== '' && last >= range.to)) break;
    const left = wanted.filter((blob) => blob > last);
    if (left.length >= pagesAfter(range, last, found.size)) continue;
    for (const [blob, one] of await askEach(s3, at, left)) found.set(blob, one);
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

async function askEach(s3: S3, at: BlobQuestion, blobs: readonly string[]): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  await forEachBounded(blobs, concurrency, async (blob) => {
    try {
      const { ContentLength = 0, LastModified } = await s3.call(at.region, (client, options) =>
        client.send(
          new HeadObjectCommand({ Bucket: at.bucket, Key: at.prefix + blob, ...s3.owner }),
          options,
        ),
      );
      found.set(blob, { bytes: ContentLength, modifiedAt: LastModified ?? new Date(0) });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
  });
  return found;
}
