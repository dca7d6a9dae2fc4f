/** Sites over real HTTP. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { serveSite } from './site-server.ts';

const browser = 'text/html,*/*;q=0.8';
const page = `<!doctype html>${'<p>hello</p>'.repeat(500)}`;
const pixels = randomBytes(300_000);

describe('a file', () => {
  test('is sent with its type, length, entity tag and nosniff', async () => {
    const site = await serveSite({ 'index.html': '<p>hi', 'app-BxY3_a9Z.js': 'x' });
    const { status, headers, text } = await site.get('/');
    expect({ status, text }).toEqual({ status: 200, text: '<p>hi' });
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': '5',
      'cache-control': 'public, max-age=0, must-revalidate',
      'x-content-type-options': 'nosniff',
      'accept-ranges': 'bytes',
      etag: `"${site.blobOf('index.html')}"`,
    });
    const script = await site.get('/app-BxY3_a9Z.js');
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  test('is sent without its body for HEAD', async () => {
    const site = await serveSite({ 'index.html': page });
    for (const headers of [{}, { 'accept-encoding': 'br' }] as Record<string, string>[]) {
      const get = await site.get('/', { headers });
      const head = await site.get('/', { method: 'HEAD', headers });
      expect(head.body.length).toBe(0);
      expect({ ...head.headers, date: '' }).toEqual({ ...get.headers, date: '' });
    }
  });

  test('of any size arrives whole', async () => {
    const sizes = [0, 1, 1023, 1024, 64 * 1024, 64 * 1024 + 1, 3_000_000];
    const files = Object.fromEntries(sizes.map((size) => [`f${size}.bin`, randomBytes(size)]));
    const site = await serveSite(files);
    for (const [path, content] of Object.entries(files)) {
      const { body, headers } = await site.get(`/${path}`);
      expect(headers['content-length']).toBe(String(content.length));
      expect(body.equals(content)).toBe(true);
    }
  });

  test('with odd characters in its name is found', async () => {
    const site = await serveSite({ 'a b/ünï*&?#%.txt': 'odd' });
    const { text } = await site.get('/a%20b/%C3%BCn%C3%AF*&%3F%23%25.txt?x');
    expect(text).toBe('odd');
  });

  test('that was live lately is still there', async () => {
    const site = await serveSite({ 'index.html': 'new' }, {}, { 'assets/old-BxY3_a9Z.js': 'old' });
    const { text, headers } = await site.get('/assets/old-BxY3_a9Z.js');
    expect(text).toBe('old');
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  test('carries the headers of the rules, but for framing', async () => {
    const site = await serveSite(
      { 'index.html': page },
      {
        headers: [
          {
            source: '/*',
            headers: {
              'Cache-Control': 'no-store',
              'Content-Type': 'text/html; charset=latin1',
              'Content-Length': '3',
              'Content-Encoding': 'gzip',
              'Transfer-Encoding': 'chunked',
              ETag: '"mine"',
              Vary: 'Cookie',
              'X-Own': 'ja',
            },
          },
        ],
      },
    );
    const { headers, text } = await site.get('/');
    expect(text).toBe(page);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'content-type': 'text/html; charset=latin1',
      'content-length': String(page.length),
      vary: 'Cookie, Accept-Encoding',
      'x-own': 'ja',
      etag: `"${site.blobOf('index.html')}"`,
    });
    expect(headers['content-encoding']).toBeUndefined();
    expect(headers['transfer-encoding']).toBeUndefined();
  });
});

describe('a conditional request', () => {
  test.each([
    ['the same tag', (tag: string) => tag, 304],
    ['the weak form', (tag: string) => `W/${tag}`, 304],
    ['one of several', (tag: string) => `"a", ${tag}`, 304],
    ['any', () => '*', 304],
    ['another tag', () => '"another"', 200],
  ])('with %s', async (_what, tagOf, status) => {
    const site = await serveSite({ 'index.html': '<p>hi' });
    const etag = `"${site.blobOf('index.html')}"`;
    const answer = await site.get('/', { headers: { 'if-none-match': tagOf(etag) } });
    expect(answer.status).toBe(status);
    if (status === 304) {
      expect(answer.body.length).toBe(0);
      expect(answer.headers).toMatchObject({ etag, 'cache-control': 'public, max-age=0, must-revalidate' });
    }
  });

  test('names one encoding: the tag of another does not match', async () => {
    const site = await serveSite({ 'index.html': page });
    const tags = new Map<string, string>();
    for (const coding of ['br', 'gzip', 'identity']) {
      const { headers } = await site.get('/', { headers: { 'accept-encoding': coding } });
      tags.set(coding, headers.etag as string);
    }
    expect(new Set(tags.values()).size).toBe(3);
    for (const [asked, tag] of tags) {
      for (const coding of tags.keys()) {
        const headers = { 'accept-encoding': coding, 'if-none-match': tag };
        expect((await site.get('/', { headers })).status).toBe(coding === asked ? 304 : 200);
      }
    }
  });

  test('for a missing page is not answered with 304', async () => {
    const site = await serveSite({ '404.html': 'lost' });
    expect((await site.get('/nothing', { headers: { 'if-none-match': '*' } })).status).toBe(404);
  });
});

