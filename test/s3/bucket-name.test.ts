/** Names of buckets. */
import { expect, test } from 'vitest';
import { artifactBucketName, siteBucketName } from '../../server/adapters/s3/bucket-name.ts';
import type { BucketNaming } from '../../server/adapters/s3/options.ts';
import { knownRegions } from '../../server/adapters/s3/region-table.ts';

const account = '123456789012';
const site = { slug: 'shop', target: 'live', region: 'eu-central-1' };
const nameOf = (naming: BucketNaming, change: Partial<typeof site> = {}) =>
  siteBucketName(naming, { ...site, ...change }, account);

test.each<[BucketNaming, Partial<typeof site>, string]>([
  [{ kind: 'slug' }, {}, 'shop'],
  [{ kind: 'slug' }, { target: 'feature-1' }, 'shop--feature-1'],
  [{ kind: 'prefix', prefix: 'acme-' }, {}, 'acme-shop'],
  [{ kind: 'prefix', prefix: 'acme-' }, { target: 'x' }, 'acme-shop--x'],
  [{ kind: 'account-regional', prefix: 'acme' }, {}, 'acme-shop-123456789012-eu-central-1-an'],
  [
    { kind: 'account-regional', prefix: 'acme' },
    { target: 'x', region: 'us-east-1' },
    'acme-shop--x-123456789012-us-east-1-an',
  ],
])('%j and %j are %s', (naming, change, expected) => {
  expect(nameOf(naming, change)).toBe(expected);
});

test('T5, T6: names that are too long are cut and told apart by a hash, in every region', () => {
  const long = 'a'.repeat(50);
  for (const region of knownRegions) {
    const naming: BucketNaming = { kind: 'account-regional', prefix: 'acme' };
    const one = nameOf(naming, { slug: `${long}-one`, region });
    const two = nameOf(naming, { slug: `${long}-two`, region });
    expect(one.length).toBeLessThanOrEqual(63);
    expect(one).toMatch(/^acme-[a-z0-9-]+-[0-9a-f]{8}-123456789012-[a-z0-9-]+-an$/);
    expect(one).not.toBe(two);
    expect(nameOf(naming, { slug: `${long}-one`, region })).toBe(one);
  }
  const preview = nameOf({ kind: 'slug' }, { slug: 'b'.repeat(60), target: 'feature' });
  expect(preview).toMatch(/^b{54}-[0-9a-f]{8}$/);
});

test('T5: the budget of a name in us-east-1 is 37 characters', () => {
  const slug = 'c'.repeat(32);
  expect(nameOf({ kind: 'account-regional', prefix: 'acme' }, { slug, region: 'us-east-1' })).toBe(
    `acme-${slug}-123456789012-us-east-1-an`,
  );
  expect(
    nameOf({ kind: 'account-regional', prefix: 'acme' }, { slug: `${slug}c`, region: 'us-east-1' }),
  ).toMatch(/^acme-c+-[0-9a-f]{8}-123456789012-us-east-1-an$/);
});

test.each([
  ['xn--shop', 'begins with "xn--"'],
  ['sthree-shop', 'begins with "sthree-"'],
  ['amzn-s3-demo-shop', 'begins with "amzn-s3-demo-"'],
  ['shop-s3alias', 'ends in "-s3alias"'],
])('T6: refuses %s', (slug, why) => {
  expect(() => nameOf({ kind: 'slug' }, { slug })).toThrowError(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID', message: expect.stringContaining(why) }),
  );
});

test('T6: refuses prefixes with dots and capitals', () => {
  expect(() => nameOf({ kind: 'prefix', prefix: 'acme.' })).toThrow('other characters');
  expect(() => nameOf({ kind: 'prefix', prefix: 'Acme-' })).toThrow('other characters');
});

test('the artifact bucket of a region has account and region in its name', () => {
  const at = { prefix: 'sphere', accountId: account, region: 'eu-west-1' };
  expect(artifactBucketName({ kind: 'slug' }, at)).toBe('sphere-123456789012-eu-west-1');
  expect(artifactBucketName({ kind: 'account-regional', prefix: 'x' }, at)).toBe(
    'sphere-123456789012-eu-west-1-an',
  );
});
