/**
 * Prepares the bucket of a site: finds or creates it, makes sure that it is this project's, and opens it to readers.
 *
 * Whose a bucket is, its tags say, which AWS puts on at creation. A store that takes them only afterwards can be cut
 * off in between: so before CreateBucket a note is left in the artifact bucket that says "this name was free, I am
 * creating it". There, and nowhere else, a bucket without tags is adopted with that note and while it is empty. The note
 * goes when all is in place, so that two small requests tell a finished bucket.
 *
 * What a website serves and how is a publication's to say, first and last: the bucket is one when the first has ended.
 */

import { setTimeout as wait } from 'node:timers/promises';
import { DeleteBucketCommand, PutBucketPolicyCommand, PutPublicAccessBlockCommand } from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import { LIVE } from '../../../contract/words.ts';
import type { Site } from '../../ports.ts';
import { type ArtifactBuckets, artifactKeys } from './artifact-bucket.ts';
import { artifactStore } from './artifacts.ts';
import type { S3 } from './client.ts';
import {
  createBucket,
  hasTags,
  isEmpty,
  lookAtBucket,
  putTags,
  type Tags,
  tagsAtCreation,
} from './create-bucket.ts';
import { regionFacts } from './region-table.ts';
import { nameOf } from './retry.ts';

/** How long a bucket that was found in place is taken to be so, in milliseconds. */
const rememberedMs = 10 * 60_000;
/** Every creation is followed by a look; a few more for races with other replicas, and for S3 to see what it made. */
const looks = 6;

export type SiteBuckets = {
  /** Makes sure that the bucket is there, ours and public. Throws SLUG_IN_USE for any other, which it leaves untouched. */
  prepare(site: Site): Promise<void>;
  /** Whether there is a bucket and it is this project's. */
  isOurs(site: Site): Promise<boolean>;
  /**
   * Deletes the empty bucket of a preview whose name nobody else can take. Any other is kept, empty: a name of the whole
   * world that is given up could be taken over by anybody (T5).
   */
  discard(site: Site): Promise<void>;
};

export function createSiteBuckets(
  s3: S3,
  artifacts: ArtifactBuckets,
  bucketOf: (site: Site) => string,
): SiteBuckets {
  /** Bucket to when it was seen in place, for which project. */
  const seen = new Map<string, { project: string; at: number }>();
  /** Concurrent changes of one bucket are refused by S3 (T3): one after the other. */
  const queues = new Map<string, Promise<void>>();

  const isShortLived = ({ target }: Site) =>
    target !== LIVE && s3.options.bucketNames.kind === 'account-regional';
  const prepareOnce = async (site: Site, bucket: string): Promise<void> => {
    const known = seen.get(bucket);
    if (known?.project === site.project && Date.now() - known.at < rememberedMs) return;
    await prepareBucket(s3, artifacts, site, bucket);
    // Another replica may delete it: it is looked for every time.
    if (!isShortLived(site)) seen.set(bucket, { project: site.project, at: Date.now() });
  };
  return {
    async prepare(site) {
      const bucket = bucketOf(site);
      const before = queues.get(bucket) ?? Promise.resolve();
      const mine = before.catch(() => {}).then(() => prepareOnce(site, bucket));
      queues.set(bucket, mine);
      try {
        await mine;
      } finally {
        if (queues.get(bucket) === mine) queues.delete(bucket);
      }
    },
    async isOurs(site) {
      const found = await lookAtBucket(s3, site.region, bucketOf(site));
      return found.kind === 'open' && hasTags(found.tags, siteTags(s3.options.planeId, site));
    },
    async discard(site) {
      if (!isShortLived(site)) return;
      const command = new DeleteBucketCommand({ Bucket: bucketOf(site), ...s3.owner });
      try {
        await s3.call(site.region, (client, options) => client.send(command, options));
      } catch (error) {
        // Somebody put something there that is not ours, or it is gone already.
        if (['BucketNotEmpty', 'NoSuchBucket'].includes(nameOf(error))) return;
        // A role of before previews cannot delete it: it serves nothing all the same.
        s3.options.report(
          `The empty bucket ${bucketOf(site)} could not be deleted: ${(error as Error).message}`,
        );
      }
    },
  };
}

