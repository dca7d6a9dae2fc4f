/** Finds out which blobs a project has, with as few requests as that takes. */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { forEachBounded } from '../../../files/bounded.ts';
import { listPages } from './artifacts.ts';
import { concurrency, type S3 } from './client.ts';
import { statusOf } from './retry.ts';

const listPage = 1000;
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
  leaving: ReadonlySet<string>,
): Promise<string[]> {
  const there = await sizesOf(s3, at, blobs);
  return [...blobs].flatMap(([blob, bytes]) =>
    there.get(blob) === bytes && !leaving.has(blob) ? [] : [blob],
  );
}

/** The sizes of those of `blobs` that are there (and perhaps of others). */
async function sizesOf(
  s3: S3,
  at: BlobQuestion,
  blobs: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  if (blobs.size <= 1) return askEach(s3, at, [...blobs.keys()]);
  const first: Map<string, number> = new Map();
  const pages = listPages(s3, at);
  const page = (await pages.next()).value ?? [];
  for (const { key, bytes } of page) first.set(key.slice(at.prefix.length), bytes);
  if (page.length < listPage) return first;

  const last = [...first.keys()].at(-1) as string;
  const plan = planListing(first.size, last);
  const left = [...blobs.keys()].filter((blob) => blob > last);
  const more =
    plan.requests < left.length ? await listRanges(s3, at, plan.ranges) : await askEach(s3, at, left);
  return new Map([...first, ...more]);
}

/** The part of a listing after `after` and up to `to`; null: to the end. */
export type BlobRange = { after: string; to: string | null };

/**
 * Blobs are named by hashes, which are spread evenly: how far the first page reached says how many there are. The rest
 * is divided into ranges of about whole pages, at most 16 of them.
 */
export function planListing(seen: number, last: string): { requests: number; ranges: BlobRange[] } {
  const reached = (Number.parseInt(last.slice(0, 12), 16) + 1) / 16 ** 12;
  const left = (seen / reached) * (1 - reached);
  const pages = Math.ceil(left / listPage);
  const count = Math.max(1, Math.min(listings, pages));
  const bounds = Array.from({ length: count - 1 }, (_, n) => {
    const at = reached + ((1 - reached) * (n + 1)) / count;
    return Math.floor(at * 16 ** 12)
      .toString(16)
      .padStart(12, '0');
  });
  const starts = [last, ...bounds];
  return {
    // A range seldom ends with a page.
    requests: pages + count,
    ranges: starts.map((after, n) => ({ after, to: bounds[n] ?? null })),
  };
}

async function listRanges(
  s3: S3,
  at: BlobQuestion,
  ranges: readonly BlobRange[],
): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  await forEachBounded(ranges, listings, async ({ after, to }) => {
    for await (const page of listPages(s3, { ...at, after: at.prefix + after })) {
      for (const { key, bytes } of page) found.set(key.slice(at.prefix.length), bytes);
      const end = page.at(-1)?.key.slice(at.prefix.length);
      if (to !== null && end !== undefined && end > to) return;
    }
  });
  return found;
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