describe('a range', () => {
  const content = '0123456789';

  test.each<[string, number, string, string | undefined]>([
    ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
    ['bytes=4-', 206, '456789', 'bytes 4-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=-30', 206, content, 'bytes 0-9/10'],
    ['bytes=8-30', 206, '89', 'bytes 8-9/10'],
    ['bytes=0-0', 206, '0', 'bytes 0-0/10'],
    ['bytes=5-2', 200, content, undefined],
    ['bytes=0-1,4-5', 200, content, undefined],
    ['lines=0-1', 200, content, undefined],
    ['bytes=-', 200, content, undefined],
    ['bytes=0x1-2', 200, content, undefined],
  ])('%s is answered with %i', async (range, status, text, contentRange) => {
    const site = await serveSite({ 'a.txt': content });
    const answer = await site.get('/a.txt', { headers: { range } });
    expect({ status: answer.status, text: answer.text }).toEqual({ status, text });
    expect(answer.headers['content-range']).toBe(contentRange);
    expect(answer.headers['content-length']).toBe(String(text.length));
  });

  test.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s is not satisfiable', async (range) => {
    const site = await serveSite({ 'a-BxY3_a9Z.bin': content });
    const { status, headers } = await site.get('/a-BxY3_a9Z.bin', { headers: { range } });
    expect(status).toBe(416);
    expect(headers['content-range']).toBe('bytes */10');
    expect(headers['cache-control']).toBe('public, max-age=0, must-revalidate');
  });

  test('is taken of the file as it is, never of a compressed variant', async () => {
    const site = await serveSite({ 'index.html': page });
    const headers = { range: 'bytes=0-14', 'accept-encoding': 'br, gzip' };
    const { status, text, headers: got } = await site.get('/', { headers });
    expect({ status, text, coding: got['content-encoding'] }).toEqual({
      status: 206,
      text: '<!doctype html>',
      coding: undefined,
    });
  });

  test('counts only while If-Range names the same content', async () => {
    const site = await serveSite({ 'a.txt': content });
    const etag = `"${site.blobOf('a.txt')}"`;
    const statusWith = async (ifRange: string) =>
      (await site.get('/a.txt', { headers: { range: 'bytes=0-1', 'if-range': ifRange } })).status;
    expect(await statusWith(etag)).toBe(206);
    expect(await statusWith('"another"')).toBe(200);
    expect(await statusWith(`W/${etag}`)).toBe(200);
    expect(await statusWith(new Date().toUTCString())).toBe(200);
  });

  test('puts a large file together again', async () => {
    const site = await serveSite({ 'film.mp4': pixels });
    const parts: Buffer[] = [];
    for (let start = 0; start < pixels.length; start += 100_000) {
      const { body } = await site.get('/film.mp4', {
        headers: { range: `bytes=${start}-${start + 99_999}` },
      });
      parts.push(body);
    }
    expect(Buffer.concat(parts).equals(pixels)).toBe(true);
  });
});