async function prepareBucket(s3: S3, artifacts: ArtifactBuckets, site: Site, bucket: string): Promise<void> {
  const { region } = site;
  const notes = artifactStore(s3, artifacts, region);
  const note = artifactKeys.intent(site.project, bucket);
  const tags = siteTags(s3.options.planeId, site);
  let created = false;

  for (let look = 0; look < looks; look++) {
    const [found, intent] = await Promise.all([lookAtBucket(s3, region, bucket), notes.get(note)]);
    if (found.kind === 'closed') throw inUse(bucket, found.why);
    if (found.kind === 'open') {
      if (!hasTags(found.tags, tags)) {
        const untagged = Object.keys(found.tags).length === 0;
        // The tags that came with our own creation may not be seen yet.
        if (created && untagged && tagsAtCreation(s3.options) && look < looks - 1) {
          await wait((s3.options.backoffMs ?? 100) * 2 ** look);
          continue;
        }
        const explained = intent !== null && untagged && !tagsAtCreation(s3.options);
        if (!explained || !(await isEmpty(s3, region, bucket))) {
          throw inUse(bucket, 'it was not made for this project');
        }
        await putTags(s3, region, bucket, tags);
        // Another plane may have tagged it in the same moment: one of the two reads the other's.
        const settled = await lookAtBucket(s3, region, bucket);
        if (settled.kind !== 'open' || !hasTags(settled.tags, tags)) {
          throw inUse(bucket, 'somebody else took it in the same moment');
        }
      } else if (intent === null) return;
      await openToReaders(s3, region, bucket);
      await notes.remove([note]);
      return;
    }
    // What was just created may not be seen yet.
    if (look > 0) await wait((s3.options.backoffMs ?? 100) * 2 ** look);
    const text = JSON.stringify({ bucket, target: site.target, at: new Date().toISOString() });
    if (intent === null) await notes.put(note, Buffer.from(text));
    const outcome = await createBucket(s3, { bucket, region, tags }).catch(async (error: unknown) => {
      // Nothing was created: the note must not explain what somebody else creates under this name.
      if (isRefused(error)) await notes.remove([note]);
      throw error;
    });
    if (outcome === 'foreign') {
      await notes.remove([note]);
      throw inUse(bucket, 'it belongs to another AWS account');
    }
    created = outcome === 'created';
    // `own` is another replica that was a moment earlier, whose tags are there, or come at once where the store takes
    // them only afterwards. Else it is somebody of this account, and the note must not explain what is not ours.
    if (outcome === 'own' && tagsAtCreation(s3.options)) {
      const now = await lookAtBucket(s3, region, bucket);
      if (now.kind === 'open' && !hasTags(now.tags, tags)) {
        await notes.remove([note]);
        throw inUse(bucket, 'it was not made for this project');
      }
    }
  }
  throw new SphereError('INFRASTRUCTURE', `The bucket ${bucket} comes and goes.`, {
    hint: 'Try again in a minute.',
  });
}

/** Whether S3, or our own check before it, said no: other failures may have come after the creation. */
function isRefused(error: unknown): boolean {
  const seen = error instanceof SphereError ? error.cause : error;
  return seen === undefined || ['AccessDenied', 'TooManyBuckets'].includes(nameOf(seen));
}

/** The tags of a site's bucket. */
export function siteTags(planeId: string, site: Pick<Site, 'project' | 'target'>): Tags {
  return { 'sphere:plane': planeId, 'sphere:project': site.project, 'sphere:target': site.target };
}

function inUse(bucket: string, why: string): SphereError {
  return new SphereError('SLUG_IN_USE', `The bucket ${bucket} is taken: ${why}.`, {
    hint: 'Choose another slug with `--slug`. Nothing in that bucket was changed.',
  });
}

/** Everybody may read objects; nobody may list them, and public ACLs stay impossible (T1, T9). */
export function publicReadPolicy(bucket: string, partition: string): string {
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Sid: 'SphereSite',
        Effect: 'Allow',
        Principal: '*',
        Action: 's3:GetObject',
        Resource: `arn:${partition}:s3:::${bucket}/*`,
      },
    ],
  });
}

/** In the order that AWS needs (T1): public policies allowed, then the policy; the website comes with a publication. */
async function openToReaders(s3: S3, region: string, bucket: string): Promise<void> {
  const { compatible } = s3.options;
  const Bucket = bucket;
  const block = new PutPublicAccessBlockCommand({
    Bucket,
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: compatible ? compatible.blockPublicAcls === true : true,
      IgnorePublicAcls: true,
      BlockPublicPolicy: false,
      RestrictPublicBuckets: false,
    },
    ...s3.owner,
  });
  const Policy = publicReadPolicy(bucket, compatible ? 'aws' : regionFacts(region).partition);
  const policy = new PutBucketPolicyCommand({ Bucket, Policy, ...s3.owner });
  await settled(s3, ['NoSuchBucket'], () =>
    s3.call(region, (client, options) => client.send(block, options)),
  );
  try {
    const names = ['NoSuchBucket', 'AccessDenied'];
    await settled(s3, names, () => s3.call(region, (client, options) => client.send(policy, options)));
  } catch (error) {
    throw nameOf(error) === 'AccessDenied' ? blockedForAll(bucket, s3.options.accountId, error) : error;
  }
}

/**
 * Calls `put` for a minute while it fails with one of `names`: a bucket that was just made is not known everywhere, and
 * what was just allowed is refused for a while (T3). Only here, after our own change, do these mean nothing.
 */
async function settled(s3: S3, names: readonly string[], put: () => Promise<unknown>): Promise<void> {
  const until = Date.now() + (s3.options.settlingMs ?? 60_000);
  for (let pause = s3.options.backoffMs ?? 100; ; pause = Math.min(pause * 2, 5_000)) {
    try {
      await put();
      return;
    } catch (error) {
      if (!names.includes(nameOf(error)) || Date.now() + pause > until) throw error;
      await wait(pause);
    }
  }
}

/** T2: what the bucket says counts for nothing then. */
function blockedForAll(bucket: string, accountId: string, cause: unknown): SphereError {
  return new SphereError('INFRASTRUCTURE', `S3 does not let the bucket ${bucket} be public.`, {
    hint:
      'Either public policies are blocked for the whole account (see `aws s3control get-public-access-block ' +
      `--account-id ${accountId}\`; BlockPublicPolicy and RestrictPublicBuckets must be off, and no policy of the ` +
      'organisation may set them), or the role of the plane lacks s3:PutBucketPolicy.',
    cause,
  });
}
