/**
 * A proxy in front of an S3 server that is farther away, busier and less reliable than the real one, and that remembers
 * what was asked: the server of the tests accepts some things that AWS refuses.
 */
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** What happens to a request: a cut before it arrives, a cut before its answer does, or another answer than the server's. */
export type Fault =
  | 'cut'
  | 'answer-lost'
  | { status: number; body: string /** The server did what it was asked. */; done?: boolean };

/** An answer as S3 refuses with. */
export function refusal(status: number, code: string): Extract<Fault, object> {
  return {
    status,
    body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
  };
}

/** S3 is busy. */
export const slowDown = refusal(503, 'SlowDown');

export type Asked = {
  operation: string;
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: string;
};

export type S3Proxy = {
  endpoint: string;
  /** Every request since the last `forget`, in the order of arrival. */
  asked: Asked[];
  forget(): void;
  /** How often each operation was asked for. */
  counts(): Record<string, number>;
  /** Decides about each request; null passes it on. */
  fault: (asked: Asked) => Fault | null;
  /** Called before a request is passed on, awaited. */
  before: (asked: Asked) => Promise<void> | void;
  latencyMs: number;
  /** The most requests that were under way at once. */
  mostAtOnce(): number;
  close(): Promise<void>;
};

/** Forwards to `target`. Host headers stay, because they are signed. */
export async function startS3Proxy(target: { port: number }, latencyMs = 0): Promise<S3Proxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  let atOnce = 0;
  let most = 0;
  const server = createServer((incoming, outgoing) => {
    atOnce += 1;
    most = Math.max(most, atOnce);
    outgoing.once('close', () => {
      atOnce -= 1;
    });
    pass(proxy, target.port, agent, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: S3Proxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    forget: () => {
      proxy.asked.length = 0;
      most = 0;
    },
    counts: () => {
      const counts: Record<string, number> = {};
      for (const { operation } of proxy.asked) counts[operation] = (counts[operation] ?? 0) + 1;
      return counts;
    },
    fault: () => null,
    before: () => {},
    latencyMs,
    mostAtOnce: () => most,
    close: () => {
      agent.destroy();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

async function pass(
  proxy: S3Proxy,
  port: number,
  agent: Agent,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const asked = describe(incoming, body);
  proxy.asked.push(asked);
  if (proxy.latencyMs > 0) await wait(proxy.latencyMs);
  await proxy.before(asked);
  const fault = proxy.fault(asked);
  if (fault === 'cut') {
    incoming.socket.destroy();
    return;
  }
  if (fault !== null && fault !== 'answer-lost' && fault.done !== true) {
    answerWith(outgoing, fault);
    return;
  }
  await forward({ port, agent, incoming, outgoing, body, fault });
}

function answerWith(outgoing: ServerResponse, { status, body }: Extract<Fault, object>): void {
  outgoing.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}

type Exchange = {
  port: number;
  agent: Agent;
  incoming: IncomingMessage;
  outgoing: ServerResponse;
  body: Buffer;
  /** What becomes of the answer; null: it is passed on. */
  fault: Exclude<Fault, 'cut'> | null;
};

function forward({ port, agent, incoming, outgoing, body, fault }: Exchange): Promise<void> {
  return new Promise((resolve, reject) => {
    const { method, url, headers } = incoming;
    const further = request({ host: '127.0.0.1', port, agent, method, path: url, headers }, (answer) => {
      if (fault !== null) {
        answer.resume().once('end', () => {
          if (fault === 'answer-lost') incoming.socket.destroy();
          else answerWith(outgoing, fault);
          resolve();
        });
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
      outgoing.once('close', resolve);
    });
    further.once('error', reject);
    further.end(body);
  });
}

function describe({ method = 'GET', url = '/', headers }: IncomingMessage, body: Buffer): Asked {
  const { pathname, searchParams } = new URL(url, 'http://s3');
  const asked = { method, path: decodeURIComponent(pathname), query: searchParams, headers };
  // Of blobs only the beginning: tests look at XML and JSON.
  return { ...asked, operation: operationOf(asked), body: body.subarray(0, 100_000).toString('utf8') };
}

const subresources: Record<string, string> = {
  tagging: 'BucketTagging',
  policy: 'BucketPolicy',
  website: 'BucketWebsite',
  lifecycle: 'BucketLifecycleConfiguration',
  publicAccessBlock: 'PublicAccessBlock',
};

function operationOf({ method, path, query, headers }: Omit<Asked, 'operation' | 'body'>): string {
  const verb = `${method.slice(0, 1)}${method.slice(1).toLowerCase()}`;
  for (const [name, what] of Object.entries(subresources)) if (query.has(name)) return `${verb}${what}`;
  if (query.has('delete')) return 'DeleteObjects';
  const isObject = path.slice(1).includes('/') && !path.endsWith('/');
  if (!isObject)
    return method === 'GET' ? 'ListObjectsV2' : method === 'PUT' ? 'CreateBucket' : `${verb}Bucket`;
  return headers['x-amz-copy-source'] === undefined ? `${verb}Object` : 'CopyObject';
}
