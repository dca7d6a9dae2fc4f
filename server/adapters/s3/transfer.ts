/** Signs URLs by which builders and the CLI reach the artifact bucket themselves. */
import { createHash, createHmac } from 'node:crypto';
import { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import type { DirectTransfer, Upload } from '../../ports.ts';
import { type ArtifactBuckets, artifactKeys } from './artifact-bucket.ts';
import type { S3 } from './client.ts';
import { regionFacts } from './region-table.ts';

/** How long a signed URL is good, in seconds: 2 GB take 55 minutes at 5 Mbit/s. */
const validSeconds = 3600;

/**
 * The uploads of blobs carry the SHA-256 and the length as signed headers: S3 refuses other content by itself. Sources
 * are archives whose digest is not that of their bytes; who unpacks one checks it.
 */
export function createDirectTransfer(s3: S3, buckets: ArtifactBuckets): DirectTransfer {
  const home = s3.options.regions[0] as string;
  const check = s3.options.compatible?.contentCheck ?? 'x-amz-checksum-sha256';
  const signers = new Map<string, S3RequestPresigner>();
  const signerOf = (region: string): S3RequestPresigner => {
    // The signer itself, not `getSignedUrl`: that runs the SDK's whole middleware for each URL.
    const made = signers.get(region) ?? createSigner(s3, region);
    signers.set(region, made);
    return made;
  };

  const sign = async (
    method: 'GET' | 'PUT',
    at: { region: string; key: string },
    headers: Record<string, string> = {},
  ): Promise<string> => {
    const place = addressOfObject(s3, at.region, await buckets(at.region), at.key);
    const names = ['host', ...Object.keys(headers)];
    const signed = await signerOf(at.region).presign(
      {
        method,
        protocol: place.protocol,
        hostname: place.hostname,
        ...(place.port === '' ? {} : { port: Number(place.port) }),
        path: place.pathname,
        query: {},
        headers: { host: place.host, ...headers },
      },
      {
        expiresIn: validSeconds,
        signableHeaders: new Set(names),
        // Else they would move into the query, where S3 takes no checksum from.
        unhoistableHeaders: new Set(names),
      },
    );
    const query = Object.entries(signed.query ?? {})
      .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
      .join('&');
    return `${place.href}?${query}`;
  };

  return {
    kind: 'direct',
    async sourceUpload(account, digest) {
      return {
        url: await sign('PUT', { region: home, key: artifactKeys.source(account, digest) }),
        headers: {},
      };
    },
    sourceDownload: (account, digest) =>
      sign('GET', { region: home, key: artifactKeys.source(account, digest) }),
    async blobUploads({ project, region }, blobs) {
      const uploads: Upload[] = [];
      for (const { blob, bytes } of blobs) {
        const digest = Buffer.from(blob, 'hex');
        const headers = { [check]: check === 'x-amz-content-sha256' ? blob : digest.toString('base64') };
        const signedHeaders = { ...headers, 'content-length': String(bytes) };
        const url = await sign('PUT', { region, key: artifactKeys.blob(project, blob) }, signedHeaders);
        // The length is what every client sends by itself.
        uploads.push({ url, headers });
      }
      return uploads;
    },
  };
}

function createSigner(s3: S3, region: string): S3RequestPresigner {
  return new S3RequestPresigner({
    region,
    credentials: s3.client(region).config.credentials,
    sha256: NodeSha256,
  });
}

/** SHA-256 and its HMAC as the signer wants them. */
class NodeSha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string') return data;
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/** Where S3's API has an object. Our keys need no escaping. */
function addressOfObject(s3: S3, region: string, bucket: string, key: string): URL {
  const { compatible } = s3.options;
  const base = new URL(compatible ? compatible.endpoint : `https://${regionFacts(region).apiHost}`);
  if (compatible?.forcePathStyle) return new URL(`/${bucket}/${key}`, base);
  base.hostname = `${bucket}.${base.hostname}`;
  return new URL(`/${key}`, base);
}
