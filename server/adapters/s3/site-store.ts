/**
 * Keeps sites on S3: each in a bucket of its own that S3 serves as a website, and what is not public in one artifact
 * bucket per region. Content comes by URLs that are signed for it, and is published by copies inside S3.
 */
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import type { Site, SiteStore } from '../../ports.ts';
import { artifactKeys, createArtifactBuckets } from './artifact-bucket.ts';
import { artifactStore, removeKeys } from './artifacts.ts';
import { findMissing } from './blobs.ts';
import { siteBucketName } from './bucket-name.ts';
import { createS3 } from './client.ts';
import { readFootprint } from './footprint.ts';
import { createManifests } from './manifests.ts';
import { createObjectWriter } from './object-writer.ts';
import type { S3Options } from './options.ts';
import { keysOfHistory } from './publication-plan.ts';
import { type Places, publishSite, putWebsite, readHistory } from './publish.ts';
import { regionFacts } from './region-table.ts';
import { statusOf } from './retry.ts';
import { shortcomingsOf } from './shortcomings.ts';
import { createSiteBuckets } from './site-bucket.ts';
import { prepareContent } from './site-objects.ts';
import { leavingBlobs } from './sweep.ts';
import { createDirectTransfer } from './transfer.ts';

/** Sources are kept for seven days (`artifact-bucket.ts`). */
const freshSourceMs = 6 * 24 * 3600_000;

export type S3SiteStore = SiteStore & {
  /** The address under which people find the site. */
  address(site: Site): string;
};

/** Opens the store. Nothing is asked of S3 yet; throws CONFIGURATION_INVALID for a region that S3 does not have. */
export function createS3SiteStore(options: S3Options): S3SiteStore {
  const s3 = createS3(options);
  for (const region of options.compatible ? [] : options.regions) regionFacts(region);
  const home = options.regions[0] as string;

  const artifactBuckets = createArtifactBuckets(s3);
  const artifactsOf = (region: string) => artifactStore(s3, artifactBuckets, region);
  const manifests = createManifests(artifactsOf);
  const writer = createObjectWriter(s3);
  const bucketOf = (site: Site) => siteBucketName(options.bucketNames, site, options.accountId);
  const siteBuckets = createSiteBuckets(s3, artifactBuckets, bucketOf);
  const address = (site: Site) => websiteAddress(options, site.region, bucketOf(site));
  const placesOf = async (site: Site): Promise<Places> => ({
    bucket: bucketOf(site),
    artifactBucket: await artifactBuckets(site.region),
    artifacts: artifactsOf(site.region),
    manifests,
    writer,
  });

  return {
    regions: options.regions,
    transfer: createDirectTransfer(s3, artifactBuckets),
    address,
    async prepare(site) {
      checkRegion(options, site.region);
      await siteBuckets.prepare(site);
    },
    async shortcomings(site, manifest) {
      await prepareContent(manifest);
      return shortcomingsOf(manifest, address(site));
    },

    async hasSource(account, digest) {
      const Bucket = await artifactBuckets(home);
      const Key = artifactKeys.source(account, digest);
      try {
        const { LastModified } = await s3.call(home, (client, send) =>
          client.send(new HeadObjectCommand({ Bucket, Key, ...s3.owner }), send),
        );
        // One that goes soon may be gone when its build begins: it is sent again.
        return LastModified === undefined || Date.now() - LastModified.getTime() < freshSourceMs;
      } catch (error) {
        if (statusOf(error) === 404) return false;
        throw error;
      }
    },
    removeSource: (account, digest) => artifactsOf(home).remove([artifactKeys.source(account, digest)]),

    async missingBlobs({ project, region }, blobs) {
      if (blobs.size === 0) return [];
      const bucket = await artifactBuckets(region);
      const leaving = leavingBlobs(artifactsOf(region), project);
      return findMissing(s3, { region, bucket, prefix: artifactKeys.blobs(project) }, blobs, leaving);
    },
    putManifest: ({ project, region }, deployment, manifest) =>
      manifests.put(project, region, deployment, manifest),
    getManifest: ({ project, region }, deployment) => manifests.get(project, region, deployment),

    async publish(publication) {
      const { site } = publication;
      publication.signal.throwIfAborted();
      // Usually known: it was prepared before the build. A rollback may come first after a restart.
      await siteBuckets.prepare(site);
      await publishSite(s3, await placesOf(site), publication);
    },
    async unpublish(site, was, within) {
      if (!(await siteBuckets.isOurs(site))) return;
      const places = await placesOf(site);
      const key = artifactKeys.footprint(site.project, places.bucket);
      const footprint = await readFootprint(places.artifacts, key);
      const history = await readHistory(s3, places, site, { ...was, footprint });
      const keys = keysOfHistory(history);
      // Rules that redirect are in the settings, not in objects.
      await putWebsite(s3, places, site, { errorDocument: null, rules: [] }, within);
      await removeKeys(s3, { region: site.region, bucket: places.bucket, keys }, within);
      if (footprint) {
        await removeKeys(s3, { region: site.region, bucket: places.artifactBucket, keys: [key] }, within);
      }
      within?.signal.throwIfAborted();
      if (within && Date.now() >= within.until()) throw new Error('the time of this removal is over');
      await siteBuckets.discard(site);
    },
  };
}

/** Where people find a bucket's website. */
export function websiteAddress(
  { compatible }: Pick<S3Options, 'compatible'>,
  region: string,
  bucket: string,
): string {
  if (!compatible) return `http://${bucket}.${regionFacts(region).websiteHost}/`;
  const filled = compatible.website.replaceAll('{bucket}', bucket).replaceAll('{region}', region);
  return filled.endsWith('/') ? filled : `${filled}/`;
}

function checkRegion({ regions, compatible }: S3Options, region: string): void {
  if (regions.includes(region)) return;
  if (!compatible) regionFacts(region);
  throw new SphereError('REQUEST_INVALID', `This plane keeps no sites in "${region}".`, {
    hint: `It keeps them in ${regions.join(', ')}.`,
  });
}
