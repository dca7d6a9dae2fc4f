/** infra/nginx/sphere.conf in the real Nginx, before two small servers that stand for the replicas. */
import { readFileSync } from 'node:fs';
import {
  createServer,
  type IncomingMessage,
  request as plainRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as secureRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import { type Nginx, startNginx } from '../peers/nginx.ts';

type Replica = {
  name: string;
  address: string;
  /** `METHOD path` of each request, in order. */
  seen: string[];
  /** As a `kill -9`: the port is closed, and every connection breaks. */
  kill(): Promise<void>;
  revive(): Promise<void>;
};

let [first, second]: Replica[] = [];
let nginx: Nginx;

beforeAll(async () => {
  [first, second] = [await startReplica('first'), await startReplica('second')];
});
afterAll(() => Promise.all([first?.kill(), second?.kill()]));
beforeEach(async () => {
  for (const replica of [first, second]) replica?.seen.splice(0);
  nginx = await startNginx([first?.address ?? '', second?.address ?? '']);
  return () => nginx.stop();
});

/** Answers as a plane would, in so far as Nginx can tell. */
async function startReplica(name: string): Promise<Replica> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let port = 0;
  const revive = async () => {
    if (server?.listening) return;
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      seen.push(`${request.method} ${request.url}`);
      answers[request.url?.split('/').at(-1) ?? '']?.(request, response);
      if (request.url === '/v1/headers') response.end(JSON.stringify(request.headers));
      if (request.url === '/v1/name') response.end(name);
    };
    const opened = createServer({ keepAliveTimeout: 75_000 }, listener);
    opened.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const live = new SocketServer(opened, { path: followPath, transports: ['websocket'] });
    live.on('connection', (socket) => {
      socket.emit('hello', name, socket.handshake.headers['x-forwarded-for']);
      socket.on('echo', (value: unknown, answer: (value: unknown) => void) => answer(value));
    });
    await new Promise<void>((done) => opened.listen(port, '127.0.0.1', done));
    port = (opened.address() as AddressInfo).port;
    server = opened;
  };
  await revive();
  return {
    name,
    address: `127.0.0.1:${port}`,
    seen,
    revive,
    async kill() {
      if (!server?.listening) return;
      const closed = new Promise((done) => server?.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What a replica still has to do in the test that runs. */
const answers: Record<string, Answer> = {};

type Reply = { status: number; headers: IncomingMessage['headers']; body: string };

/** Sends a request over TLS, trusting Nginx's certificate; `onResponse` sees the answer as it comes. */
function send(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: AsyncIterable<Buffer> | string } = {},
  onChunk: (text: string) => void = () => {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = secureRequest(
      `${nginx.url}${path}`,
      {
        ca: readFileSync(nginx.certificateFile),
        method: options.method ?? 'GET',
        headers: options.headers ?? {},
        agent: false,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
          onChunk(text);
        });
        response.once('error', reject);
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    request.once('error', reject);
    const { body = '' } = options;
    if (typeof body === 'string') request.end(body);
    else
      (async () => {
        for await (const chunk of body) request.write(chunk);
        request.end();
      })().catch(reject);
  });
}

describe('requests', () => {
  test('go to both replicas by turns', async () => {
    const names = new Set<string>();
    for (let count = 0; count < 8; count++) names.add((await send('/v1/name')).body);
    expect([...names].sort()).toEqual(['first', 'second']);
  });

  test('carry the real address of the caller, whatever it claims to be', async () => {
    const { body } = await send('/v1/headers', {
      headers: {
        'X-Forwarded-For': '203.0.113.9, 198.51.100.7',
        'X-Forwarded-Proto': 'http',
        'X-Forwarded-Host': 'evil.example.com',
        'X-Forwarded-Port': '1',
        'X-Real-IP': '203.0.113.9',
        Forwarded: 'for=203.0.113.9',
        Authorization: 'Bearer token',
      },
    });
    const headers = JSON.parse(body);
    expect(headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'localhost',
      authorization: 'Bearer token',
    });
    for (const name of ['forwarded', 'x-real-ip', 'x-forwarded-port']) expect(headers[name]).toBeUndefined();
  });

  test('over plain HTTP are sent to https under the configured name, with their method', async () => {
    const reply = await new Promise<IncomingMessage>((resolve, reject) => {
      plainRequest(
        `${nginx.httpUrl}/v1/deployments?limit=1`,
        { method: 'POST', headers: { Host: 'evil.example.com' } },
        resolve,
      )
        .once('error', reject)
        .end();
    });
    reply.resume();
    expect(reply.statusCode).toBe(308);
    expect(reply.headers.location).toBe('https://localhost/v1/deployments?limit=1');
  });

  test('are told to come by TLS from now on, and not which Nginx it is', async () => {
    const { headers } = await send('/v1/name');
    expect(headers['strict-transport-security']).toBe('max-age=31536000');
    expect(headers.server).toBe('nginx');
  });

  test('larger than any manifest are refused before a replica has them', async () => {
    const { status } = await send('/v1/deployments', {
      method: 'POST',
      headers: { 'Content-Length': String(34 * 1024 ** 2) },
      body: 'x',
    });
    expect(status).toBe(413);
    expect([...(first?.seen ?? []), ...(second?.seen ?? [])]).toEqual([]);
  });
});

