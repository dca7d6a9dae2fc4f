/** One plane per data directory, however many processes start and die. */
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '../../server/directory-lock.ts';
import { processStart } from '../../server/process-identity.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sphere-lock-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test('a second one is told who has it, and gets it after the release', async () => {
  const first = await lockDirectory(directory);
  expect(await lockDirectory(directory)).toMatchObject({ heldBy: { pid: process.pid } });
  if ('release' in first) await first.release();
  expect(await lockDirectory(directory)).toHaveProperty('release');
  expect((await readdir(directory)).filter((name) => !/^lock\.\d+$/.test(name))).toEqual([]);
});

test('of many that start at once exactly one gets it', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => lockDirectory(directory)));
  expect(answers.filter((answer) => 'release' in answer)).toHaveLength(1);
});

test('a lock whose process was killed, or whose pid belongs to another process now, is taken over', async () => {
  const child = spawn('sleep', ['60']);
  const pid = child.pid as number;
  const startedAt = await processStart(pid);
  await writeFile(join(directory, 'lock.7'), JSON.stringify({ pid, startedAt }));
  expect(await lockDirectory(directory)).toMatchObject({ heldBy: { pid } });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
  const taken = await lockDirectory(directory);
  expect(taken).toHaveProperty('release');
  if ('release' in taken) await taken.release();
  await writeFile(join(directory, 'lock.9'), JSON.stringify({ pid: process.pid, startedAt: 'another life' }));
  expect(await lockDirectory(directory)).toHaveProperty('release');
});
