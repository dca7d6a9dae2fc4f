/** Holds the house to its rules, and the rules to their examples. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../../files/package-root.ts';
import { problemsOf, programAreas } from './rules.ts';

const root = packageRoot();
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--', '*.ts', ':!examples'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(`${root}/${path}`));

test('every file of the house keeps the rules', () => {
  for (const area of programAreas) expect(files.some((path) => path.startsWith(`${area}/`))).toBe(true);
  expect(files.flatMap((path) => problemsOf(path, readFileSync(`${root}/${path}`, 'utf8')))).toEqual([]);
});

const says = '/** Says what it is for. */\n';

describe('the rules refuse', () => {
  test.each([
    ['a program that imports another', 'cli/a.ts', `import { b } from '../server/b.ts';`],
    ['a program that imports another lazily', 'cli/a.ts', `const b = () => import('../server/main.ts');`],
    ['a type from sideways', 'builder/a.ts', `import type { B } from '../server/b.ts';`],
    ['an inline type from sideways', 'builder/a.ts', `let b: import('../server/b.ts').B;`],
    ['a re-export from sideways', 'server/a.ts', `export { b } from '../cli/b.ts';\nexport const a = 1;`],
    ['files that know a program', 'files/a.ts', `import { b } from '../cli/b.ts';`],
    ['a contract that knows files', 'contract/a.ts', `import { b } from '../files/b.ts';`],
    ['a contract with I/O', 'contract/a.ts', `import { readFile } from 'node:fs/promises';`],
    ['a contract with a library beside zod', 'contract/a.ts', `import chalk from 'chalk';`],
    ['a program that imports a test', 'server/a.ts', `import { b } from '../test/b.ts';`],
    ['a door that stands open', 'cli/commands/server.ts', `import { s } from '../../server/main.ts';`],
    ['an exit', 'server/a.ts', 'process.exit(1);'],
    ['an exit code', 'files/a.ts', 'process.exitCode = 1;'],
    ['an exit in a main that is none', 'cli/commands/main.ts', 'process.exit(1);'],
    ['the environment', 'cli/a.ts', 'const home = process.env.HOME;'],
    ['the environment under a string', 'cli/a.ts', `const home = process['env'].HOME;`],
    ['the environment of the global process', 'cli/a.ts', 'const all = globalThis.process.env;'],
    ['the environment taken apart', 'builder/a.ts', 'const { env } = process;'],
    ['the environment imported', 'builder/a.ts', `import { env } from 'node:process';`],
    ['a barrel', 'server/routes/all.ts', `export * from './a.ts';\nexport { b } from './b.ts';`],
    ['a barrel in two steps', 'server/routes/all.ts', `import { b } from './b.ts';\nexport { b };`],
    ['an index', 'test/index.ts', 'export const a = 1;'],
    ['a folder of utilities', 'cli/utils/a.ts', ''],
    ['a helper', 'test/server/test-helpers.ts', ''],
    ['a long file', 'server/a.ts', '\n'.repeat(400)],
  ])('%s', (_what, path, text) => {
    expect(problemsOf(path, says + text)).toHaveLength(1);
  });

  test('a file that does not say what it is for', () => {
    expect(problemsOf('cli/a.ts', `import { b } from './b.ts';\n`)).toHaveLength(1);
  });
});

describe('the rules allow', () => {
  test.each([
    [
      'what leans downwards',
      'cli/a.ts',
      `import { b } from '../files/b.ts';\nimport { c } from '../contract/c.ts';`,
    ],
    ['the version', 'contract/a.ts', `import json from '../package.json' with { type: 'json' };`],
    ['the door', 'cli/commands/server.ts', `const s = () => import('../../server/main.ts');`],
    ['an exit of a program', 'builder/main.ts', 'process.exit(1);'],
    ['the environment where it is read', 'server/config.ts', 'export const home = process.env.HOME;'],
    ['another thing called env', 'server/a.ts', 'const { env } = options;\noptions.env.exit();'],
    ['words that hold a vague one', 'server/commonwealth.ts', 'export const a = 1;'],
  ])('%s', (_what, path, text) => {
    expect(problemsOf(path, says + text)).toEqual([]);
  });

  test('a shebang above the first line', () => {
    expect(problemsOf('cli/main.ts', `#!/usr/bin/env node\n${says}`)).toEqual([]);
  });
});
