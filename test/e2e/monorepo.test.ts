/** A package of a monorepo is the same project from its own directory and from the top, with every package manager. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployment } from '../../contract/api.ts';
import type { Tree } from '../files/tree.ts';
import { project } from './projects.ts';
import { get, machine, openSphere } from './sphere.ts';

const sphere = openSphere();
beforeAll(async () => {
  const cwd = project(sphere, 'the-first', { 'index.html': 'x' });
  const { code, stderr } = await sphere.run(['deploy', '--local'], { cwd, environment: machine });
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => sphere.close());

type Deployed = { outcome: string; id: string; url: string; deployment: Deployment };
const deploy = (cwd: string, ...args: string[]) => sphere.json<Deployed>(['deploy', ...args], { cwd });

/** A package `SLUG` in `apps/web` that uses its sibling `ui`; what it builds says which one that was. */
function workspace(slug: string, uses: string, top: Tree): Tree {
  return {
    'apps/web/package.json': JSON.stringify({
      name: slug,
      version: '1.0.0',
      scripts: { build: 'node build.mjs' },
      dependencies: { ui: uses },
    }),
    'apps/web/build.mjs': `
      import { mkdirSync, writeFileSync } from 'node:fs';
      import { title } from 'ui';
      mkdirSync('dist', { recursive: true });
      writeFileSync('dist/index.html', title('${slug}'));
    `,
    'packages/ui/package.json': JSON.stringify({
      name: 'ui',
      version: '1.0.0',
      type: 'module',
      exports: './ui.js',
    }),
    'packages/ui/ui.js': 'export const title = (text) => "<h1>" + text + "</h1>";',
    ...top,
  };
}

const managers: [name: string, uses: string, top: Tree][] = [
  ['npm', '1.0.0', { 'package.json': '{"private":true,"workspaces":["apps/*","packages/*"]}' }],
  [
    'pnpm',
    'workspace:*',
    {
      'package.json': '{"private":true,"packageManager":"pnpm@10.4.1"}',
      'pnpm-workspace.yaml': 'packages: ["apps/*", "packages/*"]\n',
    },
  ],
  [
    'yarn',
    '1.0.0',
    {
      'package.json': '{"private":true,"workspaces":["apps/*","packages/*"],"packageManager":"yarn@1.22.22"}',
    },
  ],
  [
    'bun',
    'workspace:*',
    { 'package.json': '{"private":true,"workspaces":["apps/*","packages/*"],"packageManager":"bun@1.2.0"}' },
  ],
];

describe.each(managers)('a workspace of %s', (manager, uses, top) => {
  test('deploys the same from the top and from the package', async () => {
    const slug = `web-${manager}`;
    const cwd = project(sphere, `mono-${manager}`, workspace(slug, uses, top));
    const inside = join(cwd, 'apps/web');
    // The framework is what makes a package of a workspace a site; here the root directory is named instead.
    const fromTop = await deploy(cwd, '--root', 'apps/web');
    expect(fromTop.deployment).toMatchObject({ project: slug, status: 'ready' });
    expect((await get(fromTop.url)).body).toBe(`<h1>${slug}</h1>`);

    const fromPackage = await deploy(inside);
    expect(fromPackage).toMatchObject({ outcome: 'already_live', id: fromTop.id });

    const again = await deploy(inside, '--force');
    expect(again.deployment.source).toEqual(fromTop.deployment.source);
    expect(again.deployment.detections).toEqual(fromTop.deployment.detections);
    expect(again.deployment.figures).toMatchObject({ changed: 0, removed: 0, uploaded: 0 });
    const named = await deploy(sphere.root, inside);
    expect(named).toMatchObject({ outcome: 'already_live', id: again.id });
  });
});

