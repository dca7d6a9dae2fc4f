/** Which answer a request to a site gets. */
import { describe, expect, test } from 'vitest';
import type { Serving } from '../../contract/configuration.ts';
import type { LiveSite } from '../../server/sites/live-site.ts';
import { compileSite, resolveRequest } from '../../server/sites/resolve.ts';

const file = { blob: 'a'.repeat(64), bytes: 1 };

function siteOf(paths: string[], serving: Serving = {}, retained: string[] = []): LiveSite {
  return {
    slug: 'shop',
    deployment: 'd1',
    order: 1,
    manifest: { version: 1, files: Object.fromEntries(paths.map((path) => [path, file])), serving },
    retained: new Map(retained.map((path) => [path, file])),
  };
}

const browser = 'text/html,application/xhtml+xml,*/*;q=0.8';

/** The answer in one line: `200 about.html`, `308 /docs/`, `404`. */
function answerTo(site: LiveSite, url: string, { method = 'GET', accept = browser } = {}): string {
  const answer = resolveRequest(compileSite(site), { method, url, accept });
  if (answer.kind === 'file') return `${answer.status} ${answer.path}`;
  if (answer.kind === 'redirect') return `${answer.status} ${answer.location}`;
  return answer.kind === 'missing' ? '404' : String(answer.status);
}

const paths = [
  'index.html',
  'about.html',
  'docs/index.html',
  'both.html',
  'both/index.html',
  'app.js',
  'v1.2/index.html',
  'with space.html',
  'grüße/index.html',
  'CNAME',
  '100%.txt',
];

describe('files and pages', () => {
  const plain = siteOf(paths);
  const clean = siteOf(paths, { cleanUrls: true });
  const unclean = siteOf(paths, { cleanUrls: false });
  const slash = siteOf(paths, { trailingSlash: true });
  const noSlash = siteOf(paths, { trailingSlash: false });
  const cleanSlash = siteOf(paths, { cleanUrls: true, trailingSlash: true });
  const cleanNoSlash = siteOf(paths, { cleanUrls: true, trailingSlash: false });

  test.each<[string, LiveSite, string, string]>([
    ['by default', plain, '/', '200 index.html'],
    ['by default', plain, '/?utm=1', '200 index.html'],
    ['by default', plain, '/index.html', '200 index.html'],
    ['by default', plain, '/about.html', '200 about.html'],
    ['by default', plain, '/about', '200 about.html'],
    ['by default', plain, '/about/', '308 /about'],
    ['by default', plain, '/docs', '308 /docs/'],
    ['by default', plain, '/docs?a=1&b=/', '308 /docs/?a=1&b=/'],
    ['by default', plain, '/docs/', '200 docs/index.html'],
    ['by default', plain, '/both', '200 both.html'],
    ['by default', plain, '/both/', '200 both/index.html'],
    ['by default', plain, '/app.js', '200 app.js'],
    ['by default', plain, '/app.js/', '404'],
    ['by default', plain, '/APP.js', '404'],
    ['by default', plain, '/v1.2/', '200 v1.2/index.html'],
    ['by default', plain, '/CNAME', '200 CNAME'],
    ['by default', plain, '/with%20space', '200 with space.html'],
    ['by default', plain, '/gr%C3%BC%C3%9Fe', '308 /gr%C3%BC%C3%9Fe/'],
    ['by default', plain, '/gr\u00c3\u00bc\u00c3\u009fe/', '200 grüße/index.html'],
    ['by default', plain, '/100%25.txt', '200 100%.txt'],
    ['by default', plain, 'http://shop.localhost:1/about', '200 about.html'],
    ['by default', plain, '/docs//', '404'],
    ['by default', plain, '//', '404'],
    ['by default', plain, '/nothing', '404'],
    ['by default', plain, '/toString', '404'],
    ['by default', plain, '/__proto__', '404'],
    ['with cleanUrls', clean, '/about.html?a', '308 /about?a'],
    ['with cleanUrls', clean, '/about', '200 about.html'],
    ['with cleanUrls', clean, '/index.html', '308 /'],
    ['with cleanUrls', clean, '/docs/index.html', '308 /docs/'],
    ['with cleanUrls', clean, '/docs', '308 /docs/'],
    ['without cleanUrls', unclean, '/about', '404'],
    ['without cleanUrls', unclean, '/about.html', '200 about.html'],
    ['without cleanUrls', unclean, '/both', '308 /both/'],
    ['with trailingSlash', slash, '/about', '308 /about/'],
    ['with trailingSlash', slash, '/about/', '200 about.html'],
    ['with trailingSlash', slash, '/docs', '308 /docs/'],
    ['with trailingSlash', slash, '/both/', '200 both/index.html'],
    ['with trailingSlash', slash, '/app.js', '200 app.js'],
    ['with trailingSlash', slash, '/', '200 index.html'],
    ['with trailingSlash', cleanSlash, '/about.html', '308 /about/'],
    ['without trailingSlash', noSlash, '/about/', '308 /about'],
    ['without trailingSlash', noSlash, '/docs/', '308 /docs'],
    ['without trailingSlash', noSlash, '/docs', '200 docs/index.html'],
    ['without trailingSlash', noSlash, '/', '200 index.html'],
    ['without trailingSlash', cleanNoSlash, '/docs/index.html', '308 /docs'],
    ['without trailingSlash', cleanNoSlash, '/index.html', '308 /'],
  ])('%s (%#): %3$s', (_settings, site, url, expected) => {
    expect(answerTo(site, url)).toBe(expected);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'])('%s is not allowed', (method) => {
    expect(answerTo(plain, '/', { method })).toBe('405');
  });

  test('no redirect of pages leads to another redirect', () => {
    for (const site of [plain, clean, unclean, slash, noSlash, cleanSlash, cleanNoSlash]) {
      for (const path of paths) {
        for (const url of [
          path,
          `${path}/`,
          path.replace(/(index)?\.html$/, ''),
          path.replace(/\.html$/, '/'),
        ]) {
          const first = answerTo(site, `/${url.split('/').map(encodeURIComponent).join('/')}`);
          if (!first.startsWith('308 ')) continue;
          const second = answerTo(site, first.slice(4));
          expect([site.manifest.serving, url, second.slice(0, 4)]).toEqual([
            site.manifest.serving,
            url,
            '200 ',
          ]);
        }
      }
    }
  });
});

