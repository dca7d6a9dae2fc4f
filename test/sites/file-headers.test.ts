/** Content types and caching, from names that real tools write. */
import { describe, expect, test } from 'vitest';
import { cacheControlOf, contentTypeOf, isFingerprinted } from '../../server/sites/file-headers.ts';

describe('the content type', () => {
  test.each([
    ['index.html', 'text/html; charset=utf-8'],
    ['a.htm', 'text/html; charset=utf-8'],
    ['assets/app.js', 'text/javascript; charset=utf-8'],
    ['assets/app.mjs', 'text/javascript; charset=utf-8'],
    ['assets/app.cjs', 'text/javascript; charset=utf-8'],
    ['style.css', 'text/css; charset=utf-8'],
    ['app.wasm', 'application/wasm'],
    ['site.webmanifest', 'application/manifest+json; charset=utf-8'],
    ['app.js.map', 'application/json; charset=utf-8'],
    ['data.json', 'application/json; charset=utf-8'],
    ['photo.avif', 'image/avif'],
    ['photo.JPG', 'image/jpeg'],
    ['logo.svg', 'image/svg+xml'],
    ['font.woff2', 'font/woff2'],
    ['robots.txt', 'text/plain; charset=utf-8'],
    ['sitemap.xml', 'application/xml'],
    ['.well-known/apple-app-site-association', 'application/json; charset=utf-8'],
    ['html', 'application/octet-stream'],
    ['CNAME', 'application/octet-stream'],
    ['strange.unheardof', 'application/octet-stream'],
  ])('of %s is %s', (path, type) => {
    expect(contentTypeOf(path)).toBe(type);
  });
});

describe('a name with a hash', () => {
  test.each([
    // Vite, Rollup
    'assets/index-BxY3_a9Z.js',
    'assets/index-CzCCxqPw.css',
    'assets/logo-DAZlZ8IB.svg',
    'assets/vendor--xY3_a9Z.js',
    'assets/index-BxY3_a9Z.js.map',
    'assets/index-4f9e3f0c.js',
    'assets/inter-latin-Di8DUHzh.woff2',
    // webpack, Create React App, Docusaurus, VitePress
    'static/js/main.3f2a9c1b.js',
    'static/js/main.3f2a9c1b.js.LICENSE.txt',
    'static/js/787.abc12345.chunk.js',
    'static/js/main.84021957.js',
    'static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg',
    'assets/js/1a4e3797.a1b2c3d4.js',
    'assets/images/docs-15d08031ec3b1f4db6dbd1e3a4f7c5b8.png',
    'assets/guide_index.md.BxY3a9Z1.lean.js',
    'assets/chunks/framework.Cb3vqAQr.js',
    '6ce24c58023cc2f8fd88fe9d219db6c6.png',
    // Next.js
    '_next/static/Hx81kQe2Lw0aMZ/_buildManifest.js',
    '_next/static/chunks/main-app-0e51ac45a1ea3f6d.js',
    '_next/static/chunks/app/layout.js',
    'docs/_next/static/media/e4af272ccee01ff0-s.p.woff2',
    // SvelteKit, Astro, Nuxt, Gatsby, Angular, esbuild
    '_app/immutable/chunks/entry.js',
    '_app/immutable/nodes/0.js',
    '_astro/index.DLWxjCQ8.css',
    '_astro/penguin.DLWxjCQ8_Z1YJ2hX.webp',
    '_astro/hoisted.4f9e3f0c.js',
    '_nuxt/entry.BxY3a9Z1.css',
    '_nuxt/Di8DUHzh.js',
    '_nuxt/3a2f1bc.js',
    'app-1a2b3c4d5e6f7a8b9c0d.js',
    'component---src-pages-index-js-0a1b2c3d4e5f6a7b8c9d.js',
    'static/d2d31ac6a1d5bf6ae8e1d5f300000000/photo.jpg',
    'main-5TSIXRMM.js',
    'chunk-QBNYHMLA.js',
    'styles-5INURTSO.css',
    'main.0a1b2c3d4e5f6a7b.js',
  ])('is kept for a year: %s', (path) => {
    expect(isFingerprinted(path)).toBe(true);
    expect(cacheControlOf(path)).toBe('public, max-age=31536000, immutable');
  });

  test.each([
    'index.html',
    'assets/index-BxY3_a9Z.html',
    '_next/static/chunks/page.html',
    'jquery-3.7.1.min.js',
    'bootstrap-5.3.3.bundle.min.css',
    'my-component-library.js',
    'my-component-elements.js',
    'photo-20240101.jpg',
    'main.20240101.js',
    'report.1700000000000.json',
    'banner-1200x630.png',
    'photo-DSC01234.jpg',
    'photo-IMG20240.jpg',
    'icon-DropDown.svg',
    'lib-MyWidget.js',
    'menu-Item-Two.png',
    'wallpaper-iPhoneXs.png',
    'picture-PORTRAIT.jpg',
    'avatars/507f1f77bcf86cd799439011.png',
    'products/6ce24c58.json',
    'avatar-123e4567-e89b-12d3-a456-42661417400a.png',
    'font-deadbeef.js',
    'sw.js',
    'service-worker.js',
    'registerSW.js',
    'manifest.webmanifest',
    'robots.txt',
    'favicon.ico',
    'static/js/bundle.js',
    'static/photo.jpg',
    '_nuxt/builds/latest.json',
    '_next/data/page.json',
    '_app/version.json',
    'page-data/index/page-data.json',
    'hashmap.json',
    'app.js',
    'v1.2.3/app.js',
    'release-v1beta23.js',
    'README',
  ])('is none: %s is asked for each time', (path) => {
    expect(isFingerprinted(path)).toBe(false);
    expect(cacheControlOf(path)).toBe('public, max-age=0, must-revalidate');
  });

  test.each([
    [
      'Rollup',
      'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-',
      (h: string) => `a/x-${h}.js`,
    ],
    ['esbuild', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567', (h: string) => `main-${h}.js`],
    ['webpack', '0123456789abcdef', (h: string) => `main.${h}.js`],
  ])('of eight characters from %s is missed at most once in thirty', (_tool, alphabet, nameOf) => {
    let state = 1;
    const draw = () => {
      state = (state * 48271) % 2147483647;
      return alphabet[Math.floor((state / 2147483647) * alphabet.length)];
    };
    const names = Array.from({ length: 2000 }, () => nameOf(Array.from({ length: 8 }, draw).join('')));
    const missed = names.filter((name) => !isFingerprinted(name));
    expect(missed.length / names.length).toBeLessThan(1 / 30);
  });
});
