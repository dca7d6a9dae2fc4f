/** What a manifest becomes in a bucket, and what is said of what it cannot become. */
import { describe, expect, test } from 'vitest';
import type { Redirect, Serving } from '../../contract/configuration.ts';
import { shortcomingsOf } from '../../server/adapters/s3/shortcomings.ts';
import { compileContent, prepareContent } from '../../server/adapters/s3/site-objects.ts';
import { type Content, manifestOf } from './website.ts';

/** Keys to the file whose content they have, or to where they lead. */
function compiled(content: Content, serving: Serving = {}): Record<string, string> {
  const manifest = manifestOf(content, serving);
  const paths = new Map(Object.entries(manifest.files).map(([path, { blob }]) => [blob, path]));
  return Object.fromEntries(
    [...compileContent(manifest).objects].map(([key, object]) => [
      key,
      object.kind === 'file' ? (paths.get(object.blob) ?? '?') : `-> ${object.location}`,
    ]),
  );
}

const pages = { 'index.html': 'home', 'about.html': 'about', 'docs/index.html': 'docs', '404.html': 'none' };

describe('T10: pages without their ending', () => {
  test.each<[string, Serving, Record<string, string>]>([
    ['by default a page answers at both names', {}, { about: 'about.html', '404': '404.html' }],
    ['cleanUrls false: only under its own', { cleanUrls: false }, {}],
    [
      'cleanUrls true: the longer name leads to the shorter, but for the page of what is missing',
      { cleanUrls: true },
      { about: 'about.html', 'about.html': '-> /about', '404': '404.html' },
    ],
    [
      'trailingSlash true: a page is the index of its directory',
      { trailingSlash: true },
      { 'about/index.html': 'about.html', '404/index.html': '404.html' },
    ],
    [
      'trailingSlash true and cleanUrls true',
      { trailingSlash: true, cleanUrls: true },
      { 'about/index.html': 'about.html', 'about.html': '-> /about/', '404/index.html': '404.html' },
    ],
    [
      'trailingSlash false: the index of a directory answers at its bare name',
      { trailingSlash: false },
      {
        about: 'about.html',
        'about/index.html': '-> /about',
        docs: 'docs/index.html',
        'docs/index.html': '-> /docs',
        '404': '404.html',
        '404/index.html': '-> /404',
      },
    ],
  ])('%s', (_, serving, beside) => {
    const own = Object.fromEntries(Object.keys(pages).map((path) => [path, path]));
    expect(compiled(pages, serving)).toEqual({ ...own, ...beside });
  });

  test('a file is never replaced by the second object of another', () => {
    expect(compiled({ 'about.html': 'page', about: 'file' })).toEqual({
      'about.html': 'about.html',
      about: 'about',
    });
  });
});

describe('T11: headers', () => {
  const headersOf = (path: string, serving: Serving = {}) => {
    const object = compileContent(manifestOf({ [path]: 'x' }, serving)).objects.get(path);
    return object?.kind === 'file' ? object.headers : undefined;
  };

  test.each([
    ['index.html', 'text/html; charset=utf-8', 'public, max-age=0, must-revalidate'],
    ['assets/app-1a2b3c4d.js', 'text/javascript; charset=utf-8', 'public, max-age=31536000, immutable'],
    ['sw.js', 'text/javascript; charset=utf-8', 'public, max-age=0, must-revalidate'],
    ['a.wasm', 'application/wasm', 'public, max-age=0, must-revalidate'],
    ['CNAME', 'application/octet-stream', 'public, max-age=0, must-revalidate'],
  ])('%s is %s, %s', (path, contentType, cacheControl) => {
    expect(headersOf(path)).toEqual({ contentType, cacheControl });
  });

  test('rules for what S3 keeps with an object are kept, by the address that people see', () => {
    const serving: Serving = {
      headers: [
        { source: '/docs/', headers: { 'Cache-Control': 'max-age=60', 'X-Frame-Options': 'DENY' } },
        { source: '/*.pdf', headers: { 'Content-Disposition': 'attachment' } },
      ],
    };
    expect(headersOf('docs/index.html', serving)?.cacheControl).toBe('max-age=60');
    expect(headersOf('a.pdf', serving)?.contentDisposition).toBe('attachment');
  });
});

