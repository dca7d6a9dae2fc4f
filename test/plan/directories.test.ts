/** Monorepos, plain HTML and settings: which directory is built, and what is said when none can be. */
import { describe, expect, test } from 'vitest';
import { planBuild } from '../../builder/plan/plan.ts';
import type { BuildSettings } from '../../contract/configuration.ts';
import { literalSourceFiles } from './literal-source-files.ts';

const plan = (tree: Record<string, unknown>, settings: BuildSettings = {}) =>
  planBuild(literalSourceFiles(tree), settings, { nodeVersion: '20.20.2' });

const app = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  dependencies: { vite: '7.0.0' },
  scripts: { build: 'vite build' },
  ...more,
});

describe('workspaces', () => {
  const workspace = {
    'package.json': { private: true, workspaces: ['apps/*', 'packages/*', '!packages/old'] },
    'package-lock.json': { lockfileVersion: 3, packages: { '': {} } },
    'apps/web/package.json': app('web'),
    'packages/ui/package.json': { name: 'ui' },
    'packages/old/package.json': { name: 'old' },
  };

  test('the only site is found, installed at the top and built in its own directory', async () => {
    const found = await plan(workspace);
    expect(found.rootDirectory).toBe('apps/web');
    expect(found.install).toEqual({
      command: 'npm ci --prefer-offline --no-audit --no-fund',
      directory: '.',
      kind: 'derived',
    });
    expect(found.build).toEqual({ command: 'npm run build', directory: 'apps/web', kind: 'derived' });
    expect(found.output.candidates[0]?.directory).toBe('apps/web/dist');
    expect(found.frameworkCaches).toContain('apps/web/node_modules/.vite');
    expect(found.installInputs).toEqual([
      'apps/web/package.json',
      'package-lock.json',
      'package.json',
      'packages/ui/package.json',
    ]);
    expect(found.detections[0]).toEqual({
      what: 'root directory',
      value: 'apps/web',
      why: 'the only directory with a site (Vite)',
    });
  });

  test('of several sites none is guessed', async () => {
    await expect(
      plan({ ...workspace, 'apps/docs/package.json': app('docs', { dependencies: { astro: '5.0.0' } }) }),
    ).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      hint: expect.stringContaining('--root apps/docs'),
      details: ['apps/docs (Astro)', 'apps/web (Vite)'],
    });
  });

  test('a root directory chooses one', async () => {
    const tree = { ...workspace, 'apps/docs/package.json': app('docs') };
    expect((await plan(tree, { rootDirectory: 'apps/docs' })).build?.directory).toBe('apps/docs');
  });

  test('a directory that is no member installs for itself', async () => {
    const found = await plan({ ...workspace, 'site/package.json': app('site') }, { rootDirectory: 'site' });
    expect(found.install?.directory).toBe('site');
  });

  test('a framework that only the workspace depends on counts where a script runs it', async () => {
    const found = await plan({
      'package.json': { workspaces: ['apps/*'], devDependencies: { vite: '7.0.0' } },
      'apps/web/package.json': { scripts: { build: 'vite build' } },
      'apps/tool/package.json': { scripts: { build: 'tsc' } },
    });
    expect(found.rootDirectory).toBe('apps/web');
  });

  test('Turborepo builds what the package needs', async () => {
    const found = await plan({
      'package.json': { workspaces: ['apps/*'], devDependencies: { turbo: '2.0.0' } },
      'turbo.json': {},
      'apps/web/package.json': app('@acme/web'),
    });
    expect(found.build).toEqual({
      command: 'npx turbo run build --filter=@acme/web',
      directory: '.',
      kind: 'derived',
    });
  });

  test('Turborepo is started without pnpm where the workspace has a pnpm of its own', async () => {
    const found = await plan({
      'package.json': { devDependencies: { turbo: '2.0.0', pnpm: '10.0.0' } },
      'pnpm-workspace.yaml': 'packages:\n  - apps/*\n',
      'pnpm-lock.yaml': 'lockfileVersion: 9.0\n',
      'turbo.json': {},
      'apps/web/package.json': app('@acme/web'),
    });
    expect(found.build).toEqual({
      command: 'node_modules/.bin/turbo run build --filter=@acme/web',
      directory: '.',
      kind: 'derived',
    });
  });

  test('pnpm builds the packages of the workspace that the site uses', async () => {
    const found = await plan({
      'package.json': {},
      'pnpm-workspace.yaml': 'packages:\n  - "apps/*"\n  - packages/**\n',
      'apps/web/package.json': app('web', { dependencies: { vite: '7.0.0', ui: 'workspace:*' } }),
      'packages/ui/package.json': { name: 'ui', scripts: { build: 'tsc' } },
    });
    expect(found.install?.directory).toBe('.');
    expect(found.build?.command).toBe('pnpm --filter "web..." run build');
  });

  test('a library that Vite builds is no site', async () => {
    const found = await plan({
      'package.json': { workspaces: ['packages/*', 'docs'] },
      'packages/ui/package.json': app('ui'),
      'packages/ui/vite.config.ts': "export default { build: { lib: { entry: 'src/index.ts' } } }",
      'docs/package.json': { dependencies: { vitepress: '1.0.0' }, scripts: { build: 'vitepress build' } },
    });
    expect(found.rootDirectory).toBe('docs');
    expect(found.output.candidates[0]?.directory).toBe('docs/.vitepress/dist');
  });

  test.each([
    ['a plug-in that is made for a framework', { exports: './dist/index.js', scripts: { build: 'tsup' } }],
    ['shared code that depends on one for its types', { types: './src/index.ts' }],
  ])('%s is no site', async (_what, more) => {
    const found = await plan({
      'package.json': { workspaces: ['apps/*', 'packages/*'] },
      'apps/web/package.json': { dependencies: { astro: '5.0.0' }, scripts: { build: 'astro build' } },
      'packages/shared/package.json': { name: 'shared', devDependencies: { astro: '5.0.0' }, ...more },
    });
    expect(found.rootDirectory).toBe('apps/web');
  });

  test('what is both imported by others and built with a framework is a site', async () => {
    const both = app('both', { exports: './src/index.ts' });
    await expect(
      plan({ ...workspace, 'packages/ui/package.json': both, 'packages/ui/index.html': '' }),
    ).rejects.toMatchObject({ details: ['apps/web (Vite)', 'packages/ui (Vite)'] });
  });

  test('a Storybook is no site beside one, nor is what cleans up after it a build', async () => {
    const storybook = { storybook: '8.0.0', '@storybook/react': '8.0.0' };
    const found = await plan({
      'package.json': {
        workspaces: ['apps/*', 'packages/*'],
        devDependencies: storybook,
        scripts: { build: 'turbo build', clean: 'rm -rf node_modules dist build-storybook' },
      },
      'apps/web/package.json': app('web'),
      'packages/ui/package.json': {
        name: 'ui',
        devDependencies: storybook,
        scripts: { 'storybook-build': 'storybook build' },
      },
    });
    expect(found.rootDirectory).toBe('apps/web');
  });

  test('a site in a directory of a repository that is no workspace is found', async () => {
    const found = await plan({ 'README.md': '', 'frontend/package.json': app('web') });
    expect(found.rootDirectory).toBe('frontend');
    expect(found.install?.directory).toBe('frontend');
  });
});