describe('a path that no file has', () => {
  const own = siteOf(['index.html', '404.html', 'lost.html', 'assets/a-BxY3_a9Z.js'], {
    headers: [{ source: '/*', headers: { 'cache-control': 'public, max-age=31536000', 'x-a': '1' } }],
  });
  const named = siteOf(['404.html', 'lost.html'], { notFound: 'lost.html' });
  const spa = siteOf(['index.html', '404.html', 'about.html'], {
    spa: true,
    headers: [{ source: '/*', headers: { 'cache-control': 'public, max-age=31536000', 'x-a': '1' } }],
  });

  test('gets the page of the site that says so', () => {
    expect(answerTo(own, '/nothing')).toBe('404 404.html');
    expect(answerTo(own, '/nothing.js', { accept: '*/*' })).toBe('404 404.html');
    expect(answerTo(named, '/nothing')).toBe('404 lost.html');
    expect(answerTo(siteOf([]), '/')).toBe('404');
  });

  test('is never kept, whatever rules and names say', () => {
    for (const url of ['/assets/b-BxY3_a9Z.js', '/_next/static/chunks/gone.js', '/nothing']) {
      const answer = resolveRequest(compileSite(own), { method: 'GET', url, accept: '*/*' });
      expect(answer).toMatchObject({
        status: 404,
        headers: { 'cache-control': 'public, max-age=0, must-revalidate', 'x-a': '1' },
      });
    }
  });

  test.each([
    ['/users/7', browser, '200 index.html'],
    ['/users/7/', browser, '200 index.html'],
    ['/users/7', '*/*', '404 404.html'],
    ['/users/7', '', '404 404.html'],
    ['/api/data.json', browser, '404 404.html'],
    ['/assets/gone-BxY3_a9Z.js', '*/*', '404 404.html'],
    ['/about', browser, '200 about.html'],
  ])('of a single-page application (%s, Accept %s) gets %s', (url, accept, expected) => {
    expect(answerTo(spa, url, { accept })).toBe(expected);
  });

  test('gets the application uncached', () => {
    const answer = resolveRequest(compileSite(spa), { method: 'GET', url: '/users/7', accept: browser });
    expect(answer).toMatchObject({ headers: { 'cache-control': 'public, max-age=0, must-revalidate' } });
  });

  test('but had one lately gets that file', () => {
    const site = siteOf(['index.html', '404.html'], { spa: true }, ['assets/old-BxY3_a9Z.js']);
    expect(answerTo(site, '/assets/old-BxY3_a9Z.js')).toBe('200 assets/old-BxY3_a9Z.js');
  });
});

describe('a rule', () => {
  test('of redirects comes before files, and carries the query on', () => {
    const site = siteOf(['old.html'], { redirects: [{ source: '/old', destination: '/new' }] });
    expect(answerTo(site, '/old?a=1')).toBe('307 /new?a=1');
  });

  test('of headers overrides what a file is sent with', () => {
    const site = siteOf(['feed.xml'], {
      headers: [{ source: '/feed.xml', headers: { 'Content-Type': 'application/rss+xml', 'X-B': 'b' } }],
    });
    expect(resolveRequest(compileSite(site), { method: 'GET', url: '/feed.xml', accept: '' })).toMatchObject({
      headers: { 'content-type': 'application/rss+xml', 'x-b': 'b' },
    });
  });
});

describe('an address that is none', () => {
  const site = siteOf([...paths, 'secret'], { spa: true, trailingSlash: true });

  test.each([
    '/../secret',
    '/a/../../secret',
    '/%2e%2e/secret',
    '/%2E%2e/secret',
    '/.%2e/secret',
    '/a/./b',
    '/..%2fsecret',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/\\evil.example',
    '/%5cevil.example',
    '/%00',
    '/a%00.html',
    '/a%0d%0ab',
    '/%',
    '/%zz',
    '/%c3%28',
    '/%ff',
    '/\u00ff',
    '*',
    'secret',
    '',
  ])('is refused: %j', (url) => {
    expect(answerTo(site, url)).toBe('400');
  });

  test.each(['/%252e%252e/secret', '/%252fsecret', '/...', '/....//secret'])('%s is decoded once', (url) => {
    expect(answerTo(site, url, { accept: '' })).toBe('404');
  });

  test.each(['//evil.example', '//evil.example/', '///evil.example/..', '/%2f/evil.example', '//about'])(
    '%s never leads to another host',
    (url) => {
      for (const serving of [
        { trailingSlash: true, cleanUrls: true },
        { trailingSlash: false, cleanUrls: true },
        { redirects: [{ source: '/*', destination: '/:splat' }] },
        { redirects: [{ source: '/*', destination: '/:splat/x' }] },
      ]) {
        const answer = answerTo(siteOf(paths, serving), url);
        expect(answer).not.toMatch(/^30\d (?:\/[/\\]|\\|[a-z]+:)/i);
      }
    },
  );
});
