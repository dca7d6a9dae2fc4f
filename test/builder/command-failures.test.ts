/** What of a failed command's output is shown, and the next step that is named: from what the programs really print. */
import { describe, expect, test } from 'vitest';
import { failureOf } from '../../builder/command/ending.ts';
import { commandEnvironment } from '../../builder/command/environment.ts';
import { hintForFailure } from '../../builder/command/failure-hints.ts';
import { tellingLines } from '../../builder/command/telling-lines.ts';

const lines = (text: string) => text.replace(/^\n|\n$/g, '').split('\n');

const npmOutOfStep = lines(`
npm warn deprecated glob@7.2.3: no longer supported
npm error code EUSAGE
npm error
npm error \`npm ci\` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync. Please update your lock file with \`npm install\` before continuing.
npm error
npm error Missing: is-odd@3.0.1 from lock file
npm error
npm error Clean install a project
npm error
npm error Usage:
npm error npm ci
npm error
npm error Options:
npm error [--install-strategy <hoisted|nested|shallow|linked>] [--legacy-bundling]
npm error
npm error   --install-links
npm error     When set file: protocol dependencies will be packed and installed as
npm error
npm error Run "npm help ci" for more info
npm error A complete log of this run can be found in: /home/a/.npm/_logs/2026-11-24T01_44_49_102Z-debug-0.log
`);

const npmConflict = lines(`
npm error code ERESOLVE
npm error ERESOLVE unable to resolve dependency tree
npm error
npm error Found: react@16.14.0
npm error peer react@"^18.2.0" from react-dom@18.2.0
npm error
npm error For a full report see:
npm error /home/a/.npm/_logs/2026-11-24T01_44_59_344Z-eresolve-report.txt
npm error A complete log of this run can be found in: /home/a/.npm/_logs/2026-11-24T01_44_59_344Z-debug-0.log
`);

const pnpmOutOfStep = lines(`
Scope: all 2 workspace projects
 ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with <ROOT>/package.json

  Failure reason:
* 1 dependencies were added: is-odd@3.0.1
`);

const berryOutOfStep = lines(`
➤ YN0000: · Yarn 4.18.1
➤ YN0000: ┌ Post-resolution validation
➤ YN0000: │ @@ -4,8 +4,22 @@
➤ YN0028: │ +"is-number@npm:^6.0.0":
➤ YN0028: │ -  version: 6.0.0
➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.
➤ YN0000: └ Completed
➤ YN0000: · Failed with errors in 0s 978ms
`);

const crash = lines(`
\u001b[31m✗\u001b[39m Build failed in 2.10s
TypeError: fetch failed
    at node:internal/deps/undici/undici:13502:13
    at async importUrl (/source/node_modules/a/dist/index.mjs:128:16)
    at async Promise.all (index 1)
    at async Object.getCSS (/source/node_modules/a/dist/index.mjs:145:31)
    at CAC.<anonymous> (/source/node_modules/vite/dist/node/cli.js:842:9)
 ELIFECYCLE  Command failed with exit code 1.
`);

describe('the lines that are shown', () => {
  test.each([
    [
      'of npm without its help',
      npmOutOfStep,
      [
        'npm error code EUSAGE',
        'npm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync. Please update your lock file with `npm install` before continuing.',
        'npm error Missing: is-odd@3.0.1 from lock file',
      ],
    ],
    [
      'of npm without the places of its logs',
      npmConflict,
      [
        'npm error code ERESOLVE',
        'npm error ERESOLVE unable to resolve dependency tree',
        'npm error Found: react@16.14.0',
        'npm error peer react@"^18.2.0" from react-dom@18.2.0',
      ],
    ],
    [
      'of pnpm from its error on',
      pnpmOutOfStep,
      [
        ' ERR_PNPM_OUTDATED_LOCKFILE  Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with <ROOT>/package.json',
        '  Failure reason:',
        '* 1 dependencies were added: is-odd@3.0.1',
      ],
    ],
    [
      'of pnpm 11 from its error on',
      [
        'Progress: resolved 3, done',
        '[ERR_PNPM_FETCH_404] GET a: Not Found - 404',
        'No authorization header',
      ],
      ['[ERR_PNPM_FETCH_404] GET a: Not Found - 404', 'No authorization header'],
    ],
    [
      'of yarn without progress and without the lockfile',
      berryOutOfStep,
      ['➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.'],
    ],
    [
      'of a crash with the top of its stack, without colours',
      crash,
      [
        '✗ Build failed in 2.10s',
        'TypeError: fetch failed',
        '    at node:internal/deps/undici/undici:13502:13',
        '    at async importUrl (/source/node_modules/a/dist/index.mjs:128:16)',
      ],
    ],
    [
      'of only noise are that noise',
      ['', 'npm warn deprecated a@1.0.0', ''],
      ['npm warn deprecated a@1.0.0'],
    ],
    ['of nothing are none', [], []],
  ])('%s', (_, output, shown) => {
    expect(tellingLines(output)).toEqual(shown);
  });

  test('are the first twenty of what a package manager complains about', () => {
    const missing = Array.from(
      { length: 300 },
      (_, at) => `npm error Missing: package-${at}@1.0.0 from lock file`,
    );
    expect(tellingLines(['npm error code EUSAGE', ...missing])).toEqual([
      'npm error code EUSAGE',
      ...missing.slice(0, 19),
    ]);
  });

  test('are the last twenty of any other program', () => {
    const output = Array.from({ length: 50 }, (_, at) => `line ${at}`);
    expect(tellingLines(output)).toEqual(output.slice(-20));
  });

  test('keep what a script printed before npm repeats its command', () => {
    const output = [
      'src/a.ts(1,2): error TS2322',
      'npm error code ELIFECYCLE',
      'npm error command sh -c tsc',
    ];
    expect(tellingLines(output)).toEqual(output);
  });
});

