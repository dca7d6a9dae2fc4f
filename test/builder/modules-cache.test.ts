/** node_modules from one deployment to the next: what may be reused, and that no build can spoil it for another. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { keepFrameworkCaches, restoreFrameworkCaches } from '../../builder/cache/frameworks.ts';
import { keepModules, type ModulesPlace, reuseModules, sweepModules } from '../../builder/cache/modules.ts';
import { isPlainInstall, modulesKey } from '../../builder/cache/modules-key.ts';
import { planBuild } from '../../builder/plan/plan.ts';
import { sourceFilesAt } from '../../builder/plan/source-files.ts';
import { emptyDirectory, link, type Tree, tree, writeTree } from '../files/tree.ts';

const context = { environment: { PATH: process.env.PATH }, signal: new AbortController().signal };
const installed: Tree = {
  'node_modules/a/index.js': 'module.exports = 1',
  'node_modules/.bin/a': link('../a/index.js'),
  'packages/web/node_modules/b/index.js': 'module.exports = 2',
  'packages/web/src/index.js': '',
};
const key = (name: string) => ({ key: name, parts: { 'package-lock.json': name } });
const place = (kept: string, directory: string): ModulesPlace => ({
  ...context,
  kept,
  alsoRead: null,
  directory,
});

describe('node_modules', () => {
  test('of the same key are put back, those of workspaces too', async () => {
    const kept = emptyDirectory();
    await keepModules(place(kept, tree(installed)), key('k'));
    const next = tree({ 'packages/web/src/index.js': '' });
    expect(await reuseModules(place(kept, next), key('k'))).toEqual({ reused: true });
    expect(readFileSync(join(next, 'node_modules/.bin/a'), 'utf8')).toBe('module.exports = 1');
    expect(readFileSync(join(next, 'packages/web/node_modules/b/index.js'), 'utf8')).toBe(
      'module.exports = 2',
    );
  });

  test('of another key are not, and it is said what changed', async () => {
    const kept = emptyDirectory();
    expect(await reuseModules(place(kept, emptyDirectory()), key('k'))).toMatchObject({
      why: 'nothing has been kept yet',
    });
    await keepModules(place(kept, tree(installed)), key('k'));
    expect(await reuseModules(place(kept, emptyDirectory()), key('other'))).toMatchObject({
      why: 'package-lock.json changed',
    });
  });

  test.each([
    ['the build that installed them', true],
    ['a build that reused them', false],
  ])('that %s writes into are never given to the next', async (_, first) => {
    const kept = emptyDirectory();
    const builds = [tree(installed), emptyDirectory()] as const;
    await keepModules(place(kept, builds[0]), key('k'));
    await reuseModules(place(kept, builds[1]), key('k'));
    const file = join(builds[first ? 0 : 1], 'node_modules/a/index.js');
    writeFileSync(file, 'module.exports = "patched"');
    utimesSync(file, new Date(), new Date(Date.now() + 5_000));

    const next = emptyDirectory();
    const reused = await reuseModules(place(kept, next), key('k'));
    const content = reused.reused ? readFileSync(join(next, 'node_modules/a/index.js'), 'utf8') : null;
    expect(content).not.toBe('module.exports = "patched"');

    // From then on such a project's are copied, and reused again.
    const installedAnew = tree(installed);
    await keepModules(place(kept, installedAnew), key('k'));
    writeFileSync(join(installedAnew, 'node_modules/a/index.js'), 'module.exports = "patched"');
    const later = emptyDirectory();
    expect(await reuseModules(place(kept, later), key('k'))).toEqual({ reused: true });
    expect(readFileSync(join(later, 'node_modules/a/index.js'), 'utf8')).toBe('module.exports = 1');
  });

  test('come with the lockfile that their install has changed', async () => {
    const kept = emptyDirectory();
    const built = tree({ ...installed, 'yarn.lock': 'completed by the install' });
    await keepModules(place(kept, built), key('k'), ['yarn.lock']);
    const next = tree({ 'yarn.lock': '' });
    expect(await reuseModules(place(kept, next), key('k'))).toEqual({ reused: true });
    expect(readFileSync(join(next, 'yarn.lock'), 'utf8')).toBe('completed by the install');
  });

  test('of a build that was killed while it kept them are not believed', async () => {
    const kept = emptyDirectory();
    writeTree(kept, { '.k-killed/0/a/index.js': 'half', 'k/0/a/index.js': 'half' });
    expect(await reuseModules(place(kept, emptyDirectory()), key('k'))).toMatchObject({ reused: false });
  });

  test('kept by several builds at once are whole', async () => {
    const kept = emptyDirectory();
    await Promise.allSettled([1, 2, 3].map(() => keepModules(place(kept, tree(installed)), key('k'))));
    expect(readdirSync(kept)).toEqual(['k']);
    const next = emptyDirectory();
    expect(await reuseModules(place(kept, next), key('k'))).toEqual({ reused: true });
    expect(existsSync(join(next, 'node_modules/a/index.js'))).toBe(true);
  });

  test('of live are read by a preview as copies, and its own are kept apart', async () => {
    const live = emptyDirectory();
    const preview = join(emptyDirectory(), 'preview');
    await keepModules(place(live, tree(installed)), key('k'));
    const next = emptyDirectory();
    const reading = { ...place(preview, next), alsoRead: live };
    expect(await reuseModules(reading, key('k'))).toEqual({ reused: true });
    const inode = (directory: string, path: string) => statSync(join(directory, path)).ino;
    expect(inode(next, 'node_modules/a/index.js')).not.toBe(inode(live, 'k/0/a/index.js'));
  });

  test('are swept down to the two newest entries, and what killed builds left', async () => {
    const kept = emptyDirectory();
    for (const [index, name] of ['one', 'two', 'three'].entries()) {
      await keepModules(place(kept, tree(installed)), key(name));
      utimesSync(join(kept, name), new Date(), new Date(Date.now() - 10_000 + index * 1_000));
    }
    mkdirSync(join(kept, '.killed'));
    utimesSync(join(kept, '.killed'), new Date(0), new Date(0));
    await sweepModules(kept);
    expect(readdirSync(kept).sort()).toEqual(['three', 'two']);
  });
});

describe('the key', () => {
  const machine = { nodeVersion: '22.1.0', managerVersion: '*', platform: 'linux', arch: 'x64' };
  const files: Tree = {
    'package.json': JSON.stringify({
      name: 'a',
      scripts: { build: 'vite build' },
      dependencies: { vite: '^7.0.0' },
      workspaces: ['lib'],
    }),
    'package-lock.json': JSON.stringify({
      lockfileVersion: 3,
      packages: { '': { dependencies: { vite: '^7.0.0' }, workspaces: ['lib'] } },
    }),
    'lib/package.json': JSON.stringify({ name: 'lib' }),
    'index.html': '<script src="/a.js"></script>',
  };
  /** `meanwhile`: what commands of the source put in the place of files once they are planned with. */
  const keyOf = async (
    changed: Record<string, string | null> = {},
    settings = {},
    on = {},
    meanwhile: (directory: string) => void = () => {},
  ) => {
    const present = Object.entries({ ...files, ...changed }).filter(([, content]) => content !== null);
    const directory = tree(Object.fromEntries(present) as Tree);
    const plan = await planBuild(sourceFilesAt(directory), settings, { nodeVersion: '22.1.0' });
    meanwhile(directory);
    return modulesKey(plan, directory, { ...machine, ...on });
  };

  test('is the same for the same inputs, and another for each that changes', async () => {
    const base = await keyOf();
    expect(await keyOf({ 'src/app.js': 'anything' })).toEqual(base);
    const others = await Promise.all([
      keyOf({ 'package-lock.json': `${files['package-lock.json']}\n` }),
      keyOf({ 'lib/package.json': JSON.stringify({ name: 'lib', version: '2.0.0' }) }),
      keyOf({ '.npmrc': 'legacy-peer-deps=true' }),
      keyOf({}, { installCommand: 'npm ci --legacy-peer-deps' }),
      keyOf({}, {}, { nodeVersion: '24.0.0' }),
      keyOf({}, {}, { arch: 'arm64' }),
    ]);
    const keys = [base, ...others].map((each) => ('key' in each ? each.key : each.why));
    expect(new Set(keys).size).toBe(7);
  });

  test.each([
    ['there is no lockfile', { 'package-lock.json': null }, {}, /there is no lockfile/],
    [
      'a member builds itself in an install',
      { 'lib/package.json': '{"name":"lib","scripts":{"prepare":"tsc"}}' },
      {},
      /lib\/package\.json has install scripts/,
    ],
    ['the install command does more', {}, { installCommand: 'npm ci && npm run codegen' }, /may do more/],
  ])('is none when %s', async (_, changed, settings, why) => {
    expect(await keyOf(changed, settings)).toEqual({ why: expect.stringMatching(why) });
  });

  test('waits for no pipe, and looks at nothing outside of the source', async () => {
    const replaced = (name: string, how: (file: string) => void) =>
      keyOf({ '.npmrc': 'fund=false' }, {}, {}, (directory) => {
        rmSync(join(directory, name));
        how(join(directory, name));
      });
    const pipe = await replaced('lib/package.json', (file) => execFileSync('mkfifo', [file]));
    expect(pipe).toEqual({ why: 'lib/package.json has install scripts' });
    const outside = await replaced('.npmrc', (file) => symlinkSync('/proc/self/environ', file));
    expect(outside).toMatchObject({ parts: { '.npmrc': 'no file' } });
  });

  test.each([
    ['npm ci', true],
    ['npm install --legacy-peer-deps', true],
    ['pnpm install --filter=web', true],
    ['yarn', true],
    ['bun install --frozen-lockfile', true],
    ['npm install lodash', false],
    ['npm ci && echo', false],
    ['npm ci; rm -rf x', false],
    ['make deps', false],
    ['npm run install', false],
  ])('%s is a plain install: %s', (command, plain) => {
    expect(isPlainInstall(command)).toBe(plain);
  });
});

test("a framework's cache goes from a built source to the next, whole", async () => {
  const caches = {
    ...context,
    kept: join(emptyDirectory(), 'kept'),
    alsoRead: null,
    paths: ['.next/cache', 'node_modules/.cache'],
  };
  const built = tree({ '.next/cache/a/1': 'one', 'node_modules/.cache/b': 'two' });
  await keepFrameworkCaches({ ...caches, source: built });
  const next = tree({ 'node_modules/c': '' });
  expect(await restoreFrameworkCaches({ ...caches, source: next })).toEqual(caches.paths);
  expect(readFileSync(join(next, '.next/cache/a/1'), 'utf8')).toBe('one');
  expect(readFileSync(join(next, 'node_modules/.cache/b'), 'utf8')).toBe('two');
  await keepFrameworkCaches({ ...caches, source: next });
  expect(readdirSync(caches.kept)).toHaveLength(2);
});
