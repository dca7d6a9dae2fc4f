/** What is tried when a build fails in a known way. */
import { expect, test } from 'vitest';
import { buildRetry } from '../../builder/build-retry.ts';

test.each([
  ['Error: error:0308010C:digital envelope routines::unsupported', true],
  ["  code: \u001b[32m'ERR_OSSL_EVP_UNSUPPORTED'\u001b[39m", true],
  ['Error: Cannot find module', false],
])('a build that says %j is tried once more with the old hash: %j', (said, again) => {
  expect(buildRetry('npm run build', ['before', said, 'after'])?.command ?? null).toBe(
    again ? 'export NODE_OPTIONS="$NODE_OPTIONS --openssl-legacy-provider" && npm run build' : null,
  );
});
