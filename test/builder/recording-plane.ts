/** A plane over real HTTP that keeps strictly to the builder's contract and remembers all that it is told. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  type BuildResult,
  type BuildSpec,
  keepCacheSchema,
  type LogRequest,
  type PhaseRequest,
  phaseSchema,
  registerSchema,
  resultSchema,
} from '../../contract/builder-api.ts';
import { type ErrorCode, httpStatusOf } from '../../contract/errors.ts';
import { batchLimits, maxLineLength, type NewLine } from '../../contract/logs.ts';
import { type Manifest, manifestSchema } from '../../contract/manifest.ts';

export const deployment = 'dep_test';
export const bootstrapToken = 'bootstrap-token-of-the-test';

export type RecordingPlane = {
  readonly url: string;
  readonly phases: PhaseRequest[];
  readonly lines: NewLine[];
  readonly texts: string[];
  readonly heartbeats: number;
  readonly manifest: Manifest | null;
  readonly blobs: Map<string, Buffer>;
  readonly result: BuildResult | null;
  /** From now on every answer is 409. */
  makeStale(): void;
  /** Closes the port and every connection, as a `kill -9` does. */
  goAway(): Promise<void>;
  /** Listens on the same port again, with all that was kept. */
  comeBack(): Promise<void>;
  /** Resolves when `condition` holds, which is looked at after every request. */
  until(condition: () => boolean): Promise<void>;
  /** The next `count` log requests are kept and not answered: the connection breaks instead. */
  breakAfterLogs(count: number): void;
  close(): Promise<void>;
};

export type PlaneOptions = {
  spec: Partial<BuildSpec>;
  credential?: string;
  sourceFile?: string;
  /** Archives of caches by name, which builders of several planes may share. */
  caches?: Map<string, Buffer>;
};

class Refusal extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export async function startPlane(options: PlaneOptions): Promise<RecordingPlane> {
  const spec: BuildSpec = {
    deployment,
    attempt: 1,
    project: 'shop',
    target: 'live',
    source: { kind: 'prebuilt', digest: '0'.repeat(64) },
    sourceUrl: null,
    build: {},
    serving: {},
    siteUrl: 'http://shop.localhost:1234/',
    noCache: false,
    hasCredential: options.credential !== undefined,
    allowLocalRepository: true,
    timeLimitMs: 60_000,
    ...options.spec,
  };
  const seen = {
    phases: [] as PhaseRequest[],
    lines: [] as NewLine[],
    heartbeats: 0,
    lastBatch: 0,
    manifest: null as Manifest | null,
    blobs: new Map<string, Buffer>(),
    result: null as BuildResult | null,
    token: null as string | null,
    stale: false,
    breaks: 0,
  };
  const waiting: { condition: () => boolean; resolve: () => void }[] = [];
  const sockets = new Set<Socket>();
  let server: Server;
  let port = 0;

