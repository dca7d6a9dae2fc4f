/** The view of a source tree, on a real directory and on a literal object alike. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sourceFilesAt } from '../../builder/plan/source-files.ts';
import { literalSourceFiles } from './literal-source-files.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sphere-source-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(tree: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), text);
  }
}

const tree = { 'package.json': '{}', 'src/a/deep.ts': 'a', 'src/b.ts': 'b' };

describe.each([
  [
    'a real directory',
    async () => {
      await write(tree);
      return sourceFilesAt(directory);
    },
  ],
  ['a literal object', async () => literalSourceFiles(tree)],
])('%s', (_name, open) => {
  test('reads files and nothing else', async () => {
    const files = await open();
    expect(await files.read('src/b.ts')).toBe('b');
    expect(await files.read('./src/../src/b.ts')).toBe('b');
    expect(await files.read('src')).toBeNull();
    expect(await files.read('nothing')).toBeNull();
    expect(await files.read('package.json/nothing')).toBeNull();
  });

  test('knows what is there', async () => {
    const files = await open();
    expect(await files.exists('.')).toBe(true);
    expect(await files.exists('src')).toBe(true);
    expect(await files.exists('src/c.ts')).toBe(false);
  });

  test('lists a directory by name', async () => {
    const files = await open();
    expect(await files.list('.')).toEqual([
      { name: 'package.json', kind: 'file' },
      { name: 'src', kind: 'directory' },
    ]);
    expect(await files.list('src')).toEqual([
      { name: 'a', kind: 'directory' },
      { name: 'b.ts', kind: 'file' },
    ]);
    expect(await files.list('package.json')).toEqual([]);
    expect(await files.list('nothing')).toEqual([]);
  });
});

describe('a real directory keeps to itself', () => {
  test('links inside are followed, links that leave it and broken ones are not there', async () => {
    await write({ 'real/index.html': 'hello' });
    await symlink('real', join(directory, 'inside'));
    await symlink(tmpdir(), join(directory, 'outside'));
    await symlink('nowhere', join(directory, 'broken'));
    await symlink('/etc/hostname', join(directory, 'real/secret'));
    const files = sourceFilesAt(directory);
    expect(await files.read('inside/index.html')).toBe('hello');
    expect(await files.read('real/secret')).toBeNull();
    expect((await files.list('.')).map(({ name }) => name)).toEqual(['inside', 'real']);
  });

  test('paths that leave it are not there', async () => {
    const files = sourceFilesAt(directory);
    expect(await files.exists('..')).toBe(false);
    expect(await files.read('../../etc/hostname')).toBeNull();
    expect(await files.read('/etc/hostname')).toBeNull();
  });

  test('a pipe is not waited for', async () => {
    await promisify(execFile)('mkfifo', [join(directory, '.nvmrc')]);
    expect(await sourceFilesAt(directory).read('.nvmrc')).toBeNull();
  });

  test('a file that is too large for memory is refused', async () => {
    await write({ 'package.json': '{}' });
    await truncate(join(directory, 'package.json'), 10 * 1024 ** 3);
    await expect(sourceFilesAt(directory).read('package.json')).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
  });
});