describe('plain HTML', () => {
  test.each([
    ['at the top', { 'index.html': '', 'public/index.html': '' }, '.'],
    ['in public/', { 'public/index.html': '', 'server.py': '' }, 'public'],
    [
      'in docs/, beside a package.json that builds nothing',
      { 'docs/index.html': '', 'package.json': {} },
      'docs',
    ],
    ['in the only directory that has a page', { 'landing/index.html': '', 'notes/a.txt': '' }, 'landing'],
  ])('%s', async (_name, tree, directory) => {
    const found = await plan(tree);
    expect(found).toMatchObject({ framework: null, install: null, build: null });
    expect(found.output.candidates).toEqual([
      { directory, inSource: true, why: `found ${directory === '.' ? '' : `${directory}/`}index.html` },
    ]);
    expect(found.detections.map(({ value }) => value)).toContain('none: plain HTML');
  });

  test('at the top, the project’s own files are left out', async () => {
    const found = await plan({ 'index.html': '', 'package.json': {}, 'sphere.json': {} });
    expect(found.output.leaveOut).toContain('package.json');
    expect(found.output.leaveOut).toContain('sphere.json');
  });

  test('pages without an index are published, and it is said', async () => {
    const found = await plan({ 'about.html': '' });
    expect(found.output.candidates[0]?.directory).toBe('.');
    expect(found.warnings.join()).toContain('There is no index.html beside about.html');
  });

  test('a page that loads what no browser runs is a warning', async () => {
    const found = await plan({ 'index.html': '<script type="module" src="/src/main.tsx"></script>' });
    expect(found.warnings.join()).toContain('loads /src/main.tsx');
  });

  test.each([
    ['Hugo', { 'hugo.toml': '', 'layouts/index.html': '' }, 'public'],
    ['Jekyll', { '_config.yml': '', 'index.html': '---\nlayout: home\n---\n' }, '_site'],
    ['MkDocs', { 'mkdocs.yml': '', 'docs/index.md': '' }, 'site'],
  ])('%s is not taken for plain HTML', async (name, tree, output) => {
    await expect(plan(tree)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining(name),
      hint: expect.stringContaining(`--prebuilt ${output}`),
    });
  });

  test('where there is nothing to publish, what was looked for and what was seen is said', async () => {
    await expect(
      plan({ 'package.json': { scripts: { lint: 'eslint' } }, 'src/main.c': '', Makefile: '' }),
    ).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining('no known framework, no build script and no index.html'),
      details: [
        expect.stringContaining('public, dist, site, docs'),
        'Its scripts: lint.',
        'Seen: Makefile, package.json, src/',
      ],
    });
  });

  test('a package.json that is no JSON is named', async () => {
    await expect(plan({ 'package.json': '{ "name": }' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      message: expect.stringContaining('package.json is not valid JSON'),
    });
  });
});

