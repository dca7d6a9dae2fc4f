/** Serves the sites of an embedded plane over HTTP. */
import { type FileHandle, open } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type Coding, chooseCoding, createCompressedFiles, isCompressible } from './compression.ts';
import { isNotModified, readRange } from './conditional.ts';
import { askEachTime } from './file-headers.ts';
import type { LiveSite } from './live-site.ts';
import { missingPage, type Page, refusedPage, unknownSitePage } from './pages.ts';
import { compileSite, resolveRequest, type Site, type SiteAnswer } from './resolve.ts';

export type SiteSource = {
  /** What the site that host names call `label` serves now. */
  find(label: string): LiveSite | null;
  /** The file that holds a blob. */
  blobFile(slug: string, blob: string): string;
  /** Where compressed variants are kept; may be emptied at any time. */
  compressedDirectory: string;
  /** How long a request waits for a compressed variant before it gets the file as it is. Default: 150 ms. */
  patienceMs?: number;
  /** Told of what should not happen, such as a blob that cannot be read. */
  report?(error: unknown): void;
};

/** Answers a request for the site `label`. Every response is ended, whatever happens. */
export type SiteHandler = (label: string, request: IncomingMessage, response: ServerResponse) => void;

/** Up to this size a file is sent in one write. */
const smallBytes = 64 * 1024;

export function createSiteHandler(source: SiteSource): SiteHandler {
  const report = source.report ?? (() => {});
  const compressed = createCompressedFiles(source.compressedDirectory, source.patienceMs ?? 150, report);
  const compiled = new WeakMap<LiveSite, Site>();

  const siteOf = (live: LiveSite): Site => {
    const known = compiled.get(live) ?? compileSite(live);
    compiled.set(live, known);
    return known;
  };

  const answer = async (label: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('x-content-type-options', 'nosniff');
    const accept = request.headers.accept ?? '';
    const live = source.find(label);
    if (live === null) return sendPage(request, response, 404, unknownSitePage(label, accept));
    const { method = 'GET', url = '/' } = request;
    const found = resolveRequest(siteOf(live), { method, url, accept });
    switch (found.kind) {
      case 'refused':
        if (found.status === 405) response.setHeader('allow', 'GET, HEAD');
        return sendPage(request, response, found.status, refusedPage(found.status, accept));
      case 'redirect':
        setHeaders(response, { ...found.headers, location: found.location });
        response.writeHead(found.status, { 'content-length': 0 }).end();
        return;
      case 'missing':
        setHeaders(response, found.headers);
        return sendPage(request, response, 404, missingPage(found.path, accept));
      case 'file':
        return sendFile(request, response, found, {
          identity: source.blobFile(live.slug, found.file.blob),
          compressed: (coding) =>
            compressed.variant(source.blobFile(live.slug, found.file.blob), found.file.blob, coding),
        });
    }
  };

  return (label, request, response) => {
    answer(label, request, response).catch((error) => {
      // The client went away in mid-response: nobody is left to tell.
      if (response.destroyed || request.destroyed) return;
      report(error);
      if (response.headersSent) {
        response.destroy();
        return;
      }
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      response.setHeader('x-content-type-options', 'nosniff');
      sendPage(request, response, 500, refusedPage(500, request.headers.accept ?? ''));
    });
  };
}

type FileAnswer = Extract<SiteAnswer, { kind: 'file' }>;
type Variants = { identity: string; compressed(coding: 'br' | 'gzip'): Promise<string | null> };

async function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  answer: FileAnswer,
  variants: Variants,
): Promise<void> {
  setHeaders(response, answer.headers);
  response.setHeader('accept-ranges', 'bytes');
  let coding: Coding = 'identity';
  let path = variants.identity;
  if (isCompressible(answer.headers['content-type'] ?? '', answer.file.bytes)) {
    addVary(response, 'Accept-Encoding');
    const wanted = request.headers.range === undefined ? chooseCoding(request) : 'identity';
    const variant = wanted === 'identity' ? null : await variants.compressed(wanted);
    if (variant !== null) {
      coding = wanted;
      path = variant;
    }
  }
  const etag = coding === 'identity' ? `"${answer.file.blob}"` : `"${answer.file.blob}-${coding}"`;
  if (answer.status === 200) {
    response.setHeader('etag', etag);
    if (isNotModified(request.headers['if-none-match'], etag)) {
      response.removeHeader('content-type');
      response.writeHead(304).end();
      return;
    }
  }
  if (coding !== 'identity') response.setHeader('content-encoding', coding);

  const file = await open(path);
  try {
    const { size } = await file.stat();
    await sendBytes(request, response, { file, size, etag, status: answer.status });
  } finally {
    await file.close();
  }
}

async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { file, size, etag, status }: { file: FileHandle; size: number; etag: string; status: 200 | 404 },
): Promise<void> {
  const { range } = request.headers;
  const ifRange = request.headers['if-range']?.toString();
  const part = status === 200 && request.method === 'GET' ? readRange(range, ifRange, etag, size) : 'whole';
  if (part === 'unsatisfiable') {
    response.setHeader('content-range', `bytes */${size}`);
    response.setHeader('cache-control', askEachTime);
    return sendPage(request, response, 416, refusedPage(416, request.headers.accept ?? ''));
  }
  const { start, end } = part === 'whole' ? { start: 0, end: size - 1 } : part;
  response.statusCode = part === 'whole' ? status : 206;
  if (part !== 'whole') response.setHeader('content-range', `bytes ${start}-${end}/${size}`);
  const length = end - start + 1;
  response.setHeader('content-length', length);
  if (request.method === 'HEAD' || length === 0) {
    response.end();
    return;
  }
  if (length <= smallBytes) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, start);
    if (bytesRead !== length) throw new Error(`a blob ends at ${bytesRead} of ${length} bytes`);
    response.end(buffer);
    return;
  }
  await pipeline(
    file.createReadStream({ start, end, autoClose: false, highWaterMark: 256 * 1024 }),
    response,
  );
}

function sendPage(request: IncomingMessage, response: ServerResponse, status: number, page: Page): void {
  response.removeHeader('etag');
  if (!response.hasHeader('cache-control')) response.setHeader('cache-control', askEachTime);
  response.setHeader('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'");
  addVary(response, 'Accept');
  response.writeHead(status, { 'content-type': page.type, 'content-length': Buffer.byteLength(page.body) });
  response.end(request.method === 'HEAD' ? undefined : page.body);
}

function setHeaders(response: ServerResponse, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}

function addVary(response: ServerResponse, name: string): void {
  const before = String(response.getHeader('vary') ?? '');
  if (before.split(',').some((part) => part.trim().toLowerCase() === name.toLowerCase())) return;
  response.setHeader('vary', before === '' ? name : `${before}, ${name}`);
}
