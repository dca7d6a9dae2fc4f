/** When a package is sent with its workspace. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { workspaceTop } from '../../cli/workspace.ts';
import { mergeConfigurations } from '../../files/merge-configurations.ts';
import { tree } from '../files/tree.ts';

const web = { 'apps/web/package.json': '{"name":"web"}' };

describe('a package is sent with its workspace', () => {
  test.each([
    ['of npm, yarn and bun', { 'package.json': '{"workspaces":["apps/*"]}', ...web }],
    [
      'of Nx, which knows it by its project.json',
      { 'nx.json': '{}', 'package.json': '{}', 'apps/web/project.json': '{}' },
    ],
    ['of pnpm', { 'pnpm-workspace.yaml': 'packages: [apps/*]', 'package.json': '{}', ...web }],
  ])('%s', (_what, files) => {
    const top = tree(files);
    expect(workspaceTop(join(top, 'apps/web'))).toBe(top);
  });
});

describe('a directory is sent alone', () => {
  test.each([
    [
      'when it has a lockfile of its own',
      { 'package.json': '{"workspaces":["*"]}', ...web, 'apps/web/yarn.lock': '' },
    ],
    ['when it is no package', { 'package.json': '{"workspaces":["*"]}', 'apps/web/index.html': '' }],
    ['when nothing above it is a workspace', { 'package.json': '{}', ...web }],
    [
      'when its repository ends below the workspace',
      { 'package.json': '{"workspaces":["*"]}', ...web, 'apps/web/.git/HEAD': '' },
    ],
    [
      'when it is the top itself',
      { 'apps/web/package.json': '{"workspaces":["*"]}', 'package.json': '{"workspaces":["*"]}' },
    ],
  ])('%s', (_what, files) => {
    expect(workspaceTop(join(tree(files), 'apps/web'))).toBeNull();
  });
});

test('the file of the package stands above that of the top, which counts when it is not about another one', () => {
  const inner = { slug: 'web' };
  expect(mergeConfigurations({ slug: 'acme', spa: true }, inner, 'apps/web')).toEqual({
    slug: 'web',
    spa: true,
  });
  expect(mergeConfigurations({ rootDirectory: './apps/web/', spa: true }, inner, 'apps/web')).toEqual({
    slug: 'web',
    spa: true,
  });
  expect(mergeConfigurations({ rootDirectory: 'apps/docs', spa: true }, inner, 'apps/web')).toEqual(inner);
});
