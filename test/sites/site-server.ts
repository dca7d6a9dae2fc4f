/** A real HTTP server that serves sites from real files, and a client that sends request lines as they are. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { Serving } from '../../contract/configuration.ts';
import type { ManifestFile } from '../../contract/manifest.ts';
import type { LiveSite } from '../../server/sites/live-site.ts';
import { createSiteHandler } from '../../server/sites/serve.ts';
import { emptyDirectory } from '../files/tree.ts';

type Content = Record<string, string | Buffer>;
export type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer; text: string };

export type SiteServer = {
  directory: string;
  port: number;
  /** What the handler reported. */
  reported: unknown[];
  blobOf(path: string): string;
  blobFile(path: string): string;
  /** One request; `path` goes out as it is. */
  get(
    path: string,
    options?: { method?: string; headers?: Record<string, string>; slug?: string },
  ): Promise<Answer>;
  /** Sends exactly these bytes and resolves with all that comes back. */
  raw(bytes: string): Promise<string>;
  /** Responses that have begun and not ended. */
  open(): number;
};

/** Serves `files` as the site `shop`. */
export async function serveSite(
  files: Content,
  serving: Serving = {},
  retained: Content = {},
  patienceMs = 60_000,
): Promise<SiteServer> {
  const directory = emptyDirectory();
  const blobs = join(directory, 'blobs');
  mkdirSync(blobs);
  const store = (content: Content): [string, ManifestFile][] =>
    Object.entries(content).map(([path, data]) => {
      const blob = createHash('sha256').update(data).digest('hex');
      writeFileSync(join(blobs, blob), data);
      return [path, { blob, bytes: Buffer.byteLength(data) }];
    });
  const live: LiveSite = {
    slug: 'shop',
    deployment: 'd1',
    order: 1,
    manifest: { version: 1, files: Object.fromEntries(store(files)), serving },
    retained: new Map(store(retained)),
  };
  const reported: unknown[] = [];
  const handle = createSiteHandler({
    find: (slug) => (slug === 'shop' ? live : null),
    blobFile: (_project, blob) => join(blobs, blob),
    compressedDirectory: join(directory, 'compressed'),
    patienceMs,
    report: (error) => reported.push(error),
  });
  let openResponses = 0;
  const server = createServer((req, res) => {
    openResponses += 1;
    res.once('close', () => {
      openResponses -= 1;
    });
    handle(String(req.headers['x-slug'] ?? 'shop'), req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const blobOf = (path: string) => (live.manifest.files[path] ?? live.retained.get(path))?.blob ?? '';
  return {
    directory,
    port,
    reported,
    blobOf,
    blobFile: (path) => join(blobs, blobOf(path)),
    get: (path, { method = 'GET', headers = {}, slug } = {}) =>
      send(port, path, method, slug === undefined ? headers : { ...headers, 'x-slug': slug }),
    raw: (bytes) => sendRaw(port, bytes),
    open: () => openResponses,
  };
}

function send(port: number, path: string, method: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (incoming) => {
      buffer(incoming).then(
        (body) =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body,
            text: body.toString(),
          }),
        reject,
      );
    });
    outgoing.once('error', reject);
    outgoing.end();
  });
}

function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.once('error', reject);
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}
