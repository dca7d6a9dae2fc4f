/** `sphere env import` and `pull`: what is refused before a plane is asked, and what is said where there is nothing to do. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pullIntoFile } from '../../cli/environment-pull.ts';
import type { EnvironmentEntry } from '../../contract/environment-api.ts';
import { tree } from '../files/tree.ts';
import { bundleCli, startCli } from './cli-process.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
beforeAll(async () => {
  cli = await bundleCli();
});
afterAll(() => cli.remove());

test('import refuses lines that are no values, by number and without what stands there', async () => {
  const cwd = tree({ 'prod.env': 'A=1\n\nAPI_TOKEN abcdefgh123\nB="open-secret\nPATH=/tmp\n' });
  const { exitCode, stderr } = await startCli(cli.file, ['env', 'import', 'prod.env'], { cwd }).ended;
  expect(stderr).toContain('Nothing of prod.env was stored');
  expect(stderr).toMatch(
    /line 3: is not NAME=VALUE[\s\S]*line 4: the quote .* of B is not closed[\s\S]*PATH is/,
  );
  expect(stderr).not.toMatch(/abcdefgh123|open-secret/);
  expect(exitCode).toBe(2);
});

test('import names a file that is not there as it was given', async () => {
  const { exitCode, stderr } = await startCli(cli.file, ['env', 'import', 'nofile'], { cwd: tree({}) }).ended;
  expect(stderr).toMatch(/^Error: nofile cannot be read: it is not there/);
  expect(exitCode).toBe(2);
});

function pull(files: Record<string, string>, values: EnvironmentEntry[]) {
  const directory = tree(files);
  const said: string[] = [];
  const output = { note: (text: string) => said.push(text), warn: (text: string) => said.push(text) };
  const context = { directory, output } as unknown as Parameters<typeof pullIntoFile>[0];
  const pulled = { project: 'shop', scope: 'live', values } as const;
  return pullIntoFile(context, '.env.local', pulled).then((result) => ({ result, said, directory }));
}

test('pull of no values makes no file, says so and prints nothing', async () => {
  const { result, said, directory } = await pull({}, []);
  expect(said).toEqual(['shop has no plain values for live: nothing was written.']);
  expect(result).toMatchObject({ text: null, json: { file: null, added: [] } });
  expect(existsSync(join(directory, '.env.local'))).toBe(false);
});

test('pull of no values leaves a file as it is', async () => {
  const { said, directory } = await pull({ '.env.local': 'MINE=1\n' }, []);
  expect(said).toEqual(['.env.local has all plain values of shop for live already.']);
  expect(readFileSync(join(directory, '.env.local'), 'utf8')).toBe('MINE=1\n');
});
