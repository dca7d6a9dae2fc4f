/** Names buckets: deterministic, within S3's rules, told apart by a hash where they had to be cut (T5, T6). */
import { createHash } from 'node:crypto';
import { SphereError } from '../../../contract/errors.ts';
import { longestLabel, siteLabel } from '../../../contract/preview.ts';
import type { BucketNaming } from './options.ts';

/** S3 allows 3 to 63 characters. */
const longest = longestLabel;
const hashLength = 8;

/** Prefixes and suffixes that S3 keeps for itself (bucketnamingrules.html). */
export const reservedPrefixes = ['xn--', 'sthree-', 'amzn-s3-demo-'];
const reservedSuffixes = ['-s3alias', '--ol-s3', '.mrap', '--x-s3', '--table-s3'];

/** The bucket of a site. A preview has one of its own, `<slug>--<name>`. */
export function siteBucketName(
  naming: BucketNaming,
  site: { slug: string; target: string; region: string },
  accountId: string,
): string {
  const base = siteLabel(site);
  switch (naming.kind) {
    case 'slug':
      return checked(fitted(base, longest));
    case 'prefix':
      return checked(fitted(`${naming.prefix}${base}`, longest));
    case 'account-regional': {
      const suffix = accountSuffix(accountId, site.region);
      return checked(`${fitted(`${naming.prefix}-${base}`, longest - suffix.length)}${suffix}`);
    }
  }
}

/** The private bucket of a region. */
export function artifactBucketName(
  naming: BucketNaming,
  { prefix, accountId, region }: { prefix: string; accountId: string; region: string },
): string {
  if (naming.kind !== 'account-regional') return checked(`${prefix}-${accountId}-${region}`);
  return checked(`${prefix}${accountSuffix(accountId, region)}`);
}

/** What every account-regional name ends in. */
function accountSuffix(accountId: string, region: string): string {
  return `-${accountId}-${region}-an`;
}

/** `name`, or its beginning and a hash of the whole where it is longer than `budget`. */
function fitted(name: string, budget: number): string {
  if (name.length <= budget) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, hashLength);
  return `${name.slice(0, budget - hashLength - 1).replace(/-+$/, '')}-${hash}`;
}

function checked(name: string): string {
  const problem = problemOf(name);
  if (problem === null) return name;
  throw new SphereError('CONFIGURATION_INVALID', `"${name}" cannot be the name of a bucket: it ${problem}.`, {
    hint: 'Choose another slug or name of a preview, or another prefix for the names of buckets on this plane.',
  });
}

/** Why S3 would refuse `name`; null when it would not. Dots are refused too: they break TLS of virtual hosts. */
function problemOf(name: string): string | null {
  if (name.length < 3 || name.length > longest) return 'has not 3 to 63 characters';
  if (!/^[a-z0-9-]+$/.test(name)) return 'has other characters than a-z, 0-9 and hyphens';
  if (!/^[a-z0-9].*[a-z0-9]$/.test(name)) return 'does not begin and end with a letter or digit';
  const prefix = reservedPrefixes.find((start) => name.startsWith(start));
  if (prefix) return `begins with "${prefix}", which S3 keeps for itself`;
  const suffix = reservedSuffixes.find((end) => name.endsWith(end));
  return suffix ? `ends in "${suffix}", which S3 keeps for itself` : null;
}
