/** The private bucket of a region: blobs, manifests, sources, caches of builds and logs. Made on first use. */
import {
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  PutPublicAccessBlockCommand,
} from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import { artifactBucketName } from './bucket-name.ts';
import type { S3 } from './client.ts';
import { createBucket, hasTags, isEmpty, lookAtBucket, putTags } from './create-bucket.ts';
import { nameOf } from './retry.ts';

/** Where things lie in an artifact bucket. Projects' ids begin with `prj_`, so they meet no other prefix. */
export const artifactKeys = {
  blobs: (project: string) => `${project}/blobs/`,
  blob: (project: string, blob: string) => `${project}/blobs/${blob}`,
  manifests: (project: string) => `${project}/manifests/`,
  manifest: (project: string, deployment: string) => `${project}/manifests/${deployment}.json`,
  /** Says that a bucket is about to be created, or was and is not finished. */
  intent: (project: string, bucket: string) => `${project}/intents/${bucket}.json`,
  /** Says whose files lie in the bucket of a target. */
  footprints: (project: string) => `${project}/footprints/`,
  footprint: (project: string, bucket: string) => `${project}/footprints/${bucket}.json`,
  /** Blobs that the next sweep will free. */
  sweep: (project: string) => `${project}/sweep.json`,
  cache: (project: string, target: string, name: string) => `caches/${project}/${target}/${name}.tar.gz`,
  source: (account: string, digest: string) => `sources/${account}/${digest}.tar.gz`,
};

/**
 * Only what is worth nothing after a while goes by age: blobs and manifests go when nothing refers to them, logs when the
 * plane frees them (`old-logs.ts`): that of a live site is kept however old it is.
 */
const lifecycle: LifecycleRule[] = [
  expiring('sphere-sources', 'sources/', 7),
  expiring('sphere-caches', 'caches/', 30),
  {
    ID: 'sphere-unfinished-uploads',
    Status: 'Enabled',
    Filter: { Prefix: '' },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  },
];

function expiring(id: string, prefix: string, days: number): LifecycleRule {
  return { ID: id, Status: 'Enabled', Filter: { Prefix: prefix }, Expiration: { Days: days } };
}

/** The name of a region's artifact bucket, once it is there. */
export type ArtifactBuckets = (region: string) => Promise<string>;

export function createArtifactBuckets(s3: S3): ArtifactBuckets {
  const ready = new Map<string, Promise<string>>();
  return (region) => {
    const known = ready.get(region);
    if (known) return known;
    const made = prepareArtifactBucket(s3, region);
    ready.set(region, made);
    // A failure is not remembered: the next request tries again.
    made.catch(() => ready.delete(region));
    return made;
  };
}

async function prepareArtifactBucket(s3: S3, region: string): Promise<string> {
  const { bucketNames, artifactPrefix, accountId, planeId } = s3.options;
  const bucket = artifactBucketName(bucketNames, { prefix: artifactPrefix, accountId, region });
  const tags = { 'sphere:plane': planeId, 'sphere:holds': 'artifacts' };

  let seen = await lookAtBucket(s3, region, bucket);
  if (seen.kind === 'absent') {
    const outcome = await createBucket(s3, { bucket, region, tags });
    if (outcome === 'foreign') throw taken(bucket, 'it belongs to another AWS account');
    seen = await lookAtBucket(s3, region, bucket);
  }
  if (seen.kind !== 'open') throw taken(bucket, seen.kind === 'closed' ? seen.why : 'it is gone again');
  if (!hasTags(seen.tags, tags)) {
    // Without tags and empty it is our own creation that was cut off, or as good: it becomes private either way.
    if (Object.keys(seen.tags).length > 0 || !(await isEmpty(s3, region, bucket))) {
      throw taken(bucket, "it does not carry this plane's tags");
    }
    await putTags(s3, region, bucket, tags);
  }
  // The rules are put last: where they are, all before them was done.
  const rules = await lifecycleOf(s3, region, bucket);
  const [ours, others] = [rules.filter(isOurs), rules.filter((rule) => !isOurs(rule))];
  if (textOf(ours) !== textOf(lifecycle)) await configure(s3, region, bucket, others);
  return bucket;
}

const isOurs = ({ ID }: LifecycleRule) => ID?.startsWith('sphere-') === true;

/** What `rules` come to, in whatever order and form a store gives them back. */
function textOf(rules: readonly LifecycleRule[]): string {
  return rules
    .map((rule) => {
      const days = rule.Expiration?.Days ?? rule.AbortIncompleteMultipartUpload?.DaysAfterInitiation;
      return `${rule.ID} ${rule.Status} ${rule.Filter?.Prefix || rule.Prefix || ''} ${days}`;
    })
    .sort()
    .join('\n');
}

async function lifecycleOf(s3: S3, region: string, bucket: string): Promise<LifecycleRule[]> {
  try {
    const { Rules = [] } = await s3.call(region, (client, options) =>
      client.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucket, ...s3.owner }), options),
    );
    return Rules;
  } catch (error) {
    if (nameOf(error) === 'NoSuchLifecycleConfiguration') return [];
    throw error;
  }
}

/** `others`: rules that somebody else has made, which stay. */
async function configure(
  s3: S3,
  region: string,
  bucket: string,
  others: readonly LifecycleRule[],
): Promise<void> {
  const { compatible } = s3.options;
  const blockAcls = compatible ? compatible.blockPublicAcls === true : true;
  await s3.call(region, (client, options) =>
    client.send(
      new PutPublicAccessBlockCommand({
        Bucket: bucket,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: blockAcls,
          IgnorePublicAcls: true,
          BlockPublicPolicy: true,
          RestrictPublicBuckets: true,
        },
        ...s3.owner,
      }),
      options,
    ),
  );
  await s3.call(region, (client, options) =>
    client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: bucket,
        LifecycleConfiguration: { Rules: [...others, ...lifecycle] },
        ...s3.owner,
      }),
      options,
    ),
  );
}

function taken(bucket: string, why: string): SphereError {
  return new SphereError(
    'INFRASTRUCTURE',
    `The bucket ${bucket} cannot keep this plane's artifacts: ${why}.`,
    {
      hint: 'Choose another prefix for the artifact buckets.',
    },
  );
}
