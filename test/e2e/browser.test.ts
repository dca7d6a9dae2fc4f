/** Sites in a real browser, Debian's Chromium, which resolves *.localhost by itself. */
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { project } from './projects.ts';
import { openSphere } from './sphere.ts';

const sphere = openSphere();
let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser.close();
  await sphere.close();
});

/** What Vite makes of a small application: hashed files, the later one loaded when it is asked for. */
function application(release: string, hash: string) {
  return {
    'sphere.json': JSON.stringify({ spa: true }),
    'dist/index.html': `<!doctype html><title>app</title><link rel="stylesheet" href="/assets/index-${hash}.css">
      <main id="app"></main><script type="module" src="/assets/index-${hash}.js"></script>`,
    [`dist/assets/index-${hash}.js`]: `
      const app = document.getElementById('app');
      app.textContent = 'release ${release} at ' + location.pathname;
      window.later = async () => { app.textContent = (await import('./Later-${hash}.js')).text; };
    `,
    [`dist/assets/Later-${hash}.js`]: `export const text = 'later of ${release}';`,
    [`dist/assets/index-${hash}.css`]: '#app { color: rgb(1, 2, 3); }',
  };
}

async function publish(name: string, files: Record<string, string>): Promise<string> {
  const cwd = project(sphere, name, files);
  const { code, stdout, stderr } = await sphere.run(['deploy', '--local', '--prebuilt', 'dist'], { cwd });
  expect(code, stderr).toBe(0);
  return stdout.trim();
}

async function openPage(url: string): Promise<{ page: Page; problems: string[] }> {
  const page = await browser.newPage();
  onTestFinished(() => page.close());
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('response', (response) => {
    if (response.status() >= 400 && !response.url().endsWith('/favicon.ico')) problems.push(response.url());
  });
  await page.goto(url);
  return { page, problems };
}

test('a single-page application runs, with its styles, at a deep link too', async () => {
  const url = await publish('spa', application('one', 'B1a2C3d4'));
  const { page, problems } = await openPage(url);
  expect(await page.textContent('#app')).toBe('release one at /');
  expect(await page.evaluate(`getComputedStyle(document.getElementById('app')).color`)).toBe('rgb(1, 2, 3)');

  const deep = await page.goto(`${url}orders/42?open=1`);
  expect(deep?.status()).toBe(200);
  expect(await page.textContent('#app')).toBe('release one at /orders/42');
  expect(problems).toEqual([]);

  // A script that is gone is no page: it must not be answered with one.
  const missing = await page.evaluate(`fetch('/assets/Gone-B1a2C3d4.js').then(({ status }) => status)`);
  expect(missing).toBe(404);
});

test('a site whose files ask for a path that its configuration computes is served there', async () => {
  const url = await publish('computed-base', {
    'dist/index.html': '<title>shop</title><p id="app"></p><script src="/shop/app.js"></script>',
    'dist/app.js': `document.getElementById('app').textContent = 'runs at ' + location.pathname;`,
  });
  const { page, problems } = await openPage(url);
  expect(await page.textContent('#app')).toBe('runs at /shop/');
  expect(problems).toEqual([]);
});

test('an old tab loads its chunk after two more deployments', async () => {
  const url = await publish('old-tab', application('one', 'Aa11Bb22'));
  const { page, problems } = await openPage(url);
  await publish('old-tab', application('two', 'Cc33Dd44'));
  await publish('old-tab', application('three', 'Ee55Ff66'));
  await page.evaluate('later()');
  expect(await page.textContent('#app')).toBe('later of one');
  await page.reload();
  expect(await page.textContent('#app')).toBe('release three at /');
  expect(problems).toEqual([]);
});

test('an unknown address shows the custom 404 page', async () => {
  const url = await publish('not-found', {
    'dist/index.html': '<h1>Home</h1>',
    'dist/404.html': '<h1>Nothing here</h1>',
    'dist/docs/guide.html': '<h1>Guide</h1>',
  });
  const { page } = await openPage(url);
  const missing = await page.goto(`${url}docs/missing`);
  expect(missing?.status()).toBe(404);
  expect(await page.textContent('h1')).toBe('Nothing here');
  await page.goto(`${url}docs/guide`);
  expect(await page.textContent('h1')).toBe('Guide');
});
