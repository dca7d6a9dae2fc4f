/** When a package is sent with its workspace. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveSettings } from '../../cli/settings.ts';
import { settingsFromTop, workspaceTop } from '../../cli/workspace.ts';
import { tree } from '../files/tree.ts';

const web = { 'apps/web/package.json': '{"name":"web"}' };

describe('a package is sent with its workspace', () => {
  test.each([
    ['of npm, yarn and bun', { 'package.json': '{"workspaces":["apps/*"]}', ...web }],
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

test('what was written for the package holds from the top', () => {
  const settings = (rootDirectory?: string) =>
    resolveSettings({
      flags: {},
      variables: {},
      file: rootDirectory === undefined ? {} : { rootDirectory },
      facts: { packageName: null, directoryName: 'web' },
    });
  expect(settingsFromTop(settings(), '/repo/apps/web', '/repo').build.rootDirectory?.value).toBe('apps/web');
  expect(settingsFromTop(settings('site'), '/repo/apps/web', '/repo').build.rootDirectory?.value).toBe(
    'apps/web/site',
  );
});
