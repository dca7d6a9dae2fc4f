/** URLs by which builders and the CLI reach the artifact bucket themselves. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DirectTransfer, Upload } from '../../ports.ts';
import { type ArtifactBuckets, artifactKeys } from './artifact-bucket.ts';
import type { S3 } from './client.ts';
import { createSign } from './signing.ts';

/** URLs signed in one go: about 10 ms. */
const turn = 250;
/** How long a signed URL is good: 2 GB take 55 minutes at 5 Mbit/s. */
const validSeconds = 3600;

/**
 * The uploads of blobs carry the SHA-256 and the length as signed headers: S3 refuses other content by itself. Sources
 * are archives whose digest is not that of their bytes; who unpacks one checks it.
 */
export function createDirectTransfer(s3: S3, buckets: ArtifactBuckets): DirectTransfer {
  const home = s3.options.regions[0] as string;
  const check = s3.options.compatible?.contentCheck ?? 'x-amz-checksum-sha256';
  const sign = createSign(s3);
  const source = async (method: 'GET' | 'PUT', account: string, digest: string) =>
    sign({
      method,
      region: home,
      bucket: await buckets(home),
      key: artifactKeys.source(account, digest),
      validSeconds,
    });

  return {
    kind: 'direct',
    sourceUpload: async (account, digest) => ({ url: await source('PUT', account, digest), headers: {} }),
    sourceDownload: (account, digest) => source('GET', account, digest),
    async blobUploads({ project, region }, blobs) {
      const bucket = await buckets(region);
      const uploads: Upload[] = [];
      for (const [n, { blob, bytes }] of blobs.entries()) {
        // Signing is all computing: others get their turn in between.
        if (n % turn === turn - 1) await nextTurn();
        const value = check === 'x-amz-content-sha256' ? blob : Buffer.from(blob, 'hex').toString('base64');
        const url = await sign({
          method: 'PUT',
          region,
          bucket,
          key: artifactKeys.blob(project, blob),
          headers: { [check]: value, 'content-length': String(bytes) },
          validSeconds,
        });
        // The length is what every client sends by itself.
        uploads.push({ url, headers: { [check]: value } });
      }
      return uploads;
    },
  };
}