describe('a stream', () => {
  test('of a log comes line by line: the first is there before the second is written', async () => {
    let goOn = () => {};
    answers.logs = (_, response) => {
      response.setHeader('content-type', 'application/x-ndjson');
      response.write('{"seq":1}\n');
      goOn = () => response.end('{"seq":2}\n');
    };
    onTestFinished(() => {
      delete answers.logs;
    });
    const chunks: string[] = [];
    const { body } = await send('/v1/deployments/dep_1/logs', {}, (text) => {
      chunks.push(text);
      // Only now does the replica write on: with buffering this would wait for ever.
      if (chunks.length === 1) goOn();
    });
    expect(chunks[0]).toBe('{"seq":1}\n');
    expect(body).toBe('{"seq":1}\n{"seq":2}\n');
  });

  test.each(['/v1/sources/abc', '/v1/builds/dep_1/1/blobs/abc'])(
    'of an upload to %s reaches the replica while it comes, beyond the limit of other requests',
    async (path) => {
      const megabyte = Buffer.alloc(1024 ** 2, 'x');
      let begun = () => {};
      const arrived = new Promise<void>((resolve) => {
        begun = resolve;
      });
      answers.abc = (request, response) => {
        let bytes = 0;
        request.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          begun();
        });
        request.once('end', () => response.end(String(bytes)));
      };
      onTestFinished(() => {
        delete answers.abc;
      });
      async function* body() {
        yield megabyte;
        // The rest is sent only when the replica has had the beginning.
        await arrived;
        for (let count = 1; count < 40; count++) yield megabyte;
      }
      const reply = await send(path, { method: 'PUT', body: body() });
      expect(reply.body).toBe(String(40 * 1024 ** 2));
    },
  );
});

describe('a socket', () => {
  const open = () =>
    io(nginx.url, {
      path: followPath,
      transports: ['websocket'],
      // Node's own WebSocket client takes this for the connection below.
      ca: readFileSync(nginx.certificateFile, 'utf8'),
      extraHeaders: { 'X-Forwarded-For': '203.0.113.9' },
      forceNew: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 50,
    });

  test('is upgraded to WebSocket, carries messages both ways, and the real address', async () => {
    const socket = open();
    onTestFinished(() => {
      socket.disconnect();
    });
    const [name, address] = await new Promise<[string, string]>((resolve, reject) => {
      socket.once('connect_error', reject);
      socket.once('hello', (...said: [string, string]) => resolve(said));
    });
    expect(['first', 'second']).toContain(name);
    expect(address).toBe('127.0.0.1');
    expect(socket.io.engine.transport.name).toBe('websocket');
    const text = 'x'.repeat(60_000);
    expect(await socket.emitWithAck('echo', text)).toBe(text);
  });

  test('whose replica is killed comes back on the other', async () => {
    const socket = open();
    onTestFinished(() => {
      socket.disconnect();
    });
    const hello = () => new Promise<string>((resolve) => socket.once('hello', resolve));
    const name = await hello();
    const [its, other] = name === 'first' ? [first, second] : [second, first];
    onTestFinished(() => its?.revive());
    const again = hello();
    await its?.kill();
    expect(await again).toBe(other?.name);
  });
});

describe('a rolling restart', () => {
  const ask = () =>
    Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        index % 2 === 0 ? send('/v1/name') : send('/v1/name', { method: 'POST', body: '{"a":1}' }),
      ),
    );
  const answered = (name: string) =>
    Array.from({ length: 10 }, () => expect.objectContaining({ body: name }));

  test('fails no request, neither GET nor POST: while one is killed the other answers, at once', async () => {
    onTestFinished(() => Promise.all([first?.revive(), second?.revive()]).then(() => {}));
    await ask();
    await first?.kill();
    expect(await ask()).toEqual(answered('second'));
    await first?.revive();
    await second?.kill();
    expect(await ask()).toEqual(answered('first'));
  });
});

describe('a replica that dies in the middle', () => {
  test('of a GET: the other answers', async () => {
    let died = 0;
    answers.fragile = (request, response) => {
      if (died++ === 0) request.socket.destroy();
      else response.end('answered');
    };
    onTestFinished(() => {
      delete answers.fragile;
    });
    expect(await send('/v1/fragile')).toMatchObject({ status: 200, body: 'answered' });
    expect(died).toBe(2);
  });

  test('of a POST: it is not asked for again, because it may have had its effect', async () => {
    let asked = 0;
    answers.fragile = (request) => {
      asked++;
      request.socket.destroy();
    };
    onTestFinished(() => {
      delete answers.fragile;
    });
    const { status } = await send('/v1/fragile', { method: 'POST', body: '{}' });
    expect(status).toBe(502);
    expect(asked).toBe(1);
  });
});
