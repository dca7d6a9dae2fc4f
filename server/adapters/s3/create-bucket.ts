/** Creates buckets by the rules that differ between regions and stores (T4), and reads whose they are. */
import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  type CreateBucketCommandInput,
  GetBucketTaggingCommand,
  ListObjectsV2Command,
  PutBucketTaggingCommand,
  type Tag,
} from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import type { S3 } from './client.ts';
import type { S3Options } from './options.ts';
import { regionFacts } from './region-table.ts';
import { nameOf, statusOf } from './retry.ts';

/** Tags by name. */
export type Tags = Record<string, string>;

/**
 * What `CreateBucket` is sent: the region as LocationConstraint everywhere but in us-east-1, where it is refused (T4);
 * the tags with it, so that no bucket of ours is ever without them; never an ACL (T1).
 */
export function createBucketInput(
  options: Pick<S3Options, 'bucketNames' | 'compatible'>,
  { bucket, region, tags }: { bucket: string; region: string; tags: Tags },
): CreateBucketCommandInput {
  const constrained = !options.compatible && region !== 'us-east-1';
  const configuration = {
    ...(constrained ? { LocationConstraint: region as BucketLocationConstraint } : {}),
    ...(tagsAtCreation(options) ? { Tags: tagSet(tags) } : {}),
  };
  return {
    Bucket: bucket,
    ...(Object.keys(configuration).length > 0 ? { CreateBucketConfiguration: configuration } : {}),
    ...(options.bucketNames.kind === 'account-regional' ? { BucketNamespace: 'account-regional' } : {}),
  };
}

/** Whether a bucket has its tags from its first moment on. */
export function tagsAtCreation({ compatible }: Pick<S3Options, 'compatible'>): boolean {
  return compatible ? compatible.tagsAtCreation === true : true;
}

/**
 * `created`, or the name was taken before us: `own` by this account, `foreign` by another. In us-east-1 re-creating a
 * bucket of one's own succeeds (T4): `created` does not say that the bucket is fresh.
 */
export async function createBucket(
  s3: S3,
  what: { bucket: string; region: string; tags: Tags },
): Promise<'created' | 'own' | 'foreign'> {
  const { bucketNames, compatible } = s3.options;
  if (bucketNames.kind === 'account-regional' && !compatible && !regionFacts(what.region).accountNames) {
    throw new SphereError('CONFIGURATION_INVALID', `${what.region} has no account-regional bucket names.`, {
      hint: 'Take another region, or name buckets by slug or prefix.',
    });
  }
  try {
    await s3.call(what.region, (client, options) =>
      client.send(new CreateBucketCommand(createBucketInput(s3.options, what)), options),
    );
    return 'created';
  } catch (error) {
    switch (nameOf(error)) {
      case 'BucketAlreadyOwnedByYou':
        return 'own';
      case 'BucketAlreadyExists':
        return 'foreign';
      case 'TooManyBuckets':
        throw new SphereError('INFRASTRUCTURE', 'The AWS account has as many buckets as it may have.', {
          hint: 'Remove projects, or ask AWS for a higher quota of buckets (10,000 by default).',
          cause: error,
        });
      default:
        throw error;
    }
  }
}

/** A bucket as seen from this account. */
export type SeenBucket =
  | { kind: 'absent' }
  /** Another account's, in another region, or kept from this plane's role. */
  | { kind: 'closed'; why: string }
  | { kind: 'open'; tags: Tags };

/** Looks at a bucket in one request. */
export async function lookAtBucket(s3: S3, region: string, bucket: string): Promise<SeenBucket> {
  try {
    const { TagSet = [] } = await s3.call(region, (client, options) =>
      client.send(new GetBucketTaggingCommand({ Bucket: bucket, ...s3.owner }), options),
    );
    return {
      kind: 'open',
      tags: Object.fromEntries(TagSet.map(({ Key = '', Value = '' }) => [Key, Value])),
    };
  } catch (error) {
    const name = nameOf(error);
    if (name === 'NoSuchTagSet') return { kind: 'open', tags: {} };
    if (name === 'NoSuchBucket') return { kind: 'absent' };
    const status = statusOf(error);
    if (status === 403)
      return {
        kind: 'closed',
        why: 'it belongs to another AWS account, or this plane may not read its tags',
      };
    // 301 PermanentRedirect, 400 AuthorizationHeaderMalformed: the bucket is, but not here.
    if (status === 301 || name === 'AuthorizationHeaderMalformed') {
      return { kind: 'closed', why: 'it is in another region' };
    }
    throw error;
  }
}

export async function isEmpty(s3: S3, region: string, bucket: string): Promise<boolean> {
  const { KeyCount, Contents = [] } = await s3.call(region, (client, options) =>
    client.send(new ListObjectsV2Command({ Bucket: bucket, MaxKeys: 1, ...s3.owner }), options),
  );
  return (KeyCount ?? Contents.length) === 0;
}

/** Puts `tags` in place of all that there are. */
export async function putTags(s3: S3, region: string, bucket: string, tags: Tags): Promise<void> {
  await s3.call(region, (client, options) =>
    client.send(
      new PutBucketTaggingCommand({ Bucket: bucket, Tagging: { TagSet: tagSet(tags) }, ...s3.owner }),
      options,
    ),
  );
}

/** Whether `tags` holds all of `wanted`; a company's own tags may stand beside them. */
export function hasTags(tags: Tags, wanted: Tags): boolean {
  return Object.entries(wanted).every(([key, value]) => tags[key] === value);
}

function tagSet(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}
