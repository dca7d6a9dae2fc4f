/** Packing and unpacking of sources: what is sent is what arrives, and nothing else can arrive. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { packSource, unpackSource } from '../../files/archive.ts';
import { digestSource, digestTree } from '../../files/digest.ts';
import { archiveOf } from './archive-of.ts';
import { emptyDirectory, executable, link, type Tree, tree, writeTree } from './tree.ts';

const limits = { files: 1000, bytes: 100 * 1024 ** 2 };

async function roundTrip(source: string) {
  const sent = await digestSource(source);
  const unpacked = emptyDirectory();
  await unpackSource(packSource(source, sent.entries), unpacked, limits);
  return { sent, unpacked, arrived: await digestTree(unpacked) };
}

/** The files below `directory` that this process has open (Linux says so in /proc; elsewhere nothing is seen). */
function filesOpenIn(directory: string): string[] {
  if (!existsSync('/proc/self/fd')) return [];
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  return files.filter((file) => file.startsWith(directory));
}

describe('a source that is packed and unpacked', () => {
  const sources: Record<string, Tree> = {
    'plain files and directories': { 'index.html': '<p>hi', 'a/b/c.txt': 'deep', empty: '' },
    executables: { 'run.sh': executable('#!/bin/sh\n'), 'plain.sh': 'x' },
    'links to files and directories': {
      'a/target.txt': 'x',
      'a/here': link('target.txt'),
      up: link('a/../a/target.txt'),
      dir: link('a'),
      dangling: link('nothing/here'),
    },
    'odd names': {
      'with space.txt': '1',
      'star*.txt': '2',
      'quote\'s and "double".txt': '3',
      'ünï/日本語/😀.txt': '4',
      'c:drive.txt': '5',
      'back\\slash.txt': '6',
      '@scope/-dash.txt': '7',
      '@file': '8',
      'line\nbreak': '9',
    },
    'long names': { [`${'long/'.repeat(60)}${'n'.repeat(200)}`]: 'x', short: link('y'.repeat(300)) },
    'large files': { 'big.bin': Buffer.alloc(5 * 1024 ** 2, 'sphere'), small: 's' },
  };

  test.each(Object.keys(sources))('%s arrive with the same digest', async (name) => {
    const { sent, arrived } = await roundTrip(tree(sources[name] as Tree));
    expect(arrived.entries).toEqual(sent.entries);
    expect(arrived.digest).toBe(sent.digest);
  });

  test('files that share an inode arrive as files', async () => {
    const source = tree({ a: 'shared' });
    linkSync(join(source, 'a'), join(source, 'b'));
    const { sent, arrived, unpacked } = await roundTrip(source);
    expect(arrived.digest).toBe(sent.digest);
    expect(readFileSync(join(unpacked, 'b'), 'utf8')).toBe('shared');
  });

  test('the same content gives the same bytes', async () => {
    const hashes = [];
    for (const source of [tree({ a: '1', 'b/c': '2' }), tree({ 'b/c': '2', a: '1' })]) {
      const { entries } = await digestSource(source);
      hashes.push(
        createHash('sha256')
          .update(await buffer(packSource(source, entries)))
          .digest('hex'),
      );
    }
    expect(hashes[0]).toBe(hashes[1]);
  });

  test.each([
    ['is gone', {}],
    ['has shrunk', { a: '1' }],
    ['has been rewritten', { a: '4321' }],
    ['has been rewritten and is longer', { a: '43211234' }],
    ['has been rewritten, and is large', { a: Buffer.alloc(3_000_000, 'x') }],
  ] as [string, Tree][])('fails the stream when a file %s meanwhile', async (what, later) => {
    const source = tree({ a: what.includes('large') ? Buffer.alloc(2_000_000) : '1234' });
    const { entries } = await digestSource(source);
    rmSync(join(source, 'a'));
    writeTree(source, later);
    await expect(buffer(packSource(source, entries))).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
  });

  test.each([
    ['small', '1234'],
    ['large', Buffer.alloc(2_000_000)],
  ])('sends a %s file that is being appended to as it was', async (_size, content) => {
    const source = tree({ a: content, b: 'after it' });
    const { digest, entries } = await digestSource(source);
    appendFileSync(join(source, 'a'), 'and more');
    const unpacked = emptyDirectory();
    await unpackSource(packSource(source, entries), unpacked, limits);
    expect((await digestTree(unpacked)).digest).toBe(digest);
  });

  test('that nobody reads to the end closes its files', async () => {
    const source = tree({ a: randomBytes(30_000_000) });
    const { entries } = await digestSource(source);
    const packed = packSource(source, entries);
    await once(packed, 'readable');
    packed.destroy();
    await vi.waitFor(() => expect(filesOpenIn(source)).toEqual([]));
  });

  test('is what tar reads', async () => {
    const source = tree({
      'a b/run.sh': executable('#!'),
      link: link('a b'),
      [`${'long/'.repeat(60)}ü`]: 'x',
    });
    const { entries, digest } = await digestSource(source);
    const unpacked = emptyDirectory();
    execFileSync('tar', ['xzf', '-', '-C', unpacked], { input: await buffer(packSource(source, entries)) });
    expect((await digestTree(unpacked)).digest).toBe(digest);
  });
});

