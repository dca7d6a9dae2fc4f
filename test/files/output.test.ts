/** What of a built site is published. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { outputLimits } from '../../contract/manifest.ts';
import { collectOutput } from '../../files/output.ts';
import { emptyDirectory, link, type Tree, tree } from './tree.ts';

const collect = (files: Tree) => collectOutput(tree(files), outputLimits);
const pathsOf = async (files: Tree) => Object.keys((await collect(files)).files);

test('files are named by their content', async () => {
  const { files, bytes, leftOut, warnings } = await collect({ 'index.html': '<p>', 'a/b c*.txt': 'four' });
  const blob = (content: string) => createHash('sha256').update(content).digest('hex');
  expect(files).toEqual({
    'a/b c*.txt': { blob: blob('four'), bytes: 4 },
    'index.html': { blob: blob('<p>'), bytes: 3 },
  });
  expect({ bytes, leftOut, warnings }).toEqual({ bytes: 7, leftOut: [], warnings: [] });
});

test('a file may be called like a property of objects', async () => {
  expect(await pathsOf({ __proto__x: '', constructor: '', ['__proto__']: '' })).toContain('constructor');
  const directory = emptyDirectory();
  writeFileSync(join(directory, '__proto__'), 'x');
  expect(Object.keys((await collectOutput(directory, outputLimits)).files)).toEqual(['__proto__']);
});

test('an empty directory gives nothing, and the caller says so', async () => {
  expect(await collect({})).toEqual({ files: {}, leftOut: [], warnings: [], bytes: 0 });
});

describe('left out and listed', () => {
  test('are dotfiles but .well-known', async () => {
    const { files, leftOut } = await collect({
      'index.html': '',
      '.env': '',
      '.git/config': '',
      '.well-known/security.txt': '',
      '.well-known/.hidden': '',
      'a/.DS_Store': '',
    });
    expect(Object.keys(files)).toEqual(['.well-known/security.txt', 'index.html']);
    expect(leftOut).toEqual(['.env', '.git/', '.well-known/.hidden', 'a/.DS_Store']);
  });

  test('are private keys, with a warning, and no certificates or presentations', async () => {
    const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\n';
    const { files, leftOut, warnings } = await collect({
      'index.html': '',
      'certs/server.pem': key.replaceAll('OPENSSH ', ''),
      id_ed25519: key,
      'id_ed25519.pub': 'ssh-ed25519 AAAA',
      'ca.pem': '-----BEGIN CERTIFICATE-----\n',
      'talk.key': 'PK',
    });
    expect(Object.keys(files)).toEqual(['ca.pem', 'id_ed25519.pub', 'index.html', 'talk.key']);
    expect(leftOut).toEqual(['certs/server.pem', 'id_ed25519']);
    expect(warnings).toEqual([
      'certs/server.pem holds a private key, and was left out.',
      'id_ed25519 holds a private key, and was left out.',
    ]);
  });

  test('is node_modules of a site without a build, and no other', async () => {
    const plain = await collect({ 'index.html': '', 'package.json': '{}', 'node_modules/x/index.js': '' });
    expect(plain.leftOut).toEqual(['node_modules/']);
    expect(await pathsOf({ 'index.html': '', 'node_modules/x/index.js': '' })).toContain(
      'node_modules/x/index.js',
    );
  });
});

describe('links', () => {
  test('inside are followed as files', async () => {
    expect(
      await pathsOf({ 'index.html': 'x', 'home.html': link('index.html'), 'a/b.txt': '', c: link('a') }),
    ).toEqual(['a/b.txt', 'c/b.txt', 'home.html', 'index.html']);
  });

  test.each<[string, Tree, string]>([
    [
      'out',
      { secret: link('/etc/passwd') },
      'The link secret points to /etc/passwd, outside the output directory.',
    ],
    ['up', { 'a/up': link('../..') }, 'The link a/up points to ../.., outside the output directory.'],
    ['nowhere', { gone: link('nothing') }, 'The link gone points to nothing, where nothing is.'],
    ['to itself', { self: link('self') }, 'The link self points to self, where nothing is.'],
    ['round', { 'a/loop': link('.') }, 'The link a/loop points to ., a directory that holds it.'],
    [
      'round two corners',
      { 'a/to-b': link('../b'), 'b/to-a': link('../a') },
      'The link a/to-b/to-a points to ../a, a directory that holds it.',
    ],
  ])('that lead %s are refused by name', async (_where, files, message) => {
    await expect(collect(files)).rejects.toMatchObject({ code: 'OUTPUT_INVALID', message });
  });

  test('may be in the way to the output directory itself', async () => {
    const directory = tree({ 'real/index.html': '', dist: link('real') });
    expect(Object.keys((await collectOutput(join(directory, 'dist'), outputLimits)).files)).toEqual([
      'index.html',
    ]);
  });
});

describe('refused with what was seen', () => {
  const limits = { files: 2, bytes: 10, fileBytes: 8 };
  test.each<[string, Tree, string]>([
    ['too many files', { a: '', b: '', c: '' }, 'more than 2 files'],
    ['too many bytes', { a: '12345678', b: '123' }, 'The output has more than'],
    ['a file too large', { 'film.mp4': '123456789' }, 'film.mp4 has'],
  ])('are %s', async (_what, files, message) => {
    await expect(collectOutput(tree(files), limits)).rejects.toMatchObject({
      code: 'OUTPUT_INVALID',
      message: expect.stringContaining(message),
    });
  });

  test.each(['back\\slash', 'line\nbreak', Array(6).fill('d'.repeat(200)).join('/')])(
    'is a path that no address has: %j',
    async (path) => {
      await expect(collect({ [path]: '' })).rejects.toMatchObject({
        code: 'OUTPUT_INVALID',
        message: expect.stringContaining(JSON.stringify(path)),
      });
    },
  );

  test('is a directory that does not exist, and a file', async () => {
    const directory = tree({ file: '' });
    for (const name of ['nothing', 'file']) {
      await expect(collectOutput(join(directory, name), outputLimits)).rejects.toMatchObject({
        code: 'OUTPUT_INVALID',
        hint: expect.stringContaining('outputDirectory'),
      });
    }
  });
});

test('source maps and a missing index.html are warned of', async () => {
  const { warnings } = await collect({ 'app.js': '', 'app.js.map': '', 'b.css.map': '' });
  expect(warnings).toEqual([
    'There is no index.html at the top: the site answers 404 at "/".',
    '2 source maps are published, and show the source to everybody: app.js.map and others',
  ]);
});

test("another user's file, which a hard link brings in, is refused where the owner is known", async () => {
  const directory = tree({ 'index.html': 'x' });
  const own = process.getuid?.() ?? 0;
  expect(
    Object.keys((await collectOutput(directory, { files: 9, bytes: 99, fileBytes: 99, owner: own })).files),
  ).toEqual(['index.html']);
  await expect(
    collectOutput(directory, { files: 9, bytes: 99, fileBytes: 99, owner: own + 1 }),
  ).rejects.toMatchObject({
    code: 'OUTPUT_INVALID',
    message: 'index.html belongs to another user than the build.',
  });
});
