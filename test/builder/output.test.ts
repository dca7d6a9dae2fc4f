/** Which directory is taken for the site, and where in the site its files are put. */
import { describe, expect, test } from 'vitest';
import { basePathOf } from '../../builder/output/base-path.ts';
import { chooseOutput, lookBefore } from '../../builder/output/choose-output.ts';
import { mountAt, servingOf, withoutNames } from '../../builder/output/site.ts';
import type { BuildPlan } from '../../builder/plan/build-plan.ts';
import { planBuild } from '../../builder/plan/plan.ts';
import { sourceFilesAt } from '../../builder/plan/source-files.ts';
import { type Tree, tree, writeTree } from '../files/tree.ts';

const file = (name: string) => ({ blob: name.padEnd(64, '0'), bytes: 1 });

describe('the output', () => {
  const source: Tree = {
    'package.json': '{"scripts":{"build":"vite build"},"devDependencies":{"vite":"7"}}',
    'index.html': '<script type="module" src="/main.js"></script>',
  };
  const afterBuild = async (before: Tree, made: Tree, settings = {}) => {
    const directory = tree({ ...source, ...before });
    const plan: BuildPlan = await planBuild(sourceFilesAt(directory), settings, { nodeVersion: '22.0.0' });
    const seen = lookBefore(plan, directory);
    writeTree(directory, made);
    return chooseOutput(plan, directory, seen).directory;
  };

  test('is the directory that the build has made', async () => {
    expect(await afterBuild({}, { 'dist/index.html': 'new' })).toBe('dist');
  });

  test('is not one that was committed and that the build has not touched', async () => {
    await expect(afterBuild({ 'dist/index.html': 'old' }, {})).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining('not changed by the build'),
    });
    expect(await afterBuild({ 'dist/index.html': 'old' }, { 'dist/index.html': 'new' })).toBe('dist');
  });

  test('is not what a server needs, beside what browsers get', async () => {
    const vike = { 'package.json': '{"scripts":{"build":"vite build"},"devDependencies":{"vike":"0.4"}}' };
    const server = { 'dist/server/entry.mjs': '', 'dist/client/assets/a.js': '' };
    expect(await afterBuild(vike, { ...server, 'dist/client/index.html': '' })).toBe('dist/client');
    await expect(afterBuild(vike, server)).rejects.toMatchObject({
      code: 'NOT_STATIC',
      hint: expect.stringContaining('prerender: true'),
    });
  });

  test('is not what a server or a library leaves behind', async () => {
    await expect(afterBuild({}, { 'dist/server.js': 'listen()' })).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining('dist (without an HTML page)'),
    });
  });

  test('that a setting names is believed', async () => {
    expect(await afterBuild({ 'site/index.html': 'old' }, {}, { outputDirectory: 'site' })).toBe('site');
  });

  test('that is elsewhere is named in the hint', async () => {
    await expect(
      afterBuild({}, { 'web/public/index.html': '' }, { outputDirectory: 'dist' }),
    ).rejects.toMatchObject({ code: 'OUTPUT_INVALID', hint: expect.stringContaining('"web/public"') });
  });
});

describe('a site that is built for /docs/', () => {
  const files = { 'index.html': file('a'), '404.html': file('b'), 'assets/x.js': file('c') };

  test('is put there, and / leads to it', () => {
    expect(mountAt({ files, serving: { cleanUrls: true } }, '/docs/')).toEqual({
      files: { 'docs/index.html': file('a'), 'docs/404.html': file('b'), 'docs/assets/x.js': file('c') },
      serving: {
        cleanUrls: true,
        notFound: 'docs/404.html',
        redirects: [{ source: '/', destination: '/docs/', permanent: false }],
      },
    });
  });

  test('keeps the page that a single-page application falls back to at the top', () => {
    const mounted = mountAt({ files, serving: { spa: true } }, '/docs/');
    expect(mounted?.files['index.html']).toEqual(file('a'));
  });

  test("keeps a redirect of the person's own from /", () => {
    const redirects = [{ source: '/', destination: '/docs/start' }];
    expect(mountAt({ files, serving: { redirects } }, '/docs/')?.serving.redirects).toEqual(redirects);
  });

  test('stays as it is when the build has put it there', () => {
    expect(mountAt({ files: { 'docs/index.html': file('a') }, serving: {} }, '/docs/')).toBeNull();
  });
});

describe('the path that a site is built for', () => {
  const paths = new Set(['index.html', 'app.js', 'assets/a.css', 'assets/b.mjs']);

  test.each([
    ['<script type="module" src="/docs/app.js"></script><link href="/docs/assets/a.css">', '/docs/'],
    ['<script src=/docs/app.js></script>', '/docs/'],
    ['<astro-island component-url="/docs/assets/b.mjs?v=1"></astro-island>', '/docs/'],
    [`<script>import("/a/b/assets/b.mjs")</script>`, '/a/b/'],
    ['<script src="https://cdn.example/x.js"></script><script src="/docs/app.js"></script>', '/docs/'],
  ])('of %s is %s', (page, base) => {
    expect(basePathOf(page, paths)).toBe(base);
  });

  test.each([
    ['asks for what is there', '<script src="/app.js"></script><link href="/docs/assets/a.css">'],
    ['asks for what is nowhere', '<script src="/docs/app.js"></script><script src="/docs/gone.js"></script>'],
    ['asks for two paths', '<script src="/a/app.js"></script><link href="/b/assets/a.css">'],
    ['has only relative addresses', '<script src="./app.js"></script><script src="docs/app.js"></script>'],
    ['has those of another host', '<script src="//docs/app.js"></script>'],
    ['asks for no script', '<img src="/docs/a.png"><a href="/docs/">docs</a>'],
  ])('is not told by a page that %s', (_what, page) => {
    expect(basePathOf(page, paths)).toBeNull();
  });
});

test("names at the top that are the project's are left out, and the same names below are not", () => {
  const files = { 'package.json': file('a'), 'api/package.json': file('b'), 'scripts/x.sh': file('c') };
  expect(Object.keys(withoutNames(files, ['package.json', 'scripts']))).toEqual(['api/package.json']);
});

describe('unknown paths', () => {
  const site = (...paths: string[]) => ({
    files: Object.fromEntries(paths.map((path) => [path, file('a')])),
    serving: { cleanUrls: true },
  });

  test('of a site of one page with a router in the browser are answered by that page', () => {
    expect(servingOf(site('index.html', 'assets/a.js'), 'vue-router')).toEqual({
      cleanUrls: true,
      spa: true,
    });
  });

  test.each([
    ['has no router', site('index.html'), null],
    ['has a page of its own for them', site('index.html', '404.html'), 'vue-router'],
    ['is rendered ahead of time', site('index.html', 'about/index.html'), 'vue-router'],
    ['is set not to', { ...site('index.html'), serving: { spa: false } }, 'vue-router'],
  ])('of a site that %s stay as they are', (_, given, router) => {
    expect(servingOf(given, router)).toBe(given.serving);
  });
});
