/** Files of a source that are read by their names: what was put in their place is not followed, awaited or held. */
import { execFileSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mostPlainBytes, readPlainFile } from '../../files/plain-file.ts';
import { link, tree } from './tree.ts';

test('a file is read whole, whatever bytes it holds', () => {
  const content = Buffer.from([0, 255, 10, 128]);
  const directory = tree({ 'bun.lockb': content, empty: '' });
  expect(readPlainFile(join(directory, 'bun.lockb'))).toEqual(content);
  expect(readPlainFile(join(directory, 'empty'))).toEqual(Buffer.alloc(0));
});

test.each(['device', 'kernel', 'nowhere', 'itself', 'beside', 'directory', 'pipe', 'missing'])(
  'what is no file is not read: %s',
  (name) => {
    const directory = tree({
      device: link('/dev/zero'),
      kernel: link('/proc/self/environ'),
      nowhere: link('nothing'),
      itself: link('itself'),
      beside: link('beside.txt'),
      'beside.txt': 'text',
      'directory/a': '',
    });
    execFileSync('mkfifo', [join(directory, 'pipe')]);
    expect(readPlainFile(join(directory, name))).toBeNull();
  },
);

test('one that is larger than any of its kind is refused', () => {
  const file = join(tree({ 'package.json': '{}' }), 'package.json');
  truncateSync(file, mostPlainBytes + 1);
  expect(() => readPlainFile(file)).toThrow(
    expect.objectContaining({ code: 'SOURCE_REFUSED', message: expect.stringContaining('package.json') }),
  );
});
