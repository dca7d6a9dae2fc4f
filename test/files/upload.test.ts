/** Uploading over real HTTP, to servers that fail in every way. */
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { type UploadItem, uploadMissing } from '../../files/upload.ts';
import { emptyDirectory } from './tree.ts';

type Answer = (request: IncomingMessage, response: ServerResponse, tries: number) => void | Promise<void>;

/** A server that keeps what it answered 200, and `items` to send to it. */
async function serverWith(
  count: number,
  answer: Answer,
  content: (n: number) => Buffer = (n) => Buffer.from(`${n}`),
) {
  const directory = emptyDirectory();
  const tries = new Map<string, number>();
  const seen = { most: 0, now: 0, headers: [] as IncomingMessage['headers'][] };
  const server = createServer(async (request, response) => {
    const key = request.url as string;
    const nth = (tries.get(key) ?? 0) + 1;
    tries.set(key, nth);
    seen.now += 1;
    seen.most = Math.max(seen.most, seen.now);
    seen.headers.push(request.headers);
    response.once('close', () => {
      seen.now -= 1;
    });
    await answer(request, response, nth);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const items = Array.from({ length: count }, (_, n): UploadItem => {
    const path = join(directory, `${n}`);
    writeFileSync(path, content(n));
    return {
      path,
      url: `http://127.0.0.1:${port}/${n}`,
      headers: { 'x-blob': `${n}` },
      bytes: content(n).length,
    };
  });
  return { items, tries, seen, server };
}

const keep =
  (kept: Map<string, Buffer>): Answer =>
  async (request, response) => {
    kept.set(request.url as string, await buffer(request));
    response.end();
  };

test('every file arrives once, with its headers and the token, no more at once than allowed', async () => {
  const kept = new Map<string, Buffer>();
  const { items, seen, tries } = await serverWith(100, keep(kept));
  const told: string[] = [];
  const figures = await uploadMissing(items, {
    concurrency: 8,
    token: 'secret',
    uploaded: (item) => told.push(item.path),
  });
  expect(figures).toEqual({ files: 100, bytes: 190, retries: 0 });
  expect([...kept].every(([url, body]) => url === `/${body}`)).toBe(true);
  expect([...tries.values()].every((count) => count === 1)).toBe(true);
  expect(seen.most).toBeLessThanOrEqual(8);
  expect(seen.headers[0]).toMatchObject({ authorization: 'Bearer secret', 'x-blob': expect.any(String) });
  expect(told).toHaveLength(100);
});

test('large files are streamed whole, many at once, without a warning', async () => {
  const kept = new Map<string, Buffer>();
  const content = (n: number) => Buffer.alloc(2_000_000 + n, `${n}`);
  const { items } = await serverWith(24, keep(kept), content);
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  onTestFinished(() => void process.off('warning', listen));
  await uploadMissing(items, { concurrency: 24 });
  await new Promise(setImmediate);
  expect([...kept].every(([url, body]) => body.equals(content(Number(url.slice(1)))))).toBe(true);
  expect(warnings).toEqual([]);
});

test('nothing to upload is nothing to do', async () => {
  expect(await uploadMissing([], { concurrency: 4 })).toEqual({ files: 0, bytes: 0, retries: 0 });
});

test.each([408, 429, 500, 502, 503])('%i is tried again', async (status) => {
  const { items } = await serverWith(3, (_request, response, nth) => {
    response.writeHead(nth < 3 ? status : 200).end();
  });
  const figures = await uploadMissing(items, { concurrency: 2, backoffMs: 1 });
  expect(figures).toMatchObject({ files: 3, retries: 6 });
});

test('a broken connection is tried again', async () => {
  const { items } = await serverWith(2, async (request, response, nth) => {
    if (nth === 1) {
      request.socket.destroy();
      return;
    }
    await buffer(request);
    response.end();
  });
  expect(await uploadMissing(items, { concurrency: 2, backoffMs: 1 })).toMatchObject({
    files: 2,
    retries: 2,
  });
});

test('Retry-After is waited for', async () => {
  const times: number[] = [];
  const { items } = await serverWith(1, (_request, response, nth) => {
    times.push(performance.now());
    if (nth === 1) response.writeHead(503, { 'retry-after': '1' }).end();
    else response.end();
  });
  await uploadMissing(items, { concurrency: 1, backoffMs: 1 });
  expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(990);
});

test('an end comes after the last try, and names host and status', async () => {
  const { items, tries } = await serverWith(1, (_request, response) => {
    response.writeHead(500).end('out of order');
  });
  await expect(uploadMissing(items, { concurrency: 1, backoffMs: 1, tries: 3 })).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringMatching(/answered with 500 by 127\.0\.0\.1:\d+: out of order/),
  });
  expect(tries.get('/0')).toBe(3);
});

test('the first failure that is final ends the rest and is thrown as the server said it', async () => {
  const { items, tries } = await serverWith(200, async (request, response) => {
    await buffer(request);
    if (request.url !== '/3') {
      response.end();
      return;
    }
    const error = { code: 'ATTEMPT_STALE', message: 'Another attempt has taken over.' };
    response.writeHead(409, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  });
  await expect(uploadMissing(items, { concurrency: 4 })).rejects.toMatchObject({
    code: 'ATTEMPT_STALE',
    message: 'Another attempt has taken over.',
  });
  expect(tries.get('/3')).toBe(1);
  expect(tries.size).toBeLessThan(30);
});

test('an abort ends it with its reason, also while it waits', async () => {
  const controller = new AbortController();
  const { items } = await serverWith(5, (_request, response) => {
    response.writeHead(503, { 'retry-after': '30' }).end();
    controller.abort(new Error('cancelled'));
  });
  await expect(uploadMissing(items, { concurrency: 2, signal: controller.signal })).rejects.toThrow(
    'cancelled',
  );
});

test('a server that nobody runs is said so', async () => {
  const { items, server } = await serverWith(1, () => {});
  await new Promise((resolve) => server.close(resolve));
  await expect(uploadMissing(items, { concurrency: 1, backoffMs: 1, tries: 2 })).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringContaining('ECONNREFUSED'),
  });
});

test('a file that went away is not tried again', async () => {
  const { items, tries } = await serverWith(1, (_request, response) => void response.end());
  const gone = items.map((item) => ({ ...item, path: `${item.path}-gone` }));
  await expect(uploadMissing(gone, { concurrency: 1 })).rejects.toMatchObject({ code: 'ENOENT' });
  expect(tries.size).toBe(0);
});

test('a disk that is full is said at once, and not tried again', async () => {
  const error = { code: 'DISK_FULL', message: 'the disk that holds the sites is full' };
  const { items, tries } = await serverWith(1, async (request, response) => {
    await buffer(request);
    response.writeHead(507).end(JSON.stringify({ error }));
  });
  await expect(uploadMissing(items, { concurrency: 1 })).rejects.toMatchObject(error);
  expect([...tries.values()]).toEqual([1]);
});