describe('Nx', () => {
  const nx = {
    'nx.json': {},
    'package.json': {
      name: 'acme',
      dependencies: { vite: '7.0.0', react: '19.0.0' },
      devDependencies: { nx: '21.0.0' },
    },
    'package-lock.json': { packages: { '': {} } },
    'apps/shop/project.json': {
      name: 'shop',
      projectType: 'application',
      targets: { build: { executor: '@nx/vite:build', options: { outputPath: 'dist/apps/shop' } } },
    },
    'apps/shop/index.html': '',
    'apps/shop-e2e/project.json': { name: 'shop-e2e', projectType: 'application', targets: { e2e: {} } },
    'libs/ui/project.json': { name: 'ui', projectType: 'library', targets: { build: {} } },
  };

  test('the only application is built by Nx at the top, with the output that its target names', async () => {
    const found = await plan(nx);
    expect(found.rootDirectory).toBe('apps/shop');
    expect(found.install?.directory).toBe('.');
    expect(found.build).toEqual({ command: 'npx nx run shop:build', directory: '.', kind: 'derived' });
    expect(found.output.candidates.slice(0, 2).map(({ directory }) => directory)).toEqual([
      'dist/apps/shop/browser',
      'dist/apps/shop',
    ]);
  });

  test.each([
    [{ outputs: ['{workspaceRoot}/out/{projectName}'] }, 'out/shop'],
    [{ outputs: ['{projectRoot}/build'] }, 'apps/shop/build'],
    [{ options: { outputPath: { base: 'dist/x' } }, outputs: ['{options.outputPath}'] }, 'dist/x'],
    [{ outputs: ['{workspaceRoot}/../outside'] }, 'dist/apps/shop'],
  ])('the output of %j is %s', async (build, output) => {
    const project = {
      name: 'shop',
      projectType: 'application',
      targets: { build: { executor: 'x', ...build } },
    };
    const found = await plan({ ...nx, 'apps/shop/project.json': project });
    expect(found.output.candidates[1]?.directory).toBe(output);
  });

  test('of several applications none is guessed', async () => {
    const docs = { name: 'docs', projectType: 'application', targets: { build: { executor: 'x' } } };
    const two = { ...nx, 'apps/docs/project.json': docs, 'apps/docs/docusaurus.config.js': '' };
    await expect(plan(two)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      details: ['apps/docs (Nx)', 'apps/shop (Nx)'],
    });
  });

  test.each([
    ['@nx/vite/plugin', undefined, { 'vite.config.mts': '', 'index.html': '' }, 'build'],
    ['@nx/vite', { buildTargetName: 'vite:build' }, { 'vite.config.ts': '', 'index.html': '' }, 'vite:build'],
    ['@nx/rsbuild', undefined, { 'rsbuild.config.ts': '' }, 'build'],
    ['@nx/webpack/plugin', undefined, { 'webpack.config.js': '', 'src/index.html': '' }, 'build'],
  ])('an application is found whose target %s gives it', async (plugin, options, files, target) => {
    const own = Object.fromEntries(Object.entries(files).map(([name, text]) => [`apps/blog/${name}`, text]));
    const found = await plan({
      'nx.json': { plugins: ['@nx/js', options === undefined ? plugin : { plugin, options }] },
      'package.json': nx['package.json'],
      'apps/blog/project.json': { name: 'blog', projectType: 'application', targets: {} },
      // Its tests are Vite's too.
      'apps/blog-e2e/project.json': { name: 'blog-e2e', projectType: 'application' },
      'apps/blog-e2e/vite.config.ts': '',
      ...own,
    });
    expect(found.rootDirectory).toBe('apps/blog');
    expect(found.build?.command).toBe(`npx nx run blog:${target}`);
    expect(found.output.candidates.map(({ directory }) => directory)).toContain('dist/apps/blog');
  });

  test('an application with a package.json that builds nothing is built by Nx all the same', async () => {
    const found = await plan({
      ...nx,
      'nx.json': { plugins: ['@nx/rsbuild'] },
      'package.json': { ...nx['package.json'], workspaces: ['apps/*'] },
      'apps/shop/package.json': { name: '@acme/shop', dependencies: { 'react-router-dom': '7.0.0' } },
      'apps/shop/project.json': { name: 'shop', projectType: 'application', targets: {} },
      'apps/shop/rsbuild.config.ts': '',
      'apps/shop/src/index.html': '',
    });
    expect(found.install?.directory).toBe('.');
    expect(found.build?.command).toBe('npx nx run shop:build');
    expect(found.browserRouter).toBe('react-router-dom');
  });

  test('a server that Nx builds is no site beside one, and the only thing to ask about where there is none', async () => {
    const api = {
      name: 'api',
      projectType: 'application',
      targets: { build: { executor: 'nx:run-commands', options: { command: 'webpack-cli build' } } },
    };
    const servers = { 'apps/api/project.json': api, 'apps/api/src/main.ts': '' };
    expect((await plan({ ...nx, ...servers })).rootDirectory).toBe('apps/shop');
    const alone = { 'nx.json': {}, 'package.json': nx['package.json'], ...servers };
    expect((await plan(alone)).rootDirectory).toBe('apps/api');
  });

  test('a package is built by Nx as well, so that what it uses is built before it', async () => {
    const found = await plan({
      'nx.json': {},
      'package.json': { workspaces: ['apps/*'], devDependencies: { nx: '21.0.0' } },
      'package-lock.json': { packages: { '': {} } },
      'apps/web/package.json': app('web'),
    });
    expect(found.build).toEqual({ command: 'npx nx run web:build', directory: '.', kind: 'derived' });
    expect(found.output.candidates[0]?.directory).toBe('apps/web/dist');
  });
});

