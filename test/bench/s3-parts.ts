/** What `scripts/bench s3` needs of the program and the tests, as functions of its own: it is bundled for that script. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { S3RequestPresigner } from '@aws-sdk/s3-request-presigner';
import { Agent, request } from 'undici';
import { outputLimits } from '../../contract/manifest.ts';
import { forEachBounded } from '../../files/bounded.ts';
import { collectOutput } from '../../files/output.ts';
import { uploadMissing } from '../../files/upload.ts';
import type { S3Options } from '../../server/adapters/s3/options.ts';
import { createS3SiteStore } from '../../server/adapters/s3/site-store.ts';
import type { Site, SitePublication, SiteStore } from '../../server/ports.ts';
import { type Radosgw, startRadosgw } from '../peers/radosgw.ts';

export type { Radosgw };
export const startServer = startRadosgw;

export function openStore(server: Radosgw, endpoint: string): SiteStore {
  const options: S3Options = {
    regions: ['us-east-1'],
    bucketNames: { kind: 'slug' },
    accountId: '123456789012',
    artifactPrefix: 'bench',
    planeId: 'bench',
    credentials: server.credentials,
    compatible: {
      endpoint,
      forcePathStyle: true,
      website: `http://{bucket}.web.localhost:${server.port}`,
      contentCheck: 'x-amz-content-sha256',
    },
    report: (problem) => process.stderr.write(`${problem}\n`),
  };
  return createS3SiteStore(options);
}

/** What builder and plane do with an output: hash, ask, upload, publish. Milliseconds of each. */
export async function deploy(
  store: SiteStore,
  what: { site: Site; directory: string; concurrency: number } & Pick<SitePublication, 'deployment' | 'live'>,
) {
  const { site, directory, deployment, live, concurrency } = what;
  const started = performance.now();
  const { files } = await collectOutput(directory, outputLimits);
  const hashed = performance.now();
  await store.putManifest(site, deployment, { version: 1, files, serving: {} });
  const blobs = new Map(Object.values(files).map(({ blob, bytes }) => [blob, bytes]));
  const missing = await store.missingBlobs(site, blobs);
  const { transfer } = store;
  if (transfer.kind !== 'direct') throw new Error('the store is not S3');
  const uploads = await transfer.blobUploads(
    site,
    missing.map((blob) => ({ blob, bytes: blobs.get(blob) as number })),
  );
  const pathOf = new Map(Object.entries(files).map(([path, { blob }]) => [blob, join(directory, path)]));
  const items = uploads.map((upload, n) => ({
    ...upload,
    path: pathOf.get(missing[n] as string) as string,
    bytes: blobs.get(missing[n] as string) as number,
  }));
  await uploadMissing(items, { concurrency });
  const uploaded = performance.now();
  await store.publish({
    site,
    deployment,
    order: 1,
    live,
    recent: live === null ? [] : [live],
    unfinished: [],
    signal: new AbortController().signal,
    until: () => Date.now() + 60_000,
  });
  const ended = performance.now();
  return {
    hash: hashed - started,
    upload: uploaded - hashed,
    publish: ended - uploaded,
    all: ended - started,
  };
}

/** The same files by signed PUT and then COPY, with nothing around them; all is signed before the clock starts. */
export async function raw(
  server: Radosgw,
  what: { endpoint: string; bucket: string; directory: string; concurrency: number },
): Promise<number> {
  const { bucket, directory, concurrency } = what;
  const place = new URL(what.endpoint);
  const { config } = new S3Client({ region: 'us-east-1', credentials: server.credentials });
  const signer = new S3RequestPresigner({
    region: 'us-east-1',
    credentials: server.credentials,
    sha256: config.sha256,
  });
  const sign = async (key: string, headers: Record<string, string>) => {
    const path = `/${bucket}/${key}`;
    const { query = {} } = await signer.presign(
      {
        method: 'PUT',
        protocol: 'http:',
        hostname: place.hostname,
        port: Number(place.port),
        path,
        query: {},
        headers: { host: place.host, ...headers },
      },
      {
        expiresIn: 3600,
        unhoistableHeaders: new Set(Object.keys(headers)),
        signableHeaders: new Set(['host', ...Object.keys(headers)]),
      },
    );
    const pairs = Object.entries(query).map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value))}`,
    );
    return { url: `${what.endpoint}${path}?${pairs.join('&')}`, headers };
  };
  const { files } = await collectOutput(directory, outputLimits);
  const paths = Object.keys(files);
  const puts = await Promise.all(paths.map((path) => sign(`raw/${path}`, {})));
  const copies = await Promise.all(
    paths.map((path) => sign(`copy/${path}`, { 'x-amz-copy-source': `${bucket}/raw/${path}` })),
  );
  const dispatcher = new Agent({ connections: concurrency });
  const send = async (to: (typeof puts)[number], body: Buffer | null) => {
    const answer = await request(to.url, { method: 'PUT', dispatcher, headers: to.headers, body });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${text}`);
  };
  const started = performance.now();
  await forEachBounded(paths, concurrency, async (path, n) =>
    send(puts[n] as (typeof puts)[number], await readFile(join(directory, path))),
  );
  await forEachBounded(paths, concurrency, (_, n) => send(copies[n] as (typeof puts)[number], null));
  const ms = performance.now() - started;
  await dispatcher.destroy();
  return ms;
}
