/** The REST client against real HTTP: what it sends, what it makes of failures, what it tries again. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createApi } from '../../cli/api.ts';
import { sendArchive } from '../../cli/send-archive.ts';
import type { CreateDeployment } from '../../contract/api.ts';

type Seen = {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
};
type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void;

/** A server that answers each request with the next of `answers`, the last one again and again. */
async function serve(...answers: Answer[]) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method, url, headers } = request;
    seen.push({ method, url, headers, body });
    answers[Math.min(seen.length, answers.length) - 1]?.(seen.at(-1) as Seen, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const api = createApi({ url: `http://127.0.0.1:${port}`, token: 'secret' });
  onTestFinished(() => api.close());
  return { api, seen };
}

const json =
  (status: number, body: unknown): Answer =>
  (_seen, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const hangUp: Answer = (_seen, _response, request) => request.socket.destroy();

describe('a request', () => {
  test('carries the token, its parameters and its query', async () => {
    const { api, seen } = await serve(json(200, { deployments: [] }));
    expect(await api.listDeployments({ project: 'my-app', limit: 1 })).toEqual([]);
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/v1/deployments?project=my-app&limit=1' });
    expect(seen[0]?.headers.authorization).toBe('Bearer secret');
  });

  test('escapes what a person wrote', async () => {
    const { api, seen } = await serve(json(404, { error: { code: 'NOT_FOUND', message: 'no' } }));
    await expect(api.getDeployment('../plane')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(seen[0]?.url).toBe('/v1/deployments/..%2Fplane');
  });

  test('for health tells nobody the token', async () => {
    const { api, seen } = await serve(json(200, { status: 'ok', version: '1.0.0' }));
    await api.health();
    expect(seen[0]?.headers.authorization).toBeUndefined();
  });
});

describe('a failure', () => {
  test("is the plane's own error", async () => {
    const error = { code: 'SLUG_IN_USE', message: 'taken', hint: 'another', requestId: 'r1' };
    const { api } = await serve(json(409, { error }));
    await expect(api.getProject('x')).rejects.toMatchObject(error);
  });

  test('of a code that this version does not know is internal', async () => {
    const { api } = await serve(json(418, { error: { code: 'TEAPOT', message: 'short and stout' } }));
    await expect(api.getProject('x')).rejects.toMatchObject({ code: 'INTERNAL', message: 'short and stout' });
  });

  test('of something that is not Sphere says what was seen', async () => {
    const { api } = await serve((_seen, response) => response.writeHead(404).end('<html>nginx'));
    await expect(api.getProject('x')).rejects.toMatchObject({
      code: 'INFRASTRUCTURE',
      message: expect.stringContaining('HTTP 404: <html>nginx'),
    });
  });

  test('to connect is said with the address', async () => {
    const api = createApi({ url: 'http://127.0.0.1:1', token: 't' });
    await expect(api.getProject('x')).rejects.toMatchObject({
      code: 'PLANE_UNREACHABLE',
      message: expect.stringContaining('http://127.0.0.1:1'),
    });
  });
});

describe('a broken connection', () => {
  test('is tried again, and a deployment is still created once', async () => {
    const created = { outcome: 'created', deployment: { id: 'dpl_1' } };
    const { api, seen } = await serve(hangUp, json(502, 'bad gateway'), json(201, created));
    expect(await api.createDeployment({ project: 'my-app' } as CreateDeployment)).toEqual(created);
    const keys = seen.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('does not repeat a rollback to what was live before', async () => {
    const { api, seen } = await serve(hangUp);
    await expect(api.rollback('my-app')).rejects.toMatchObject({ code: 'PLANE_UNREACHABLE' });
    expect(seen).toHaveLength(1);
  });
});

describe('an upload', () => {
  test('is sent again from its beginning', async () => {
    const { api, seen } = await serve(hangUp, json(200, {}));
    let opened = 0;
    await api.uploadSource({ url: '/v1/sources/abc', headers: { 'x-extra': '1' } }, () => {
      opened += 1;
      return Readable.from(['one', 'two']);
    });
    expect(opened).toBe(2);
    expect(seen[1]).toMatchObject({ method: 'PUT', url: '/v1/sources/abc', body: 'onetwo' });
    expect(seen[1]?.headers).toMatchObject({ authorization: 'Bearer secret', 'x-extra': '1' });
  });

  test('to another host does not carry the token', async () => {
    const store = await serve(json(200, {}));
    const { api } = await serve(json(200, {}));
    await store.api.health();
    const url = `http://${store.seen[0]?.headers.host}/bucket/key`;
    await api.uploadSource({ url, headers: {} }, () => Readable.from(['x']));
    expect(store.seen[1]?.headers.authorization).toBeUndefined();
  });

  test('to a store that wants to know first what it gets is described by length and SHA-256', async () => {
    const store = await serve(json(200, {}));
    await store.api.health();
    const url = `http://${store.seen[0]?.headers.host}/bucket/key`;
    const headers = { 'x-amz-checksum-sha256': 'abc=' };
    const { api, seen } = await serve(json(200, { digest: 'd', upload: { url, headers } }));
    await sendArchive(
      api,
      { digest: 'd', bytes: 1000 },
      Readable.from([Buffer.from('one'), Buffer.from('two')]),
    );
    expect(JSON.parse(seen[0]?.body as string)).toEqual({
      digest: 'd',
      bytes: 1000,
      archive: { bytes: 6, sha256: createHash('sha256').update('onetwo').digest('hex') },
    });
    expect(store.seen[1]).toMatchObject({ method: 'PUT', url: '/bucket/key', body: 'onetwo' });
    expect(store.seen[1]?.headers).toMatchObject({ 'content-length': '6', ...headers });
  });

  test('fails with what broke its content', async () => {
    const { api } = await serve(json(200, {}));
    const content = () =>
      Readable.from(
        (async function* () {
          yield 'start';
          throw new Error('the file has gone');
        })(),
      );
    await expect(api.uploadSource({ url: '/v1/sources/abc', headers: {} }, content)).rejects.toThrow(
      'the file has gone',
    );
  });
});