describe('an archive of a stranger', () => {
  const cases: [string, Parameters<typeof archiveOf>[0], string][] = [
    ['an absolute path', [{ path: '/etc/passwd', content: 'x' }], 'SOURCE_REFUSED'],
    ['a path with ..', [{ path: 'a/../../evil', content: 'x' }], 'SOURCE_REFUSED'],
    ['a path that is ..', [{ path: '..', content: 'x' }], 'SOURCE_REFUSED'],
    ['a link out', [{ path: 'a', type: 'SymbolicLink', linkpath: '../evil' }], 'SOURCE_REFUSED'],
    ['an absolute link', [{ path: 'a', type: 'SymbolicLink', linkpath: '/etc' }], 'SOURCE_REFUSED'],
    [
      'two links that lead out together',
      [
        { path: 'a/b/d', type: 'SymbolicLink', linkpath: '../..' },
        { path: 'e', type: 'SymbolicLink', linkpath: 'a/b/d/../x' },
      ],
      'SOURCE_REFUSED',
    ],
    [
      'a file written through a link',
      [
        { path: 'a', type: 'SymbolicLink', linkpath: 'b' },
        { path: 'a/evil', content: 'x' },
      ],
      'SOURCE_REFUSED',
    ],
    ['a hard link', [{ path: 'a', type: 'Link', linkpath: 'b' }], 'SOURCE_REFUSED'],
    ['a device', [{ path: 'a', type: 'CharacterDevice' }], 'SOURCE_REFUSED'],
    ['a FIFO', [{ path: 'a', type: 'FIFO' }], 'SOURCE_REFUSED'],
    [
      'a path twice',
      [
        { path: 'a', content: '1' },
        { path: 'a', content: '2' },
      ],
      'SOURCE_REFUSED',
    ],
    ['more files than allowed', Array.from({ length: 6 }, (_, n) => ({ path: `f${n}` })), 'TOO_LARGE'],
    ['more bytes than allowed', [{ path: 'a', content: 'x'.repeat(101) }], 'TOO_LARGE'],
    ['a size that is a lie', [{ path: 'a', content: 'x', size: 99 * 512 }], 'TOO_LARGE'],
  ];
  test.each(cases)('with %s is refused', async (_what, entries, code) => {
    const outer = emptyDirectory();
    const directory = join(outer, 'in');
    await expect(unpackSource(archiveOf(entries), directory, { files: 5, bytes: 100 })).rejects.toMatchObject(
      {
        code,
      },
    );
    expect(readdirSync(outer).filter((name) => name !== 'in')).toEqual([]);
    expect(existsSync(join(outer, 'evil'))).toBe(false);
  });

  test('that unzips to endless nothing is refused', async () => {
    const bomb = Readable.from([gzipSync(Buffer.alloc(64 * 1024 ** 2))]);
    await expect(unpackSource(bomb, emptyDirectory(), { files: 5, bytes: 100 })).rejects.toMatchObject({
      code: 'TOO_LARGE',
    });
  });

  test.each([
    ['is cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
    ['ends early', (whole: Buffer) => gzipSync(gunzipSync(whole).subarray(0, 1800))],
    ['is not gzip', () => Buffer.from('hello, world')],
    ['is gzip of something else', () => gzipSync('x'.repeat(5000))],
    ['is gzip in gzip', (whole: Buffer) => gzipSync(whole)],
    ['is empty', () => Buffer.alloc(0)],
  ])('that %s is refused', async (_what, damage) => {
    const source = tree({
      a: 'x'.repeat(50),
      'b.bin': Buffer.from(Array.from({ length: 3000 }, (_, n) => n % 251)),
    });
    const whole = await buffer(packSource(source, (await digestSource(source)).entries));
    await expect(
      unpackSource(Readable.from([damage(whole)]), emptyDirectory(), limits),
    ).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
  });

  test('whose sender breaks off rejects and does not hang', async () => {
    const stream = new Readable({ read() {} });
    stream.push(gzipSync('x'.repeat(2000)).subarray(0, 15));
    const unpacked = unpackSource(stream, emptyDirectory(), limits);
    stream.destroy(new Error('connection reset'));
    await expect(unpacked).rejects.toThrow('connection reset');
  });

  test('never overwrites what is there', async () => {
    const directory = emptyDirectory();
    writeFileSync(join(directory, 'a'), 'mine');
    await expect(
      unpackSource(archiveOf([{ path: 'a', content: 'x' }]), directory, limits),
    ).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
    expect(readFileSync(join(directory, 'a'), 'utf8')).toBe('mine');
  });
});
