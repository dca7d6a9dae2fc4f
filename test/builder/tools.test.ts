/** Which Node a build gets when its package manager wants another than the source does. */
import { expect, test } from 'vitest';
import { nodeForManager } from '../../builder/tools/choose-tools.ts';

const pnpm = { name: 'pnpm', version: '11', npmPackage: 'pnpm@11', lockfile: null } as const;
const chosen = (needsNode: string | null, nodeVersion: string) =>
  nodeForManager(
    { packageManager: pnpm },
    { version: '11.22.0', needsNode },
    { version: nodeVersion },
    { version: '20.20.2' },
  );

test('a package manager that does not start on the chosen Node gets one that it does start on', () => {
  expect(chosen('>=22.13', '20.20.2')).toMatchObject({
    use: 'fetch',
    fetch: '22',
    from: 'pnpm 11.22.0 needs it',
  });
});

test('a package manager that a fetched Node is too old for gets the running one, where that will do', () => {
  expect(chosen('>=18.12', '16.20.2')).toMatchObject({ use: 'running' });
});

test.each([
  ['>=18.12', '20.20.2'],
  ['>=22.13', '24.21.0'],
  ['whatever', '20.20.2'],
  [null, '20.20.2'],
])('a package manager that needs %j is content with Node %s', (needsNode, version) => {
  expect(chosen(needsNode, version)).toBeNull();
});
