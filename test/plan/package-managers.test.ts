/** Which package manager, in which version, installs how; and what decides between several lockfiles. */
import { describe, expect, test } from 'vitest';
import { planBuild } from '../../builder/plan/plan.ts';
import { literalSourceFiles } from './literal-source-files.ts';

const plan = (tree: Record<string, unknown>, changedAt?: Record<string, number>) =>
  planBuild(literalSourceFiles(tree, changedAt), {}, { nodeVersion: '20.20.2' });

const packageJson = (more: Record<string, unknown> = {}) => ({
  devDependencies: { vite: '^7.0.0' },
  scripts: { build: 'vite build' },
  ...more,
});
const npmLock = { lockfileVersion: 3, packages: { '': { devDependencies: { vite: '^7.0.0' } } } };
const staleNpmLock = { lockfileVersion: 3, packages: { '': { devDependencies: { vite: '^5.0.0' } } } };
const pnpmLock = (version = '9.0', range = '^7.0.0') => `lockfileVersion: '${version}'

importers:

  .:
    devDependencies:
      vite:
        specifier: ${range}
        version: 7.1.0
`;
const yarnLock = (range = '^7.0.0') => `# yarn lockfile v1


vite@${range}:
  version "7.1.0"
`;
const berryLock = (version = 8) => `__metadata:
  version: ${version}

"vite@npm:^7.0.0":
  version: 7.1.0
`;
const bunLock =
  '{ "lockfileVersion": 1, "workspaces": { "": { "devDependencies": { "vite": "^7.0.0", } } }, }';

describe('one package manager', () => {
  test.each([
    [
      'npm with a lockfile',
      { 'package-lock.json': npmLock },
      'npm',
      null,
      'npm ci --prefer-offline --no-audit --no-fund',
    ],
    ['npm without one', {}, 'npm', null, 'npm install --prefer-offline --no-audit --no-fund'],
    [
      'npm with a lockfile of version 1, which keeps no ranges',
      { 'package-lock.json': { lockfileVersion: 1, dependencies: {} } },
      'npm',
      null,
      'npm ci --prefer-offline --no-audit --no-fund',
    ],
    [
      'npm with a lockfile that does not match',
      { 'package-lock.json': staleNpmLock },
      'npm',
      null,
      'npm install --prefer-offline --no-audit --no-fund',
    ],
    [
      'pnpm',
      { 'pnpm-lock.yaml': pnpmLock() },
      'pnpm',
      'pnpm@10',
      'pnpm install --frozen-lockfile --prefer-offline',
    ],
    [
      'pnpm with the lockfile of pnpm 8',
      { 'pnpm-lock.yaml': pnpmLock('6.0') },
      'pnpm',
      'pnpm@8',
      'pnpm install --frozen-lockfile --prefer-offline',
    ],
    [
      'pnpm with the lockfile of pnpm 7',
      { 'pnpm-lock.yaml': 'lockfileVersion: 5.4\n\nspecifiers:\n  vite: ^7.0.0\n' },
      'pnpm',
      'pnpm@7',
      'pnpm install --frozen-lockfile --prefer-offline',
    ],
    [
      'pnpm with a lockfile that does not match',
      { 'pnpm-lock.yaml': pnpmLock('9.0', '^6.0.0') },
      'pnpm',
      'pnpm@10',
      'pnpm install --no-frozen-lockfile --prefer-offline',
    ],
    [
      'yarn classic',
      { 'yarn.lock': yarnLock() },
      'yarn',
      'yarn@1',
      'yarn install --frozen-lockfile --prefer-offline --non-interactive',
    ],
    ['yarn 4', { 'yarn.lock': berryLock() }, 'yarn', '@yarnpkg/cli-dist@4', 'yarn install --immutable'],
    ['yarn 3', { 'yarn.lock': berryLock(6) }, 'yarn', '@yarnpkg/cli-dist@3', 'yarn install --immutable'],
    [
      'yarn berry without a lockfile',
      { '.yarnrc.yml': 'nodeLinker: node-modules\n' },
      'yarn',
      '@yarnpkg/cli-dist@4',
      'yarn install --no-immutable',
    ],
    ['bun', { 'bun.lock': bunLock }, 'bun', 'bun@1', 'bun install --frozen-lockfile'],
    ['bun with a binary lockfile', { 'bun.lockb': '\0' }, 'bun', 'bun@1', 'bun install --frozen-lockfile'],
  ])('%s', async (_name, files, name, npmPackage, install) => {
    const found = await plan({ 'package.json': packageJson(), ...files });
    expect(found.packageManager).toMatchObject({ name, npmPackage });
    expect(found.install).toEqual({ command: install, directory: '.', kind: 'derived' });
    expect(found.build?.command).toBe(`${name} run build`);
  });

  test.each([
    ['pnpm@9.15.4', 'pnpm@9.15.4'],
    ['pnpm@9.15.4+sha512.abcdef', 'pnpm@9.15.4'],
    ['yarn@4.5.0', '@yarnpkg/cli-dist@4.5.0'],
    ['yarn@1.22.22', 'yarn@1.22.22'],
    ['bun@1.2.0', 'bun@1.2.0'],
    ['npm@10.9.0', null],
  ])('packageManager "%s" decides the version', async (packageManager, npmPackage) => {
    const found = await plan({ 'package.json': packageJson({ packageManager }) });
    expect(found.packageManager?.npmPackage).toBe(npmPackage);
  });

  test('devEngines and engines are read where nothing else is said', async () => {
    const dev = { packageManager: { name: 'pnpm', version: '^10.1.0' } };
    expect(
      (await plan({ 'package.json': packageJson({ devEngines: dev }) })).packageManager?.npmPackage,
    ).toBe('pnpm@^10.1.0');
    const tree = { 'package.json': packageJson({ engines: { pnpm: '9' } }), 'pnpm-lock.yaml': pnpmLock() };
    expect((await plan(tree)).packageManager?.npmPackage).toBe('pnpm@9');
  });

  test('a lockfile that does not match is said', async () => {
    const found = await plan({ 'package.json': packageJson(), 'package-lock.json': staleNpmLock });
    expect(found.warnings).toEqual([
      'package-lock.json does not match package.json, so versions may differ from build to build.',
    ]);
  });

  test('nothing is installed where there is nothing to install', async () => {
    const found = await plan({ 'package.json': { scripts: { build: 'node build.js' } } });
    expect(found.install).toBeNull();
    expect(found.build?.command).toBe('npm run build');
  });
});

