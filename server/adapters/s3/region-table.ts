/**
 * The regions of S3 with the names that the AWS console gives them, and where websites answer in each (T7). A table and
 * no rule: nine old regions have a dash where all others have a dot, and a wrong host answers with 400.
 * Source: the AWS SDK's partitions, and region-info of the AWS CDK for the nine.
 */
import { distance } from 'fastest-levenshtein';
import { SphereError } from '../../../contract/errors.ts';

const partitions = [
  {
    partition: 'aws',
    suffix: 'amazonaws.com',
    names: {
      'af-south-1': 'Africa (Cape Town)',
      'ap-east-1': 'Asia Pacific (Hong Kong)',
      'ap-east-2': 'Asia Pacific (Taipei)',
      'ap-northeast-1': 'Asia Pacific (Tokyo)',
      'ap-northeast-2': 'Asia Pacific (Seoul)',
      'ap-northeast-3': 'Asia Pacific (Osaka)',
      'ap-south-1': 'Asia Pacific (Mumbai)',
      'ap-south-2': 'Asia Pacific (Hyderabad)',
      'ap-southeast-1': 'Asia Pacific (Singapore)',
      'ap-southeast-2': 'Asia Pacific (Sydney)',
      'ap-southeast-3': 'Asia Pacific (Jakarta)',
      'ap-southeast-4': 'Asia Pacific (Melbourne)',
      'ap-southeast-5': 'Asia Pacific (Malaysia)',
      'ap-southeast-6': 'Asia Pacific (New Zealand)',
      'ap-southeast-7': 'Asia Pacific (Thailand)',
      'ca-central-1': 'Canada (Central)',
      'ca-west-1': 'Canada West (Calgary)',
      'eu-central-1': 'Europe (Frankfurt)',
      'eu-central-2': 'Europe (Zurich)',
      'eu-north-1': 'Europe (Stockholm)',
      'eu-south-1': 'Europe (Milan)',
      'eu-south-2': 'Europe (Spain)',
      'eu-west-1': 'Europe (Ireland)',
      'eu-west-2': 'Europe (London)',
      'eu-west-3': 'Europe (Paris)',
      'il-central-1': 'Israel (Tel Aviv)',
      'me-central-1': 'Middle East (UAE)',
      'me-south-1': 'Middle East (Bahrain)',
      'me-west-1': 'Middle East (Saudi Arabia)',
      'mx-central-1': 'Mexico (Central)',
      'sa-east-1': 'South America (Sao Paulo)',
      'sa-west-1': 'South America (Chile)',
      'us-east-1': 'US East (N. Virginia)',
      'us-east-2': 'US East (Ohio)',
      'us-west-1': 'US West (N. California)',
      'us-west-2': 'US West (Oregon)',
    },
  },
  {
    partition: 'aws-cn',
    suffix: 'amazonaws.com.cn',
    names: {
      'cn-north-1': 'China (Beijing)',
      'cn-northwest-1': 'China (Ningxia)',
    },
  },
  {
    partition: 'aws-eusc',
    suffix: 'amazonaws.eu',
    names: {
      'eusc-de-east-1': 'AWS European Sovereign Cloud (Germany)',
    },
  },
  {
    partition: 'aws-iso',
    suffix: 'c2s.ic.gov',
    names: {
      'us-iso-east-1': 'US ISO East',
      'us-iso-west-1': 'US ISO WEST',
    },
  },
  {
    partition: 'aws-iso-b',
    suffix: 'sc2s.sgov.gov',
    names: {
      'us-isob-east-1': 'US ISOB East (Ohio)',
      'us-isob-west-1': 'US ISOB West',
    },
  },
  {
    partition: 'aws-iso-e',
    suffix: 'cloud.adc-e.uk',
    names: {
      'eu-isoe-west-1': 'EU ISOE West',
    },
  },
  {
    partition: 'aws-iso-f',
    suffix: 'csp.hci.ic.gov',
    names: {
      'us-isof-east-1': 'US ISOF EAST',
      'us-isof-south-1': 'US ISOF SOUTH',
    },
  },
  {
    partition: 'aws-us-gov',
    suffix: 'amazonaws.com',
    names: {
      'us-gov-east-1': 'AWS GovCloud (US-East)',
      'us-gov-west-1': 'AWS GovCloud (US-West)',
    },
  },
] as const;

/** In these the website's host has `s3-website-REGION`. */
const withDash: ReadonlySet<string> = new Set([
  'ap-northeast-1',
  'ap-southeast-1',
  'ap-southeast-2',
  'eu-west-1',
  'sa-east-1',
  'us-east-1',
  'us-gov-west-1',
  'us-west-1',
  'us-west-2',
]);

/** Where buckets cannot have account-regional names (T5). */
const withoutAccountNames: ReadonlySet<string> = new Set(['me-central-1', 'me-south-1']);

export type RegionFacts = {
  region: string;
  /** As in the AWS console: `Europe (Frankfurt)`. */
  name: string;
  partition: string;
  /** The host of its S3 API. */
  apiHost: string;
  /** A bucket's website answers at `<bucket>.<websiteHost>`. */
  websiteHost: string;
  accountNames: boolean;
};

const facts: ReadonlyMap<string, RegionFacts> = new Map(
  partitions.flatMap(({ partition, suffix, names }) =>
    Object.entries(names).map(([region, name]): [string, RegionFacts] => [
      region,
      {
        region,
        name,
        partition,
        apiHost: `s3.${region}.${suffix}`,
        websiteHost: `s3-website${withDash.has(region) ? '-' : '.'}${region}.${suffix}`,
        accountNames: !withoutAccountNames.has(region),
      },
    ]),
  ),
);

/** Every region that is known, in the table's order. */
export const knownRegions: readonly string[] = [...facts.keys()];

/** What is known of `region`. Throws CONFIGURATION_INVALID with the nearest names for one that is not in the table. */
export function regionFacts(region: string): RegionFacts {
  const found = facts.get(region);
  if (found) return found;
  const nearest = knownRegions
    .map((known) => ({ known, far: distance(region, known) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ known }) => `${known} (${facts.get(known)?.name})`);
  throw new SphereError('CONFIGURATION_INVALID', `S3 has no region "${region}".`, {
    hint: `The nearest names are ${nearest.join(', ')}.`,
  });
}