describe('T10: redirects', () => {
  const redirected = (...redirects: Redirect[]) => {
    const { objects, website, lostRedirects } = compileContent(manifestOf({}, { redirects }));
    return {
      objects: Object.fromEntries(
        [...objects].map(([key, object]) => [key, object.kind === 'redirect' ? object.location : '?']),
      ),
      rules: website.rules,
      lost: lostRedirects,
    };
  };

  test('an exact path is an object, with and without a slash', () => {
    expect(redirected({ source: '/old', destination: 'https://example.com/x?y=1' })).toEqual({
      objects: { old: 'https://example.com/x?y=1', 'old/index.html': 'https://example.com/x?y=1' },
      rules: [],
      lost: [],
    });
  });

  test('the root is its index document', () => {
    expect(redirected({ source: '/', destination: '/en/' }).objects).toEqual({ 'index.html': '/en/' });
  });

  test('a rule that adds a slash does not lead to itself', () => {
    expect(redirected({ source: '/about', destination: '/about/' }).objects).toEqual({ about: '/about/' });
  });

  test('a prefix is a routing rule, with its status', () => {
    expect(redirected({ source: '/docs/*', destination: '/guide/:splat', permanent: true })).toEqual({
      objects: { docs: '/guide/' },
      rules: [{ prefix: 'docs/', status: 308, replacePrefix: 'guide/' }],
      lost: [],
    });
    expect(
      redirected({ source: '/*', destination: 'https://new.example.com/:splat', statusCode: 301 }).rules,
    ).toEqual([{ prefix: '', status: 301, protocol: 'https', host: 'new.example.com', replacePrefix: '' }]);
    expect(redirected({ source: '/blog/*', destination: '/' }).rules).toEqual([
      { prefix: 'blog/', status: 307, replaceKey: 'index.html' },
    ]);
  });

  test('what cannot be expressed is named', () => {
    const { objects, rules, lost } = redirected(
      { source: '/blog/:slug', destination: '/posts/:slug' },
      { source: '/*.php', destination: '/' },
      { source: '/loop/*', destination: '/loop/v2/:splat' },
      { source: '/q/*', destination: '/search?q=:splat' },
      { source: '/mail', destination: 'mailto:a@example.com' },
    );
    expect({ objects, rules }).toEqual({ objects: {}, rules: [] });
    expect(lost).toEqual(['/blog/:slug', '/*.php', '/loop/*', '/q/*', '/mail']);
  });

  test('a routing rule would swallow an exact path below it: that one is named', () => {
    const { objects, lost } = redirected(
      { source: '/docs/a', destination: '/b' },
      { source: '/docs/*', destination: '/guide/:splat' },
    );
    expect(objects).toEqual({ docs: '/guide/' });
    expect(lost).toEqual(['/docs/a']);
  });

  test('of more than 50 routing rules the first 50 are written', () => {
    const many = Array.from({ length: 52 }, (_, n) => ({ source: `/d${n}/*`, destination: `/e${n}/:splat` }));
    const { rules, lost } = redirected(...many);
    expect(rules).toHaveLength(50);
    expect(lost).toEqual(['/d50/*', '/d51/*']);
  });
});

describe('T8, T9, T10: what plain S3 cannot do is said', () => {
  const said = (
    serving: Serving,
    content: Content = { 'index.html': 'x' },
    address = 'https://cdn.example.com',
  ) => shortcomingsOf(manifestOf(content, serving), address);

  test('nothing where there is nothing to say', () => {
    expect(said({})).toEqual([]);
  });

  test.each<[string, Serving, RegExp]>([
    ['a single page', { spa: true }, /status 404/],
    ['headers', { headers: [{ source: '/*', headers: { 'X-Frame-Options': 'DENY' } }] }, /x-frame-options/],
    ['patterns', { redirects: [{ source: '/a/:b', destination: '/c/:b' }] }, /left out: \/a\/:b/],
    ['statuses', { redirects: [{ source: '/a', destination: '/c' }] }, /with 301 whatever.*\/a/],
    ['queries', { redirects: [{ source: '/a', destination: '/c', statusCode: 301 }] }, /query string/],
    ['clean addresses', { cleanUrls: true }, /index\.html/],
  ])('%s', (_, serving, sentence) => {
    expect(said(serving)).toEqual(expect.arrayContaining([expect.stringMatching(sentence)]));
  });

  test('HTTPS', () => {
    expect(said({}, {}, 'http://shop.s3-website.eu-central-1.amazonaws.com')[0]).toMatch(/http:\/\/ only/);
  });

  test('headers that S3 keeps are no shortcoming', () => {
    expect(said({ headers: [{ source: '/*', headers: { 'Cache-Control': 'no-store' } }] })).toEqual([]);
  });

  test('paths that are too long for a key', () => {
    const path = `${'ü'.repeat(600)}.txt`;
    const manifest = manifestOf({ [path]: 'x', 'a.txt': 'y' });
    expect([...compileContent(manifest).objects.keys()]).toEqual(['a.txt']);
    expect(shortcomingsOf(manifest, 'https://x')[0]).toMatch(/^1 file is left out/);
  });
});

test('many files with many rules leave others their turn', async () => {
  const content = Object.fromEntries(
    Array.from({ length: 200 }, (_, n) => [`${'a/'.repeat(100)}${n}.txt`, 'x']),
  );
  const headers = Array.from({ length: 1_000 }, (_, n) => ({
    source: `/*a/*a/*/${n}.txt`,
    headers: { 'Cache-Control': `max-age=${n}` },
  }));
  const manifest = manifestOf(content, { headers });
  let turns = 0;
  let counting = setImmediate(function count() {
    turns += 1;
    counting = setImmediate(count);
  });
  const before = performance.now();
  await prepareContent(manifest);
  const tookMs = performance.now() - before;
  clearImmediate(counting);
  // One every 10 ms, or after a file that takes longer.
  expect(turns).toBeGreaterThan(Math.min(tookMs / 50, 100));
  const object = compileContent(manifest).objects.get(`${'a/'.repeat(100)}7.txt`);
  expect(object).toMatchObject({ headers: { cacheControl: 'max-age=7' } });
});

test('headers that S3 can keep are ASCII: names of files as RFC 5987 has them', () => {
  const serving = {
    headers: [
      {
        source: '/*',
        headers: {
          'Content-Disposition': 'attachment; filename="Übersicht 1.pdf"',
          'Content-Language': 'de-ü',
        },
      },
    ],
  };
  const { objects } = compileContent(manifestOf({ 'a.pdf': 'x' }, serving));
  expect(objects.get('a.pdf')).toMatchObject({
    headers: {
      contentDisposition: "attachment; filename*=UTF-8''%C3%9Cbersicht%201.pdf",
      contentLanguage: 'de-%C3%BC',
    },
  });
});