describe('the site of a workspace', () => {
  const files = (slug: string): Tree => ({
    'package.json': '{"name":"acme","private":true,"workspaces":["apps/*"]}',
    'apps/web/package.json': JSON.stringify({
      name: slug,
      scripts: { build: 'node build.mjs && echo vite build' },
      peerDependencies: { vite: '*' },
      peerDependenciesMeta: { vite: { optional: true } },
    }),
    'apps/web/build.mjs':
      "import * as fs from 'node:fs'; fs.mkdirSync('dist', {recursive: true}); fs.writeFileSync('dist/index.html', 'web');",
  });

  test('is found from the top by its framework, and the commands after it mean the same project', async () => {
    const cwd = project(sphere, 'found', files('found-web'));
    const fromTop = await deploy(cwd);
    expect(fromTop.deployment.project).toBe('found-web');
    expect(await deploy(join(cwd, 'apps/web'))).toMatchObject({ outcome: 'already_live', id: fromTop.id });
    for (const at of [cwd, join(cwd, 'apps/web')]) {
      expect((await sphere.run(['open'], { cwd: at })).stdout).toBe(`${fromTop.url}\n`);
    }
  });

  test('is not guessed where there are several, and is said before anything is sent', async () => {
    const cwd = project(sphere, 'several', {
      ...files('several-web'),
      'apps/docs/package.json':
        '{"name":"docs","scripts":{"build":"vite build"},"dependencies":{"vite":"7.0.0"}}',
    });
    const { code, stdout, stderr } = await sphere.run(['deploy'], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/2 directories with a site[\s\S]*apps\/docs \(Vite\)[\s\S]*--root/);
    expect(stderr).not.toContain('Deploying');
  });
});

describe('a directory that sphere.json at the top names', () => {
  test('is the same project from inside, with the settings of both files', async () => {
    const cwd = project(sphere, 'named', {
      'sphere.json': '{"slug":"named-site","rootDirectory":"site","cleanUrls":true}',
      'site/index.html': 'home',
      'site/about.html': 'about',
      'site/sphere.json': '{"redirects":[{"source":"/old","destination":"/about"}]}',
      '.git/HEAD': '',
    });
    const fromTop = await deploy(cwd);
    expect(fromTop.deployment.project).toBe('named-site');
    expect((await get(`${fromTop.url}about.html`)).status).toBeGreaterThanOrEqual(301);
    expect((await get(`${fromTop.url}old`)).status).toBe(307);
    expect(await deploy(join(cwd, 'site'))).toMatchObject({ outcome: 'already_live', id: fromTop.id });
  });

  test('is an error that names it when it is not there', async () => {
    const cwd = project(sphere, 'missing', { 'index.html': 'x' });
    const { code, stderr } = await sphere.run(['deploy', '--root', 'apps/wbe'], { cwd });
    expect(code).toBe(2);
    expect(stderr).toMatch(/--root names the directory apps\/wbe, and there is none/);
  });
});

test('ignoreCommand leaves what is live, prints its address, and ends with 0', async () => {
  const cwd = project(sphere, 'ignored', { 'index.html': 'one' });
  const { url } = await deploy(cwd);
  project(sphere, 'ignored', {
    'index.html': 'two',
    'sphere.json': '{"ignoreCommand":"echo nothing; exit 0"}',
  });
  const { code, stdout, stderr } = await sphere.run(['deploy'], { cwd });
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${url}\n` });
  expect(stderr).toContain(
    'The ignore command `echo nothing; exit 0` ended with exit code 0: nothing is built.',
  );
  expect((await get(url)).body).toBe('one');
  expect(await sphere.newest('ignored')).toMatchObject({
    status: 'cancelled',
    reason: 'ignored',
    error: null,
  });
  expect(await deploy(cwd)).toMatchObject({ outcome: 'ignored', url });
  expect((await deploy(cwd, '--force')).outcome).toBe('deployed');
  expect((await get(url)).body).toBe('two');
});

test('limits may be lower than those of the plane, not higher', async () => {
  const cwd = project(sphere, 'limited', { 'index.html': 'x', 'sphere.json': '{"limits":{"minutes":1}}' });
  expect((await deploy(cwd)).outcome).toBe('deployed');
  project(sphere, 'limited', { 'sphere.json': '{"limits":{"minutes":1000}}' });
  const { code, stderr } = await sphere.run(['deploy'], { cwd });
  expect(code).toBe(2);
  expect(stderr).toMatch(/builds for at most \d+ minutes, not 1000/);
});