describe('the next step', () => {
  test.each([
    [npmOutOfStep.join('\n'), 'package-lock.json does not match package.json. Run `npm install` and commit'],
    [pnpmOutOfStep.join('\n'), 'pnpm-lock.yaml does not match package.json. Run `pnpm install` and commit'],
    [
      berryOutOfStep.join('\n'),
      'yarn.lock does not match package.json. Run `yarn install` and commit yarn.lock.',
    ],
    [
      'error Your lockfile needs to be updated, but yarn was run with `--frozen-lockfile`.',
      'yarn.lock does not match package.json.',
    ],
    ['error: lockfile had changes, but lockfile is frozen', 'bun.lock does not match package.json.'],
    [npmConflict.join('\n'), 'legacy-peer-deps=true'],
    [
      'npm error notarget No matching version found for left-pad@77.3.0.',
      'does not have left-pad@77.3.0. Check',
    ],
    [
      "npm error 404  The requested resource '@corp/ui@1.3.0' could not be found or you do not have permission",
      'does not have @corp/ui@1.3.0.',
    ],
    [
      ' ERR_PNPM_NO_MATCHING_VERSION  No matching version found for left-pad@77.3.0 while fetching it',
      'does not have left-pad@77.3.0.',
    ],
    [
      '[ERR_PNPM_FETCH_404] GET https://registry.example/a/-/a-1.0.0.tgz: Not Found - 404',
      'does not have a@1.0.0.',
    ],
    [
      ' ERR_PNPM_FETCH_404  GET https://registry.example/@a/b/-/b-1.0.0-rc.1.tgz: Not Found - 404',
      'does not have @a/b@1.0.0-rc.1.',
    ],
    [
      '[ERR_PNPM_FETCH_404] GET https://files.example/b.tar.gz: Not Found - 404',
      'does not have https://files.example/b.tar.gz.',
    ],
    ['➤ YN0035: │ oxc-config@npm:1.0.1: Package not found', 'does not have oxc-config@npm:1.0.1.'],
    ['➤ YN0082: │ left-pad@npm:77.3.0: No candidates found', 'does not have left-pad@npm:77.3.0.'],
    [`error Couldn't find any versions for "left-pad" that matches "77.3.0"`, 'does not have left-pad.'],
    ['error: left-pad@77.3.0 failed to resolve', 'does not have left-pad@77.3.0.'],
    ['error: GET https://registry.example/a/-/a-1.0.0.tgz - 404', 'does not have a@1.0.0.'],
    [
      'error /source/node_modules/node-sass: Command failed.\nExit code: 1',
      'Replace it with the package `sass`',
    ],
    [
      "opensslErrorStack: [ 'error:03000086' ],\n  code: 'ERR_OSSL_EVP_UNSUPPORTED'",
      '--openssl-legacy-provider',
    ],
    ['npm error code EBADENGINE', '"nodeVersion"'],
    ['getaddrinfo ENOTFOUND fonts.example.com', 'It asked for fonts.example.com, which cannot be reached'],
    ['next/font: error:\nFailed to fetch `Inter` from Google Fonts.', 'It asked for Google Fonts'],
    ['sh: 1: vite: not found', 'The program vite was not found.'],
    ['/bin/bash: line 1: vite: command not found', 'The program vite was not found.'],
    ['command not found: vite', 'The program vite was not found.'],
    ["Error: Cannot find module 'tailwindcss'", 'tailwindcss is not installed.'],
    ["Module not found: Error: Can't resolve './Header' in '/source/src'", 'The file ./Header is not there.'],
    [
      "Module not found: Can't resolve 'path' in 'node_modules/a'",
      'path is a part of Node, which browsers do not',
    ],
    ['[404] /about not found', null],
    ['it just failed', null],
  ])('after %s', (output, hint) => {
    const found = hintForFailure(output, 1);
    if (hint === null) expect(found).toBeNull();
    else expect(found).toContain(hint);
  });

  test('is about permissions when a program may not be executed', () => {
    expect(hintForFailure('', 126)).toContain('permissions');
  });

  test('is found in coloured output too', () => {
    const failure = failureOf('build', {
      command: 'npm run build',
      exitCode: 127,
      signal: null,
      lastLines: ['\u001b[31msh: 1: vite: not found\u001b[39m'],
    });
    expect(failure).toMatchObject({
      code: 'BUILD_FAILED',
      message: 'The build command `npm run build` failed with exit code 127.',
      hint: 'The program vite was not found. Is its package among the dependencies?',
      details: ['sh: 1: vite: not found'],
    });
  });
});

test('what a framework needs of CI stands above what Sphere sets', () => {
  const environment = commandEnvironment(
    { PATH: '/usr/bin' },
    { programs: [], derived: { CI: 'false' }, sphere: { CI: '1', SPHERE: '1' }, given: {} },
  );
  expect(environment).toMatchObject({ CI: 'false', SPHERE: '1' });
});