describe('compression', () => {
  test.each([
    ['br, gzip', 'br'],
    ['gzip, deflate, br', 'br'],
    ['gzip', 'gzip'],
    ['GZIP', 'gzip'],
    ['br;q=0.1, gzip;q=0.9', 'gzip'],
    ['br;q=0, gzip;q=0', undefined],
    ['*', 'br'],
    ['identity', undefined],
    ['identity;q=0', undefined],
    ['identity;q=1, br;q=0.5', undefined],
    ['zstd', undefined],
    ['', undefined],
  ])('for Accept-Encoding "%s" is %s', async (accepted, coding) => {
    const site = await serveSite({ 'index.html': page });
    const { headers, body } = await site.get('/', { headers: { 'accept-encoding': accepted } });
    expect(headers['content-encoding']).toBe(coding);
    expect(headers.vary).toBe('Accept-Encoding');
    expect(headers['content-length']).toBe(String(body.length));
    const plain = coding === 'br' ? brotliDecompressSync(body) : coding === 'gzip' ? gunzipSync(body) : body;
    expect(plain.toString()).toBe(page);
  });

  test('is for text of 1 KB and more', async () => {
    const site = await serveSite({
      'small.txt': 'x'.repeat(1023),
      'a.txt': 'x'.repeat(1024),
      'a.png': pixels,
    });
    const codingOf = async (path: string) =>
      (await site.get(path, { headers: { 'accept-encoding': 'br' } })).headers['content-encoding'];
    expect(await codingOf('/small.txt')).toBeUndefined();
    expect(await codingOf('/a.png')).toBeUndefined();
    expect(await codingOf('/a.txt')).toBe('br');
  });

  test('is done once, also when many ask at once, and leaves nothing half done', async () => {
    const site = await serveSite({ 'app.js': 'let a = 1;\n'.repeat(20_000) });
    const headers = { 'accept-encoding': 'br' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => site.get('/app.js', { headers })));
    for (const answer of answers) expect(answer.headers['content-encoding']).toBe('br');
    const kept = readdirSync(join(site.directory, 'compressed'), { recursive: true, withFileTypes: true });
    expect(kept.filter((item) => item.isFile()).map((item) => item.name)).toEqual([
      `${site.blobOf('app.js')}.br`,
    ]);
    expect(site.reported).toEqual([]);
  });

  test('that takes long holds nobody up: the file goes out as it is until the variant is there', async () => {
    const content = 'let a = 1;\n'.repeat(20_000);
    const site = await serveSite({ 'app.js': content }, {}, {}, 0);
    const headers = { 'accept-encoding': 'br' };
    const first = await site.get('/app.js', { headers });
    expect(first.text).toBe(content);
    expect(first.headers.etag).toBe(`"${site.blobOf('app.js')}"`);
    await vi.waitFor(async () => {
      expect((await site.get('/app.js', { headers })).headers['content-encoding']).toBe('br');
    });
  });

  test('comes back after its files were deleted', async () => {
    const site = await serveSite({ 'index.html': page });
    const headers = { 'accept-encoding': 'gzip' };
    await site.get('/', { headers });
    rmSync(join(site.directory, 'compressed'), { recursive: true });
    const { body } = await site.get('/', { headers });
    expect(gunzipSync(body).toString()).toBe(page);
  });

  test('that fails is reported, and the file is sent as it is', async () => {
    const site = await serveSite({ 'index.html': page });
    writeFileSync(join(site.directory, 'compressed'), 'a file where a directory should be');
    const { status, text } = await site.get('/', { headers: { 'accept-encoding': 'br' } });
    expect({ status, text }).toEqual({ status: 200, text: page });
    expect(site.reported).toHaveLength(1);
  });
});

describe('what is not there', () => {
  test('is 404 with the page of the site', async () => {
    const site = await serveSite({ '404.html': page });
    const { status, headers, body } = await site.get('/_next/static/gone.js', {
      headers: { 'accept-encoding': 'br' },
    });
    expect(status).toBe(404);
    expect(brotliDecompressSync(body).toString()).toBe(page);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'public, max-age=0, must-revalidate',
    });
    expect(headers.etag).toBeUndefined();
  });

  test('is said in words where the site has no page for it', async () => {
    const site = await serveSite({});
    const { status, text, headers } = await site.get('/%3Cscript%3Ealert(1)', {
      headers: { accept: browser },
    });
    expect(status).toBe(404);
    expect(text).toContain('&#60;script&#62;alert(1)');
    expect(text).not.toContain('<script>');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    const plain = await site.get('/nothing', { headers: { accept: '*/*' } });
    expect(plain.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(plain.text).toContain('This site has no page at "/nothing".');
  });

  test('is a site: the answer names it and the next step', async () => {
    const site = await serveSite({ 'index.html': 'x' });
    const { status, text, headers } = await site.get('/', { slug: 'shopp' });
    expect(status).toBe(404);
    expect(text).toContain('No site called "shopp" is published here.');
    expect(text).toContain('sphere deploy --slug shopp');
    expect(headers['x-content-type-options']).toBe('nosniff');
  });

  test('is a blob: the answer is 500 and the plane is told', async () => {
    const site = await serveSite({ 'index.html': page });
    rmSync(site.blobFile('index.html'));
    for (const headers of [{}, { 'accept-encoding': 'br' }] as Record<string, string>[]) {
      const answer = await site.get('/', { headers });
      expect(answer.status).toBe(500);
      expect(answer.headers.etag).toBeUndefined();
      expect(answer.headers['x-content-type-options']).toBe('nosniff');
    }
    expect(site.reported.length).toBeGreaterThanOrEqual(2);
  });
});