  /** A store that knows no tokens, but URLs. */
  const caches = options.caches ?? new Map<string, Buffer>();
  const storeUrl = (name = '') => `http://127.0.0.1:${port}/store/${name}`;
  const store = async (request: IncomingMessage, response: ServerResponse, name: string) => {
    const content = await readBody(request);
    const sent = createHash('sha256').update(content).digest('hex');
    if (request.method === 'PUT' && sent === request.headers['x-sha256']) caches.set(name, content);
    else if (request.method !== 'GET' || request.headers.authorization) response.statusCode = 400;
    response.end(request.method === 'GET' ? caches.get(name) : '');
  };

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const match = new RegExp(`^/v1/builds/${deployment}/1/([a-z]+)(?:/([0-9a-z-]+))?$`).exec(
      request.url ?? '',
    );
    const name = match?.[1];
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const body = await readBody(request);
    const json = () => JSON.parse(body.toString('utf8')) as unknown;
    if (seen.stale) throw new Refusal('ATTEMPT_STALE', 'the attempt is over');
    if (name === 'register') {
      if (bearer !== bootstrapToken) throw new Refusal('NOT_SIGNED_IN', 'wrong bootstrap token');
      const { token } = registerSchema.parse(json());
      if (seen.token !== null && seen.token !== token) throw new Refusal('NOT_SIGNED_IN', 'already spent');
      seen.token = token;
      return spec;
    }
    if (bearer === undefined || bearer !== seen.token) throw new Refusal('NOT_SIGNED_IN', 'wrong token');
    switch (`${request.method} ${name}`) {
      case 'POST phase':
        seen.phases.push(phaseSchema.parse(json()) as PhaseRequest);
        return {};
      case 'POST heartbeat':
        seen.heartbeats += 1;
        return {};
      case 'POST logs': {
        const { batch, lines } = json() as LogRequest;
        if (lines.length === 0 || lines.length > batchLimits.lines || body.length > batchLimits.bytes) {
          throw new Refusal('REQUEST_INVALID', `a batch of ${lines.length} lines, ${body.length} bytes`);
        }
        if (lines.some((line) => line[3].length > maxLineLength))
          throw new Refusal('REQUEST_INVALID', 'a long line');
        if (batch === seen.lastBatch + 1) {
          for (const line of lines) seen.lines.push(line);
          seen.lastBatch = batch;
        } else if (batch !== seen.lastBatch) {
          throw new Refusal('REQUEST_INVALID', `batch ${batch} after ${seen.lastBatch}`);
        }
        if (seen.breaks > 0) {
          seen.breaks -= 1;
          request.socket.destroy();
        }
        return { last: seen.lines.length };
      }
      case 'GET credential':
        if (options.credential === undefined) throw new Refusal('NOT_FOUND', 'no credential');
        return { token: options.credential };
      case 'POST manifest': {
        seen.manifest = manifestSchema.parse(json());
        const blobs = [...new Set(Object.values(seen.manifest.files).map((file) => file.blob))];
        const missing = blobs.filter((blob) => !seen.blobs.has(blob));
        return {
          missing: missing.map((blob) => ({
            blob,
            url: `http://127.0.0.1:${port}/v1/builds/${deployment}/1/blobs/${blob}`,
            headers: { authorization: `Bearer ${seen.token}` },
          })),
        };
      }
      case 'PUT blobs': {
        const digest = createHash('sha256').update(body).digest('hex');
        if (digest !== match?.[2]) throw new Refusal('DIGEST_MISMATCH', 'not that blob');
        seen.blobs.set(digest, body);
        return {};
      }
      case 'GET caches':
        return { url: caches.has(match?.[2] ?? '') ? storeUrl(match?.[2]) : null };
      case 'POST caches': {
        const { sha256 } = keepCacheSchema.parse(json());
        return { url: storeUrl(match?.[2]), headers: { 'x-sha256': sha256 } };
      }
      case 'POST result':
        seen.result = resultSchema.parse(json());
        return {};
      default:
        throw new Refusal('NOT_FOUND', `${request.method} ${request.url}`);
    }
  };

  const listener = (request: IncomingMessage, response: ServerResponse) => {
    if (options.sourceFile !== undefined && request.url?.endsWith('/source')) {
      request.resume();
      createReadStream(options.sourceFile).pipe(response);
      return;
    }
    const name = /^\/store\/([0-9a-z-]+)$/.exec(request.url ?? '')?.[1];
    if (name !== undefined) return void store(request, response, name);
    answer(request)
      .then((value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value)))
      .catch((error: Error) => {
        const code = error instanceof Refusal ? error.code : 'REQUEST_INVALID';
        response.statusCode = httpStatusOf(code);
        response.end(JSON.stringify({ error: { code, message: error.message, requestId: 'test' } }));
      })
      .finally(() => {
        for (const waiter of waiting.filter(({ condition }) => condition())) {
          waiting.splice(waiting.indexOf(waiter), 1);
          waiter.resolve();
        }
      });
  };
  const listen = async () => {
    server = createServer(listener);
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    port = (server.address() as AddressInfo).port;
  };
  const goAway = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen();
  return {
    url: `http://127.0.0.1:${port}`,
    phases: seen.phases,
    lines: seen.lines,
    blobs: seen.blobs,
    get texts() {
      return seen.lines.map((line) => line[3]);
    },
    get heartbeats() {
      return seen.heartbeats;
    },
    get manifest() {
      return seen.manifest;
    },
    get result() {
      return seen.result;
    },
    makeStale: () => {
      seen.stale = true;
    },
    breakAfterLogs: (count) => {
      seen.breaks = count;
    },
    goAway,
    comeBack: listen,
    until: (condition) =>
      condition() ? Promise.resolve() : new Promise((resolve) => waiting.push({ condition, resolve })),
    close: goAway,
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
