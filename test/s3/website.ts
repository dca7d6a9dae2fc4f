/** A whole S3 for a test file: the server, the proxy in front of it, stores that use it, and a visitor of websites. */
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { Serving } from '../../contract/configuration.ts';
import type { Manifest } from '../../contract/manifest.ts';
import { forEachBounded } from '../../files/bounded.ts';
import type { S3Options } from '../../server/adapters/s3/options.ts';
import { type Radosgw, startRadosgw } from '../peers/radosgw.ts';
import { type S3Proxy, startS3Proxy } from '../peers/s3-proxy.ts';

export type Content = Record<string, string>;
export type Visit = { status: number; headers: Record<string, string>; text: string };

export type TestS3 = {
  server: Radosgw;
  proxy: S3Proxy;
  options(change?: Partial<S3Options>): S3Options;
  /** What the stores reported. */
  reported: string[];
  /** The SDK as anybody would use it, past the proxy. */
  client: S3Client;
  stranger: S3Client;
  /** One request of a visitor. `*.localhost` does not resolve in Node: the name goes into the Host header. */
  visit(bucket: string, path: string, headers?: Record<string, string>): Promise<Visit>;
  /** Everything in a bucket: key to content and headers. */
  contents(bucket: string): Promise<Record<string, string>>;
  stop(): Promise<void>;
};

export async function startS3(): Promise<TestS3> {
  const server = await startRadosgw();
  const proxy = await startS3Proxy(server);
  const reported: string[] = [];
  const clientOf = (credentials: Radosgw['credentials']) =>
    new S3Client({
      region: 'us-east-1',
      endpoint: server.endpoint,
      forcePathStyle: true,
      credentials,
      requestChecksumCalculation: 'WHEN_REQUIRED',
    });
  const client = clientOf(server.credentials);
  const stranger = clientOf(server.stranger);
  return {
    server,
    proxy,
    reported,
    client,
    stranger,
    options: (change = {}) => ({
      regions: ['us-east-1', 'eu-central-1'],
      bucketNames: { kind: 'slug' },
      accountId: '123456789012',
      artifactPrefix: 'sphere',
      planeId: 'plane-1',
      credentials: server.credentials,
      compatible: {
        endpoint: proxy.endpoint,
        forcePathStyle: true,
        website: `http://{bucket}.web.localhost:${server.port}`,
        contentCheck: 'x-amz-content-sha256',
      },
      settlingMs: 2_000,
      backoffMs: 5,
      report: (problem) => reported.push(problem),
      ...change,
    }),
    visit: (bucket, path, headers = {}) => visit(server, bucket, path, headers),
    contents: (bucket) => contentsOf(client, bucket),
    async stop() {
      await proxy.close();
      await server.stop();
    },
  };
}

/**
 * Speaks HTTP by hand: where a site has no error page, radosgw sends its own twice, which no HTTP client takes. HTTP/1.0,
 * so that nothing comes in chunks.
 */
export function visit(
  server: Radosgw,
  bucket: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const all = { ...headers, host: server.websiteHost(bucket) };
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connect(server.port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.0\r\n${head.join('')}\r\n`);
    buffer(socket).then((answer) => resolve(readAnswer(answer.toString())), reject);
  });
}

function readAnswer(answer: string): Visit {
  const end = answer.indexOf('\r\n\r\n');
  const [start = '', ...lines] = answer.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  return { status: Number(start.split(' ')[1]), headers, text: answer.slice(end + 4) };
}

async function contentsOf(client: S3Client, bucket: string): Promise<Record<string, string>> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client }, { Bucket: bucket })) {
    keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key ?? []));
  }
  const found: Record<string, string> = {};
  await forEachBounded(keys, 32, async (key) => {
    const object = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    const text = (await object.Body?.transformToString()) ?? '';
    const location = object.WebsiteRedirectLocation;
    found[key] = location === undefined ? text : `-> ${location}`;
  });
  return found;
}

export function blobOf(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

/** The manifest of `content`. */
export function manifestOf(content: Content, serving: Serving = {}): Manifest {
  const files = Object.entries(content).map(([path, text]) => [
    path,
    { blob: blobOf(text), bytes: Buffer.byteLength(text) },
  ]);
  return { version: 1, files: Object.fromEntries(files), serving };
}