describe('other requests', () => {
  test('than GET and HEAD are refused', async () => {
    const site = await serveSite({ 'index.html': 'x' });
    const { status, headers } = await site.get('/', { method: 'POST' });
    expect(status).toBe(405);
    expect(headers.allow).toBe('GET, HEAD');
  });

  test('that follow a refused one on its connection are answered', async () => {
    const site = await serveSite({ 'index.html': 'hello there' });
    const answers = await site.raw(
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello' +
        'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(answers).toMatch(/^HTTP\/1.1 405 /);
    expect(answers).toMatch(/HTTP\/1.1 200 OK[\s\S]*hello there$/);
  });

  test('are redirected with the query', async () => {
    const site = await serveSite({ 'docs/index.html': 'x' });
    const { status, headers } = await site.get('/docs?a=1');
    expect({ status, location: headers.location }).toEqual({ status: 308, location: '/docs/?a=1' });
    expect(headers['cache-control']).toBe('public, max-age=0, must-revalidate');
  });
});

describe('a client that goes away', () => {
  test('in the middle of a large file leaves nothing open and is not reported', async () => {
    const site = await serveSite({ 'big.bin': randomBytes(20_000_000) });
    const socket = connect(site.port, '127.0.0.1');
    socket.write('GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    expect(site.open()).toBe(1);
    socket.destroy();
    await vi.waitFor(() => expect(site.open()).toBe(0));
    expect((await site.get('/big.bin', { headers: { range: 'bytes=0-1' } })).status).toBe(206);
    expect(site.reported).toEqual([]);
  });

  test('or does not read does not make the plane read ahead', async () => {
    const site = await serveSite({ 'big.bin': Buffer.alloc(200_000_000) });
    const socket = connect(site.port, '127.0.0.1');
    socket.write('GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'readable');
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 20; n++) await site.get('/');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
    socket.destroy();
    await vi.waitFor(() => expect(site.open()).toBe(0));
  });
});

describe('nasty paths', () => {
  const parts = [
    '..',
    '.',
    '%2e%2e',
    '%2E.',
    '.%2e',
    '%252e%252e',
    '..%2f',
    '..%5c',
    '%2f',
    '%5c',
    '\\',
    '..\\',
    '%00',
    '%c0%ae',
    '%u002e',
    '',
    'a',
    'secret',
    'secret.txt',
    'etc',
    'passwd',
    '%zz',
    '%',
    '~',
    ';',
    '..;',
    '....',
    'blobs',
    'compressed',
    '\u00ff',
    'con',
    '%0d%0aSet-Cookie:a',
    '?',
    '@evil.example',
    'evil.example',
    'http:',
  ];

  test('never leave the site, never lead elsewhere, and are always answered', async () => {
    const site = await serveSite(
      { 'index.html': 'public', 'a/index.html': 'public', 'a/b.html': 'public' },
      {
        spa: true,
        cleanUrls: true,
        trailingSlash: true,
        redirects: [{ source: '/r/*', destination: '/:splat' }],
      },
    );
    writeFileSync(join(site.directory, 'secret.txt'), 'secret');
    writeFileSync(join(site.directory, 'blobs', 'secret'), 'secret');
    let state = 7;
    const draw = <T>(from: readonly T[]): T => {
      state = (state * 48271) % 2147483647;
      return from[state % from.length] as T;
    };
    const seen = new Map<number, number>();
    for (let n = 0; n < 600; n++) {
      const path = `${draw(['/', '//', '/r/', '/a/', ''])}${Array.from({ length: 1 + (n % 6) }, () => draw(parts)).join('/')}`;
      const answer = await site.raw(
        `GET ${path} HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nConnection: close\r\n\r\n`,
      );
      const status = Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);
      seen.set(status, (seen.get(status) ?? 0) + 1);
      expect([path, [200, 307, 308, 400, 404].includes(status)]).toEqual([path, true]);
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      expect(head.toLowerCase()).not.toContain('\nset-cookie:');
      if (status === 200) expect([path, body]).toEqual([path, 'public']);
      const location = /^location: (.*)$/im.exec(head)?.[1];
      if (location !== undefined)
        expect([path, location]).toEqual([path, expect.stringMatching(/^\/(?![/\\])/)]);
    }
    for (const status of [200, 307, 400, 404]) expect(seen.get(status)).toBeGreaterThan(0);
    expect(site.reported).toEqual([]);
  });
});

test('the entity tag is the digest of the content', async () => {
  const site = await serveSite({ 'a.txt': 'content' });
  const sha256 = createHash('sha256').update('content').digest('hex');
  expect((await site.get('/a.txt')).headers.etag).toBe(`"${sha256}"`);
  expect(existsSync(join(site.directory, 'compressed'))).toBe(false);
});
