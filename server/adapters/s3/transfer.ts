/** URLs by which builders and the CLI reach the artifact bucket themselves. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { LIVE } from '../../../contract/words.ts';
import type { DirectTransfer, Site, Upload } from '../../ports.ts';
import { type ArtifactBuckets, artifactKeys } from './artifact-bucket.ts';
import type { S3 } from './client.ts';
import { statusOf } from './retry.ts';
import { createSign } from './signing.ts';

/** URLs signed in one go: about 10 ms. */
const turn = 250;
/** How long a signed URL is good: 2 GB take 55 minutes at 5 Mbit/s. */
const validSeconds = 3600;

/**
 * Uploads carry the SHA-256 and the length as signed headers: S3 refuses other content by itself. Sources are archives
 * whose digest is not that of their bytes; who unpacks one checks that too.
 */
export function createDirectTransfer(s3: S3, buckets: ArtifactBuckets): DirectTransfer {
  const home = s3.options.regions[0] as string;
  const check = s3.options.compatible?.contentCheck ?? 'x-amz-checksum-sha256';
  const sign = createSign(s3);
  const upload = async (
    place: { region: string; bucket: string; key: string },
    content: { sha256: string; bytes: number },
  ): Promise<Upload> => {
    const { sha256, bytes } = content;
    const value = check === 'x-amz-content-sha256' ? sha256 : Buffer.from(sha256, 'hex').toString('base64');
    const headers = { [check]: value, 'content-length': String(bytes) };
    const url = await sign({ method: 'PUT', ...place, headers, validSeconds });
    // The length is what every client sends by itself.
    return { url, headers: { [check]: value } };
  };
  const sourcePlace = async (account: string, digest: string) => ({
    region: home,
    bucket: await buckets(home),
    key: artifactKeys.source(account, digest),
  });

  const cachePlace = async ({ project, region, target }: Site, name: string) => ({
    region,
    bucket: await buckets(region),
    key: artifactKeys.cache(project, target, name),
  });

  return {
    kind: 'direct',
    sourceUpload: async (account, digest, archive) => upload(await sourcePlace(account, digest), archive),
    sourceDownload: async (account, digest) =>
      sign({ method: 'GET', ...(await sourcePlace(account, digest)), validSeconds }),
    async blobUploads({ project, region }, blobs) {
      const bucket = await buckets(region);
      const uploads: Upload[] = [];
      for (const [n, { blob, bytes }] of blobs.entries()) {
        // Signing is all computing: others get their turn in between.
        if (n % turn === turn - 1) await nextTurn();
        const place = { region, bucket, key: artifactKeys.blob(project, blob) };
        uploads.push(await upload(place, { sha256: blob, bytes }));
      }
      return uploads;
    },
    async cacheDownload(site, name) {
      for (const target of new Set([site.target, LIVE])) {
        const place = await cachePlace({ ...site, target }, name);
        if (await isThere(s3, place)) return sign({ method: 'GET', ...place, validSeconds });
      }
      return null;
    },
    cacheUpload: async (site, name, archive) => upload(await cachePlace(site, name), archive),
  };
}

async function isThere(
  s3: S3,
  { region, bucket, key }: { region: string; bucket: string; key: string },
): Promise<boolean> {
  try {
    await s3.call(region, (client, options) =>
      client.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...s3.owner }), options),
    );
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}
