/** The table of regions, against the partitions that the AWS SDK knows. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { knownRegions, regionFacts } from '../../server/adapters/s3/region-table.ts';
import { websiteAddress } from '../../server/adapters/s3/site-store.ts';

type Partition = {
  id: string;
  outputs: { dnsSuffix: string };
  regions: Record<string, { description: string }>;
};

/** The SDK's own data, out of its source: it is not exported. */
function sdkPartitions(): Partition[] {
  const core = dirname(createRequire(import.meta.url).resolve('@aws-sdk/core/package.json'));
  const file = 'dist-es/submodules/client/util-endpoints/lib/aws/partitions.js';
  const text = readFileSync(join(core, file), 'utf8').replace(/^export const \w+ =/, 'return');
  return (new Function(text)() as { partitions: Partition[] }).partitions;
}

test('T7: has every region of every partition that the SDK knows, with its name', () => {
  const partitions = sdkPartitions();
  expect(partitions.length).toBeGreaterThanOrEqual(8);
  const expected = partitions.flatMap(({ id, regions }) =>
    Object.entries(regions)
      .filter(([region]) => !region.endsWith('-global'))
      .map(([region, { description }]) => ({ region, name: description, partition: id })),
  );
  expect(
    knownRegions
      .map((region) => regionFacts(region))
      .map(({ region, name, partition }) => ({ region, name, partition })),
  ).toEqual(expected);
  for (const { id, outputs, regions } of partitions) {
    for (const region of Object.keys(regions).filter((name) => !name.endsWith('-global'))) {
      expect(regionFacts(region).websiteHost, id).toContain(`${region}.${outputs.dnsSuffix}`);
      expect(regionFacts(region).apiHost).toBe(`s3.${region}.${outputs.dnsSuffix}`);
    }
  }
});

test.each([
  ['us-east-1', 'http://shop.s3-website-us-east-1.amazonaws.com'],
  ['us-west-1', 'http://shop.s3-website-us-west-1.amazonaws.com'],
  ['us-west-2', 'http://shop.s3-website-us-west-2.amazonaws.com'],
  ['ap-northeast-1', 'http://shop.s3-website-ap-northeast-1.amazonaws.com'],
  ['ap-southeast-1', 'http://shop.s3-website-ap-southeast-1.amazonaws.com'],
  ['ap-southeast-2', 'http://shop.s3-website-ap-southeast-2.amazonaws.com'],
  ['eu-west-1', 'http://shop.s3-website-eu-west-1.amazonaws.com'],
  ['sa-east-1', 'http://shop.s3-website-sa-east-1.amazonaws.com'],
  ['us-gov-west-1', 'http://shop.s3-website-us-gov-west-1.amazonaws.com'],
  ['eu-central-1', 'http://shop.s3-website.eu-central-1.amazonaws.com'],
  ['us-east-2', 'http://shop.s3-website.us-east-2.amazonaws.com'],
  ['us-gov-east-1', 'http://shop.s3-website.us-gov-east-1.amazonaws.com'],
  ['cn-north-1', 'http://shop.s3-website.cn-north-1.amazonaws.com.cn'],
  ['eusc-de-east-1', 'http://shop.s3-website.eusc-de-east-1.amazonaws.eu'],
  ['us-iso-east-1', 'http://shop.s3-website.us-iso-east-1.c2s.ic.gov'],
])('T7: a website in %s answers at %s', (region, address) => {
  expect(websiteAddress({}, region, 'shop')).toBe(`${address}/`);
});

test('T7: nine regions have a dash, all others a dot', () => {
  const dashed = knownRegions.filter((region) => regionFacts(region).websiteHost.startsWith('s3-website-'));
  expect(dashed).toHaveLength(9);
});

test('refuses an unknown region with the nearest names', () => {
  expect(() => regionFacts('eu-centrl-1')).toThrowError(
    expect.objectContaining({
      code: 'CONFIGURATION_INVALID',
      hint: expect.stringMatching(/eu-central-1 \(Europe \(Frankfurt\)\)/),
    }),
  );
  expect(() => regionFacts('toString')).toThrowError('S3 has no region "toString"');
});
