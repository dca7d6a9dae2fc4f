/** Which Node is fetched when a package refuses the one that is there. */
import { expect, test } from 'vitest';
import { engineRefusal } from '../../builder/engine-refusal.ts';

const npm = (required: string) => [
  'npm \u001b[31merror\u001b[39m code EBADENGINE',
  'npm error engine Not compatible with your version of node/npm: @capacitor/cli@8.0.0',
  'npm error notsup Not compatible with your version of node/npm: @capacitor/cli@8.0.0',
  `npm error notsup Required: ${required}`,
  'npm error notsup Actual:   {"node":"v20.20.2","npm":"11.19.1"}',
];

test.each([
  ['npm', npm('{"node":">=22.0.0"}'), { range: '>=22.0.0', package: '@capacitor/cli@8.0.0' }],
  ['npm, which is too old itself', npm('{"node":">=18","npm":">=99"}'), null],
  [
    'pnpm',
    [
      ' ERR_PNPM_UNSUPPORTED_ENGINE  Unsupported environment (bad pnpm and/or Node.js version)',
      'Your Node version is incompatible with "a@1.0.0".',
      '',
      'Expected version: ^22 || >=24',
      'Got: v20.20.2',
    ],
    { range: '^22 || >=24', package: 'a@1.0.0' },
  ],
  [
    'yarn 1',
    [
      'error a@1.0.0: The engine "node" is incompatible with this module. Expected version ">=22". Got "20.20.2"',
    ],
    { range: '>=22', package: 'a@1.0.0' },
  ],
  ['anything else', ['npm error code E404'], null],
])('%s', (_, lines, refusal) => {
  expect(engineRefusal(lines, '20.20.2')).toEqual(refusal);
});
