/** What a hosted plane must know of AWS: regions, buckets, and where build tasks run. */
import { reservedPrefixes } from './adapters/s3/bucket-name.ts';
import { knownRegions, regionFacts } from './adapters/s3/region-table.ts';
import { address, type EnvironmentValues, either, nearest, quoted } from './environment-values.ts';

export const bucketNames = ['slug', 'prefix', 'account-regional'] as const;
export const contentChecks = ['x-amz-checksum-sha256', 'x-amz-content-sha256'] as const;
export const capacities = ['spot', 'on-demand', 'spot-then-on-demand'] as const;

export type AwsConfig = {
  /** The home region: tasks, and what is not public. */
  region: string;
  /** Where sites may be kept; the first is the default. */
  regions: string[];
  /** 12 digits. */
  accountId: string;
  s3: {
    bucketNames: (typeof bucketNames)[number];
    /** Null with `slug`. */
    bucketPrefix: string | null;
    artifactPrefix: string;
    /** For an S3-compatible store; null: AWS. */
    endpoint: string | null;
    /** The address of a bucket's website, with `{bucket}` in it; null: AWS's. */
    website: string | null;
    /** The header by which the store itself checks what is uploaded. */
    contentCheck: (typeof contentChecks)[number];
  };
  ecs: {
    cluster: string;
    taskDefinition: string;
    container: string;
    subnets: string[];
    securityGroups: string[];
    assignPublicIp: boolean;
    capacity: (typeof capacities)[number];
    /** Null: AWS. */
    endpoint: string | null;
  };
};

/** Reads it, and notes what is wrong in `values`. */
export function readAws(values: EnvironmentValues): AwsConfig {
  const region = readRegion(values);
  const accountId = values.read('SPHERE_ACCOUNT_ID', {
    parse: (text) => (/^\d{12}$/.test(text) ? text : undefined),
    wants: 'the 12 digits of the AWS account that `aws sts get-caller-identity` shows, such as 123456789012',
  });
  const regions = values.list('SPHERE_REGIONS', {
    fits: values.text('SPHERE_S3_ENDPOINT') === undefined ? isRegion : mayBeRegion,
    most: 50,
    wants: 'regions of AWS separated by commas, the default first, such as eu-central-1,us-east-1',
    otherwise: [region],
  });
  return {
    region,
    regions,
    accountId,
    s3: readS3(values, regions ?? []),
    ecs: readEcs(values, { region, accountId }),
  };
}

/** T7: by the table. A store that is S3-compatible has regions of its own. */
const isRegion = (text: string) => knownRegions.includes(text);
const mayBeRegion = (text: string) => /^[a-z0-9-]{1,63}$/.test(text);

function readRegion(values: EnvironmentValues): string {
  const given = values.text('AWS_REGION');
  const other = values.text('AWS_DEFAULT_REGION');
  const meant = given === undefined ? null : nearest(given, knownRegions);
  const example =
    given === undefined && other !== undefined && isRegion(other)
      ? `${other}, which AWS_DEFAULT_REGION is`
      : null;
  return values.read('AWS_REGION', {
    parse: (text) => (isRegion(text) ? text : undefined),
    wants: `the home region of the plane, such as ${meant ?? example ?? 'eu-central-1'}`,
  });
}

function readS3(values: EnvironmentValues, regions: readonly string[]): AwsConfig['s3'] {
  const names = values.choice('SPHERE_BUCKET_NAMES', bucketNames, 'slug');
  const prefix = values.text('SPHERE_BUCKET_PREFIX');
  if (names === 'slug' && prefix !== undefined) {
    values.problem(
      `SPHERE_BUCKET_PREFIX is ${quoted(prefix)}, and bucket names without SPHERE_BUCKET_NAMES have no prefix; set SPHERE_BUCKET_NAMES to prefix or account-regional, or unset SPHERE_BUCKET_PREFIX`,
    );
  }
  const without = regions.filter((region) => isRegion(region) && !regionFacts(region).accountNames);
  if (names === 'account-regional' && without.length > 0) {
    values.problem(
      `SPHERE_BUCKET_NAMES is "account-regional", which ${either(without)} does not have; set it to prefix, or take the region out of SPHERE_REGIONS`,
    );
  }
  return {
    bucketNames: names,
    bucketPrefix:
      names === 'prefix' || names === 'account-regional'
        ? values.read('SPHERE_BUCKET_PREFIX', {
            // With account-regional names a hyphen follows, with `prefix` nothing.
            parse: parseBucketPrefix(20, names === 'prefix'),
            wants: bucketPrefixWants(20, names === 'prefix' ? 'acme-' : 'acme'),
          })
        : null,
    artifactPrefix: values.read('SPHERE_ARTIFACT_PREFIX', {
      parse: parseBucketPrefix(34, false),
      wants: bucketPrefixWants(34, 'sphere-artifacts'),
      otherwise: 'sphere-artifacts',
    }),
    endpoint: readOrigin(values, 'SPHERE_S3_ENDPOINT', 'https://s3.example.com'),
    website: readWebsite(values),
    contentCheck: values.choice('SPHERE_S3_CONTENT_CHECK', contentChecks, 'x-amz-checksum-sha256'),
  };
}

