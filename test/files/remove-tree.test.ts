/** Removing what a build has made so that it cannot be removed. */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeTree } from '../../files/remove-tree.ts';
import { emptyDirectory, tree } from './tree.ts';

test('directories deeper than paths may be long', async () => {
  const top = emptyDirectory();
  const here = process.cwd();
  onTestFinished(() => process.chdir(here));
  process.chdir(top);
  for (let depth = 0; depth < 200; depth++) {
    mkdirSync('d'.repeat(50));
    process.chdir('d'.repeat(50));
  }
  process.chdir(here);
  await removeTree(top);
  expect(existsSync(top)).toBe(false);
});

test('directories without permissions, of an ordinary user', async () => {
  const top = emptyDirectory();
  chmodSync(top, 0o777);
  process.seteuid?.(54_321);
  onTestFinished(() => process.seteuid?.(0));
  mkdirSync(join(top, 'a', 'b'), { recursive: true });
  writeFileSync(join(top, 'a', 'b', 'file'), '');
  chmodSync(join(top, 'a', 'b'), 0o000);
  chmodSync(join(top, 'a'), 0o555);
  await removeTree(join(top, 'a'));
  expect(existsSync(join(top, 'a'))).toBe(false);
});

test('a link, and not what it leads to', async () => {
  const target = tree({ file: 'precious' });
  const top = emptyDirectory();
  const { symlinkSync } = await import('node:fs');
  symlinkSync(target, join(top, 'link'));
  await removeTree(top);
  expect(existsSync(join(target, 'file'))).toBe(true);
});
