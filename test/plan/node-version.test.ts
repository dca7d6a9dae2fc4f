/** Which Node a source asks for, and when another one than the running is worth fetching. */
import { describe, expect, test } from 'vitest';
import { planNode, readNodeWish } from '../../builder/plan/node-version.ts';
import { literalSourceFiles } from './literal-source-files.ts';

const running = '20.20.2';

describe('the running Node will do', () => {
  test.each([
    '20',
    'v20',
    'v20.11.1',
    '20.11.1',
    '20.x',
    '^20.0.0',
    '>=18',
    '>=18 <23',
    '18 || 20',
    'lts/*',
    'lts/iron',
    'iron',
    'node',
    'stable',
    'latest',
    '*',
    '',
  ])('for %j', (wanted) => {
    expect(planNode(wanted, running)).toMatchObject({ use: 'running' });
  });

  test.each(['something', 'lts/-1', 'system-wide'])('for %j, which is no version', (wanted) => {
    expect(planNode(wanted, running).why).toContain('is not a version or range');
  });
});

describe('another Node is fetched', () => {
  test.each([
    ['22', '22'],
    ['v22.12.0', '22'],
    ['>=22.12', '22'],
    ['lts/jod', '22'],
    ['lts/hydrogen', '18'],
    ['^18.17.0 || >=22', '22'],
    ['>=12 <19', '18'],
    ['16.x', '16'],
    ['20.30.0', '20'],
    ['~22.11.0', '~22.11.0'],
    ['21', '21'],
  ])('for %j: %j', (wanted, fetch) => {
    expect(planNode(wanted, running)).toMatchObject({ use: 'fetch', fetch });
  });

  test('exactly the one that a setting pins', () => {
    expect(planNode('20.11.1', running, { pinned: true })).toMatchObject({ use: 'fetch', fetch: '20.11.1' });
    expect(planNode('20', running, { pinned: true })).toMatchObject({ use: 'running' });
  });
});

describe('where the wish comes from', () => {
  const tree = {
    'package.json': { engines: { node: '>=16' } },
    '.node-version': '18.0.0\n',
    '.nvmrc': '# for everybody\nv22\n',
    'apps/web/package.json': { engines: { node: '>=24' } },
  };
  const without = (...names: string[]) =>
    literalSourceFiles(Object.fromEntries(Object.entries(tree).filter(([path]) => !names.includes(path))));

  test.each([
    ['the setting', without(), '24', { range: '24', from: 'nodeVersion', pinned: true }],
    ['.nvmrc', without(), undefined, { range: 'v22', from: '.nvmrc', pinned: false }],
    [
      '.node-version',
      without('.nvmrc'),
      undefined,
      { range: '18.0.0', from: '.node-version', pinned: false },
    ],
    [
      'engines of the package before those of its workspace',
      without('.nvmrc', '.node-version'),
      undefined,
      { range: '>=24', from: 'engines.node in apps/web/package.json', pinned: false },
    ],
  ])('%s', async (_name, files, setting, wish) => {
    expect(await readNodeWish(files, ['apps/web', '.'], setting)).toEqual(wish);
  });

  test('nothing', async () => {
    expect(await readNodeWish(literalSourceFiles({ 'index.html': '' }), ['.'], undefined)).toBeNull();
  });
});
