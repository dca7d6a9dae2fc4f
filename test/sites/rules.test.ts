/** Patterns, redirects and headers from serving settings. */
import { describe, expect, test } from 'vitest';
import { matchPattern, parsePattern } from '../../server/sites/patterns.ts';
import { compileRules } from '../../server/sites/rules.ts';

const namesIn = (pattern: string, path: string) => {
  const names = matchPattern(parsePattern(pattern), path);
  return names === null ? null : Object.fromEntries(names);
};

describe('a pattern', () => {
  test.each([
    ['/', '/', {}],
    ['/', '/a', null],
    ['/old', '/old', {}],
    ['/old', '/old/', {}],
    ['/old/', '/old', {}],
    ['/old', '/older', null],
    ['/old', '/a/old', null],
    ['/blog/:slug', '/blog/hello', { slug: 'hello' }],
    ['/blog/:slug', '/blog/hello/', { slug: 'hello' }],
    ['/blog/:slug', '/blog/', null],
    ['/blog/:slug', '/blog/a/b', null],
    ['/:year/:month/x', '/2024/05/x', { year: '2024', month: '05' }],
    ['/docs/*', '/docs', { splat: '' }],
    ['/docs/*', '/docs/', { splat: '' }],
    ['/docs/*', '/docs/a/b', { splat: 'a/b' }],
    ['/docs/*', '/docsy', null],
    ['/*', '/', { splat: '' }],
    ['/*', '/a/b', { splat: 'a/b' }],
    ['/*.js', '/assets/app.js', { splat: 'assets/app' }],
    ['/*.js', '/app.jsx', null],
    ['/a/*/z/:last', '/a/b/z/c/z/d', { splat: 'b/z/c', last: 'd' }],
    ['/**', '/a/b', { splat: 'a/b' }],
    ['/u/:id.json', '/u/:id.json', {}],
    ['/(a|b)+', '/(a|b)+', {}],
    ['/(a|b)+', '/a', null],
    ['/日本/:x', '/日本/語', { x: '語' }],
  ])('%s on %s finds %j', (pattern, path, names) => {
    expect(namesIn(pattern, path)).toEqual(names);
  });

  test('that is made to be slow is not', () => {
    const pattern = parsePattern(`/${'*a'.repeat(300)}b`);
    const began = performance.now();
    for (let n = 0; n < 20; n++) expect(matchPattern(pattern, `/${'a'.repeat(8000)}`)).toBeNull();
    expect(performance.now() - began).toBeLessThan(5000);
  });
});

describe('a redirect', () => {
  const rules = compileRules({
    redirects: [
      { source: '/old', destination: '/new' },
      { source: '/for-good', destination: '/new', permanent: true },
      { source: '/see', destination: '/new', statusCode: 303 },
      { source: '/blog/:slug', destination: '/posts/:slug?from=blog#top' },
      { source: '/docs/*', destination: 'https://docs.example.com:8443/:splat' },
      { source: '/about/', destination: '/about' },
      { source: '/loop/*', destination: '/loop/index' },
      { source: '/first', destination: '/1' },
      { source: '/first', destination: '/2' },
      { source: '/ünï', destination: '/größe und mehr' },
      { source: '/open/*', destination: '/:splat' },
      { source: '/host/*', destination: '//:splat' },
    ],
  });

  test.each([
    ['/old', '', 307, '/new'],
    ['/old/', '?a=1', 307, '/new?a=1'],
    ['/for-good', '', 308, '/new'],
    ['/see', '', 303, '/new'],
    ['/blog/x', '?a=1', 307, '/posts/x?from=blog&a=1#top'],
    ['/blog/a b?#/', '', 307, '/posts/a%20b%3F%23?from=blog#top'],
    ['/docs/a/b', '?q', 307, 'https://docs.example.com:8443/a/b?q'],
    ['/loop/x', '', 307, '/loop/index'],
    ['/first', '', 307, '/1'],
    ['/ünï', '', 307, '/gr%C3%B6%C3%9Fe%20und%20mehr'],
    ['/open//evil.example', '', 307, '/evil.example'],
    ['/open///evil.example', '', 307, '/evil.example'],
    ['/host/evil.example', '', 307, '/evil.example'],
    ['/blog/\r\nset-cookie: a', '', 307, '/posts/%0D%0Aset-cookie%3A%20a?from=blog#top'],
  ])('of %j%s is %i to %s', (path, search, status, location) => {
    expect(rules.redirect(path, search)).toEqual({ status, location });
  });

  test.each(['/', '/new', '/about', '/loop/index'])('of %s is none', (path) => {
    expect(rules.redirect(path, '')).toBeNull();
  });
});

describe('headers', () => {
  const rules = compileRules({
    headers: [
      { source: '/*', headers: { 'X-Frame-Options': 'DENY', 'X-Which': 'all' } },
      {
        source: '/assets/*',
        headers: { 'x-which': 'assets', 'Content-Length': '1', 'Content-Encoding': 'br' },
      },
      { source: '/odd', headers: { 'X-Odd': 'gr\u00f6\u00dfe \u65e5\u0000' } },
    ],
  });

  test('of every rule that matches apply, and of two with one name the later', () => {
    expect(rules.headersFor('/')).toEqual({ 'x-frame-options': 'DENY', 'x-which': 'all' });
    expect(rules.headersFor('/assets/a.js')).toEqual({ 'x-frame-options': 'DENY', 'x-which': 'assets' });
  });

  test('travel as UTF-8 and without control characters', () => {
    const value = rules.headersFor('/odd')['x-odd'] ?? '';
    expect(Buffer.from(value, 'latin1').toString()).toBe('größe 日 ');
  });
});
