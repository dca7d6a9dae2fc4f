/** Signs single requests to S3: for others who are to send them, and for ourselves where the SDK's client costs too much. */
import { createHash, createHmac } from 'node:crypto';
import { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import { type S3, signingRegion } from './client.ts';
import { regionFacts } from './region-table.ts';
import { TooLate } from './retry.ts';

export type RequestToSign = {
  method: 'GET' | 'PUT';
  region: string;
  bucket: string;
  key: string;
  /** Are part of the signature: the request is refused without them, or with other values. */
  headers?: Record<string, string>;
} & Validity;

/** How long a signature is good, or until when at most, in milliseconds since 1970 by this machine's clock. */
export type Validity = { validSeconds: number } | { until: number };

/** So long at most is a signature good that has to end at some time. */
const mostSeconds = 300;

/** The URL that carries the signature of a request. */
export type Sign = (request: RequestToSign) => Promise<string>;

/** The signer itself, not `getSignedUrl`, which runs the SDK's whole middleware for each URL: 20,000 take under a second. */
export function createSign(s3: S3): Sign {
  const signers = new Map<string, S3RequestPresigner>();
  const signerOf = (region: string): S3RequestPresigner => {
    const made = signers.get(region) ?? signerFor(s3, region);
    signers.set(region, made);
    return made;
  };
  return async ({ method, region, bucket, key, headers = {}, ...validity }) => {
    const { origin, host, hostname, port, protocol, path } = placeOf(s3, region, bucket, key);
    const names = new Set(['host', ...Object.keys(headers)]);
    const { query = {} } = await signerOf(region).presign(
      {
        method,
        protocol,
        hostname,
        ...(port === '' ? {} : { port: Number(port) }),
        path,
        query: {},
        headers: { host, ...headers },
      },
      // Else they would move into the query, where S3 reads no checksum and no type.
      { ...lifetimeOf(s3, region, validity), signableHeaders: names, unhoistableHeaders: names },
    );
    const pairs = Object.entries(query).map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
    );
    return `${origin}${path}?${pairs.join('&')}`;
  };
}

/** Makes signatures with the credentials of the client. */
export function signerFor(s3: S3, region: string): S3RequestPresigner {
  const { credentials } = s3.client(region).config;
  return new S3RequestPresigner({
    region: signingRegion(s3.options, region),
    credentials,
    sha256: NodeSha256,
  });
}

/**
 * When a signature begins and for how many seconds it is good, by S3's clock as far as its answers to the client told
 * (the SDK corrects what is more than five minutes). Throws when the time until which it may be good is over, `TooLate` when
 * what is left of it is less than the whole second that a signature needs.
 */
export function lifetimeOf(
  s3: S3,
  region: string,
  validity: Validity,
): { signingDate: Date; expiresIn: number } {
  const ahead = s3.client(region).config.systemClockOffset ?? 0;
  const signingDate = new Date(Date.now() + ahead);
  if ('validSeconds' in validity) return { signingDate, expiresIn: validity.validSeconds };
  // A signature has its date in whole seconds, and its end counts from there.
  const [from, to] = [signingDate.getTime(), validity.until + ahead].map((ms) => Math.floor(ms / 1000));
  const expiresIn = Math.min((to as number) - (from as number), mostSeconds);
  if (expiresIn >= 1) return { signingDate, expiresIn };
  const message = 'the time within which this publication may write is over';
  throw Date.now() < validity.until ? new TooLate(message) : new Error(message);
}

/** Where S3's API has an object: below the bucket's own host, or below its path. */
function placeOf(s3: S3, region: string, bucket: string, key: string) {
  const { compatible } = s3.options;
  const base = new URL(compatible ? compatible.endpoint : `https://${regionFacts(region).apiHost}`);
  const inPath = compatible?.forcePathStyle === true;
  if (!inPath) base.hostname = `${bucket}.${base.hostname}`;
  const { origin, host, hostname, port, protocol } = base;
  return { origin, host, hostname, port, protocol, path: `${inPath ? `/${bucket}` : ''}/${escapeKey(key)}` };
}

/** A key as it stands in the path of a URL and in the signature (RFC 3986). */
export function escapeKey(key: string): string {
  return encodeURIComponent(key)
    .replaceAll('%2F', '/')
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
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