describe('several lockfiles', () => {
  const both = { 'package-lock.json': npmLock, 'pnpm-lock.yaml': pnpmLock() };

  test.each([
    ['the packageManager field', { packageManager: 'npm@10.0.0' }, both, 'npm'],
    [
      'the only one that matches package.json',
      {},
      { 'package-lock.json': npmLock, 'yarn.lock': yarnLock('^4.0.0') },
      'npm',
    ],
    ['what the scripts call', { scripts: { build: 'vite build', ci: 'npm run build' } }, both, 'npm'],
    ['a configuration file', {}, { ...both, 'yarn.lock': yarnLock(), '.yarnrc': '' }, 'yarn'],
    [
      'the only one that is known to match package.json',
      {},
      { 'package-lock.json': npmLock, 'bun.lockb': 'binary' },
      'npm',
    ],
    ['nothing: the one that comes into being by choice', {}, both, 'pnpm'],
  ])('%s decides', async (_name, more, files, name) => {
    const found = await plan({ 'package.json': packageJson(more), ...files });
    expect(found.packageManager?.name).toBe(name);
    expect(found.warnings.join()).toContain('More than one lockfile: using');
  });

  test('the one that changed last decides where that is known', async () => {
    const tree = { 'package.json': packageJson(), ...both };
    const times = { 'package-lock.json': 2000, 'pnpm-lock.yaml': 1000 };
    expect((await plan(tree, times)).packageManager?.name).toBe('npm');
  });

  test('the choice is a detection and a warning', async () => {
    const found = await plan({ 'package.json': packageJson(), ...both });
    expect(found.detections).toContainEqual({
      what: 'package manager',
      value: 'pnpm 10',
      why: 'nothing else tells them apart',
    });
    expect(found.warnings).toEqual([
      'More than one lockfile: using pnpm-lock.yaml (nothing else tells them apart), not package-lock.json.',
    ]);
  });
});

describe('what decides whether node_modules may be reused', () => {
  test('every file that an install reads', async () => {
    const found = await plan({
      'package.json': packageJson({ workspaces: ['packages/*'] }),
      'package-lock.json': npmLock,
      '.npmrc': 'legacy-peer-deps=true',
      'patches/vite+7.0.0.patch': '',
      'packages/a/package.json': {},
      'packages/a/index.js': '',
      'src/main.ts': '',
    });
    expect(found.installInputs).toEqual([
      '.npmrc',
      'package-lock.json',
      'package.json',
      'packages/a/package.json',
      'patches/vite+7.0.0.patch',
    ]);
  });

  test('what yarn is made of', async () => {
    const found = await plan({
      'package.json': packageJson(),
      'yarn.lock': berryLock(),
      '.yarnrc.yml': 'yarnPath: .yarn/releases/yarn-4.5.0.cjs\n',
      '.yarn/releases/yarn-4.5.0.cjs': '',
      '.yarn/patches/vite.patch': '',
    });
    expect(found.installInputs).toEqual([
      '.yarn/patches/vite.patch',
      '.yarn/releases/yarn-4.5.0.cjs',
      '.yarnrc.yml',
      'package.json',
      'yarn.lock',
    ]);
  });

  test('the project’s own install scripts run again, and those for developers do not', async () => {
    const scripts = { build: 'vite build', postinstall: 'nuxt prepare', prepare: 'husky' };
    const found = await plan({ 'package.json': packageJson({ scripts }) });
    expect(found.afterReuse).toEqual([{ command: 'npm run postinstall', directory: '.', kind: 'derived' }]);
  });
});

test.each([
  ['bun astro build', 'bun', 'the scripts call bun'],
  ['pnpm run types && vite build', 'pnpm', 'the scripts call pnpm'],
  ['yarn types && pnpm bundle', 'npm', 'no lockfile and no packageManager field'],
  ['npm run types && vite build', 'npm', 'no lockfile and no packageManager field'],
])('without a lockfile the scripts that run `%s` decide for %s', async (build, name, why) => {
  const { packageManager, detections } = await plan({ 'package.json': packageJson({ scripts: { build } }) });
  expect(packageManager?.name).toBe(name);
  expect(detections.find(({ what }) => what === 'package manager')?.why).toBe(why);
});

test('a project without a lockfile is told that versions may differ', async () => {
  const { warnings } = await plan({ 'package.json': packageJson() });
  expect(warnings).toEqual([
    'There is no lockfile, so versions may differ from yours, and from build to build.',
  ]);
});
