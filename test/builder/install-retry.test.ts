/** What is tried when a package manager refuses its lockfile. */
import { expect, test } from 'vitest';
import { installRetry } from '../../builder/install-retry.ts';

test.each([
  ['npm ci --prefer-offline', 'npm \u001b[31merror\u001b[39m code EUSAGE', 'npm install --prefer-offline'],
  ['npm ci', 'npm error code E404', null],
  ['npm install', 'npm error code EUSAGE', null],
  [
    'pnpm install --frozen-lockfile',
    ' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install',
    'pnpm install --no-frozen-lockfile',
  ],
  [
    'yarn install --immutable',
    '➤ YN0028: │ The lockfile would have been modified',
    'yarn install --no-immutable',
  ],
  [
    'yarn install --frozen-lockfile --prefer-offline',
    'error Your lockfile needs to be updated',
    'yarn install --prefer-offline',
  ],
  ['bun install --frozen-lockfile', 'error: lockfile had changes, but lockfile is frozen', 'bun install'],
])('%s that says %j is followed by %j', (command, said, instead) => {
  expect(installRetry(command, ['before', said, 'after'])).toBe(instead);
});