describe('a package without a known framework', () => {
  test('its build script is run and the usual directories are looked at', async () => {
    const found = await plan({
      'package.json': { scripts: { build: 'node build.js' } },
      'docs/notes.md': '',
    });
    expect(found.framework).toBeNull();
    expect(found.build?.command).toBe('npm run build');
    const looked = found.output.candidates.map(({ directory }) => directory);
    expect(looked.slice(0, 4)).toEqual(['dist', 'build', 'out', 'public']);
    expect(found.output.candidates.filter(({ inSource }) => inSource).map((c) => c.directory)).toEqual([
      'docs',
    ]);
  });

  test('the only script that builds is run', async () => {
    const found = await plan({ 'package.json': { scripts: { 'build:prod': 'node build.js', test: 'x' } } });
    expect(found.build?.command).toBe('npm run build:prod');
  });
});

describe('settings', () => {
  const tree = { 'package.json': app('web'), 'package-lock.json': { packages: { '': {} } } };

  test('commands and output that are given are taken as they are', async () => {
    const found = await plan(tree, {
      installCommand: 'npm install --omit=optional',
      buildCommand: 'make site',
      outputDirectory: 'site/',
    });
    expect(found.install).toEqual({ command: 'npm install --omit=optional', directory: '.', kind: 'given' });
    expect(found.build).toEqual({ command: 'make site', directory: '.', kind: 'given' });
    expect(found.output).toEqual({
      kind: 'given',
      candidates: [{ directory: 'site', inSource: false, why: 'named by the setting' }],
      leaveOut: [],
    });
  });

  test('null runs no command', async () => {
    expect((await plan(tree, { installCommand: null })).install).toBeNull();
    const found = await plan({ ...tree, 'index.html': '' }, { buildCommand: null });
    expect(found).toMatchObject({ install: null, build: null, framework: null });
  });

  test('a build command needs no package.json', async () => {
    const found = await plan({ Makefile: '' }, { buildCommand: 'make', outputDirectory: 'html' });
    expect(found).toMatchObject({ install: null, build: { command: 'make' }, packageManager: null });
  });

  test('a framework that is given needs a name that is known, and a package.json', async () => {
    const html = { 'index.html': '' };
    await expect(plan(html, { framework: 'foo' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      hint: expect.stringContaining('vite, '),
    });
    await expect(plan(html, { framework: 'vite' })).rejects.toThrow('there is no package.json for Vite');
    expect((await plan(html, { framework: 'none' })).build).toBeNull();
  });

  test('a framework that is given is believed, also `none`', async () => {
    const both = {
      'package.json': { dependencies: { vite: '7.0.0', vitepress: '1.0.0' } },
      'index.html': '',
    };
    expect((await plan(both, { framework: 'vitepress' })).framework?.slug).toBe('vitepress');
    expect((await plan(both, { framework: 'none' })).build).toBeNull();
  });

  test('an unknown framework is refused with the nearest known one', async () => {
    await expect(plan(tree, { framework: 'vita' })).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      hint: expect.stringContaining('Did you mean "vite"?'),
    });
  });

  test('a root directory that is not there is refused with those that are', async () => {
    await expect(
      plan({ 'apps/web/package.json': app('web') }, { rootDirectory: 'app/web' }),
    ).rejects.toMatchObject({ code: 'CONFIGURATION_INVALID', hint: expect.stringContaining('apps/web') });
  });

  test('Node is said with where the wish comes from', async () => {
    const found = await plan({ ...tree, '.nvmrc': 'v22' });
    expect(found.node).toEqual({
      range: 'v22',
      from: '.nvmrc',
      use: 'fetch',
      fetch: '22',
      why: 'Node 20.20.2 does not satisfy it',
    });
  });
});