/**
 * T6: beginnings that S3 keeps for itself. The lengths leave room in 63 characters: for a slug behind `prefix`, for the
 * account and any region behind the artifact buckets' names.
 */
const parseBucketPrefix = (most: number, hyphenLast: boolean) => (text: string) =>
  /^[a-z0-9][a-z0-9-]*$/.test(text) &&
  text.length <= most &&
  (hyphenLast || !text.endsWith('-')) &&
  !reservedPrefixes.some((start) => text.startsWith(start))
    ? text
    : undefined;
const bucketPrefixWants = (most: number, example: string) =>
  `at most ${most} of a-z, 0-9 and inner hyphens that do not begin with ${reservedPrefixes.join(' or ')}, such as ${example}`;

function readOrigin(values: EnvironmentValues, name: string, example: string): string | null {
  if (values.text(name) === undefined) return null;
  return values.read(name, {
    parse(text) {
      const url = URL.canParse(text) ? new URL(text) : null;
      if (!url || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.username !== '')
        return undefined;
      return url.search === '' && url.hash === '' ? url.origin : undefined;
    },
    show: address,
    wants: `an address without a path, such as ${example}, or unset it for AWS`,
  });
}

/** A store that is not AWS has websites where only its own configuration says. */
function readWebsite(values: EnvironmentValues): string | null {
  const endpoint = values.text('SPHERE_S3_ENDPOINT');
  if (values.text('SPHERE_S3_WEBSITE') === undefined && endpoint === undefined) return null;
  if (endpoint === undefined) {
    values.problem(
      'SPHERE_S3_WEBSITE is set, and SPHERE_S3_ENDPOINT is not; set it, too, such as https://s3.example.com, or unset SPHERE_S3_WEBSITE for AWS',
    );
  }
  return values.read('SPHERE_S3_WEBSITE', {
    parse(text) {
      const filled = text.replaceAll('{bucket}', 'a-bucket').replaceAll('{region}', 'a-region');
      const right =
        text.includes('{bucket}') &&
        !/[{}]/.test(filled) &&
        /^https?:\/\//.test(text) &&
        URL.canParse(filled);
      return right ? text : undefined;
    },
    show: address,
    wants: 'an address with {bucket} in it, such as http://{bucket}.web.example.com, or unset it for AWS',
  });
}

function readEcs(
  values: EnvironmentValues,
  { region, accountId }: Pick<AwsConfig, 'region' | 'accountId'>,
): AwsConfig['ecs'] {
  // An ARN of another region or account would be asked for here and never found.
  const named = (resource: string, name: RegExp) => (text: string) => {
    const [, arnRegion, arnAccount, rest] =
      new RegExp(`^arn:aws[a-z-]*:ecs:([a-z0-9-]+):(\\d{12}):${resource}/(.+)$`).exec(text) ?? [];
    if (rest === undefined) return name.test(text) ? text : undefined;
    const here = arnRegion === (region ?? arnRegion) && arnAccount === (accountId ?? arnAccount);
    return here && name.test(rest) ? text : undefined;
  };
  const ids = (kind: string) => (part: string) =>
    new RegExp(`^${kind}-([0-9a-f]{8}|[0-9a-f]{17})$`).test(part);
  return {
    cluster: values.read('SPHERE_ECS_CLUSTER', {
      parse: named('cluster', /^[A-Za-z0-9_-]{1,255}$/),
      wants: 'the name, or an ARN in AWS_REGION and SPHERE_ACCOUNT_ID, of an ECS cluster, such as sphere',
    }),
    taskDefinition: values.read('SPHERE_ECS_TASK_DEFINITION', {
      parse: named('task-definition', /^[A-Za-z0-9_-]{1,255}(:[1-9]\d{0,8})?$/),
      wants:
        'a task definition as FAMILY, FAMILY:REVISION or an ARN in AWS_REGION and SPHERE_ACCOUNT_ID, such as sphere-builder',
    }),
    container: values.read('SPHERE_ECS_CONTAINER', {
      parse: (text) => (/^[A-Za-z0-9_-]{1,255}$/.test(text) ? text : undefined),
      wants: 'the name of a container in the task definition, such as builder',
      otherwise: 'builder',
    }),
    // The most that `awsvpcConfiguration` takes: 16 subnets, 5 security groups (ECS API reference, AwsVpcConfiguration).
    subnets: values.list('SPHERE_ECS_SUBNETS', {
      fits: ids('subnet'),
      most: 16,
      wants: 'one to 16 subnets separated by commas, such as subnet-0a1b2c3d,subnet-4e5f6071',
    }),
    securityGroups: values.list('SPHERE_ECS_SECURITY_GROUPS', {
      fits: ids('sg'),
      most: 5,
      wants: 'one to 5 security groups separated by commas, such as sg-0a1b2c3d',
    }),
    assignPublicIp: values.choice('SPHERE_ECS_ASSIGN_PUBLIC_IP', ['true', 'false'], 'true') === 'true',
    capacity: values.choice('SPHERE_ECS_CAPACITY', capacities, 'spot-then-on-demand'),
    endpoint: readOrigin(values, 'SPHERE_ECS_ENDPOINT', 'http://127.0.0.1:4510'),
  };
}
