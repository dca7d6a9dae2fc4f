/** What of a directory is uploaded. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { digestEntries, digestSource } from '../../files/digest.ts';
import { leavesDirectory } from '../../files/links.ts';
import { packageRoot } from '../../files/package-root.ts';
import { listSource } from '../../files/source.ts';
import { emptyDirectory, executable, link, type Tree, tree, writeTree } from './tree.ts';

const pathsOf = async (directory: string) => (await listSource(directory)).map((entry) => entry.path);

describe('a listed source', () => {
  test('says of each entry what it is, sorted by path', async () => {
    const directory = tree({ 'b.txt': 'four', a: executable('#!'), 'c/link': link('../b.txt') });
    expect(await listSource(directory)).toEqual([
      { path: 'a', kind: 'file', executable: true, bytes: 2 },
      { path: 'b.txt', kind: 'file', executable: false, bytes: 4 },
      { path: 'c/link', kind: 'link', executable: false, bytes: 0, target: '../b.txt' },
    ]);
  });

  test('leaves out .git, node_modules and .env files at every level, whatever .sphereignore says', async () => {
    const directory = tree({
      '.sphereignore': '!.env\n!node_modules/\n!.git/\n',
      '.env': 'SECRET=1',
      '.env.local': 'SECRET=1',
      '.env.example': 'SECRET=',
      'packages/a/.env.production': 'SECRET=1',
      'packages/a/.git': 'gitdir: elsewhere',
      'packages/a/node_modules/x/index.js': '',
      '.git/config': '',
      'node_modules/x/index.js': '',
      'environment.ts': '',
    });
    expect(await pathsOf(directory)).toEqual(['.env.example', '.sphereignore', 'environment.ts']);
  });

  test('leaves out sockets', async () => {
    const directory = tree({ a: '' });
    const server = createServer().listen(join(directory, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await pathsOf(directory)).toEqual(['a']);
  });

  test('does not wait for a pipe in the place of an ignore file', async () => {
    const directory = tree({ 'a.txt': '', 'b/.sphereignore': link('../.gitignore') });
    execFileSync('mkfifo', [join(directory, '.gitignore')]);
    expect(await pathsOf(directory)).toEqual(['a.txt', 'b/.sphereignore']);
  });

  test('that does not exist is refused', async () => {
    const directory = join(emptyDirectory(), 'nothing');
    await expect(listSource(directory)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      message: `There is nothing at ${directory}.`,
    });
    writeFileSync(directory, 'a file');
    await expect(listSource(directory)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  });

  test('beyond the limits is refused with the figures', async () => {
    const directory = tree({ a: '12345', b: '12345' });
    await expect(listSource(directory, { files: 1, bytes: 100 })).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('1 files'),
    });
    await expect(listSource(directory, { files: 9, bytes: 9 })).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });

  test('with a name that is not UTF-8 is refused', async () => {
    const directory = emptyDirectory();
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9])]), '');
    await expect(listSource(directory)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
  });

  test('of 5,000 files costs little more processor time than a look at each', {
    timeout: 60_000,
  }, async () => {
    const files: Tree = {};
    for (let n = 0; n < 5000; n++) files[`src/${n % 100}/file-${n}.ts`] = '';
    const directory = tree({ ...files, '.gitignore': 'dist/\n*.log\n.cache\n!keep.log\n' });
    const costs = { listed: Number.POSITIVE_INFINITY, bare: Number.POSITIVE_INFINITY };
    const measure = async (name: keyof typeof costs, work: () => unknown) => {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      costs[name] = Math.min(costs[name], user + system);
    };
    for (let run = 0; run < 3; run++) {
      await measure('listed', async () => expect(await listSource(directory)).toHaveLength(5001));
      await measure('bare', () => {
        const found = readdirSync(directory, { recursive: true, encoding: 'utf8' });
        for (const path of found) lstatSync(join(directory, path));
      });
    }
    // About as much is usual.
    expect(costs.listed / costs.bare).toBeLessThan(4);
  });
});

describe('ignore rules', () => {
  const trees: Record<string, Tree> = {
    'of the top': {
      '.gitignore': '# comment\n\n/dist\n*.log\n!keep.log\nbuild/\nsub/only.txt\n',
      'dist/a.js': '',
      'packages/dist/a.js': '',
      'a.log': '',
      'keep.log': '',
      'deep/er/b.log': '',
      'build/x': '',
      'deep/build/x': '',
      'notes/build': '',
      'sub/only.txt': '',
      'a/sub/only.txt': '',
    },
    'of deeper levels': {
      '.gitignore': '*.log\nbuild/\ntmp*\n',
      'a/.gitignore': '!important.log\n/local.txt\n!build/\nname\n',
      'a/important.log': '',
      'a/b/important.log': '',
      'a/other.log': '',
      'a/local.txt': '',
      'a/b/local.txt': '',
      'a/build/out.js': '',
      'a/build/out.log': '',
      'a/x/name/y': '',
      'b/important.log': '',
      'b/build/out.js': '',
      'b/name': '',
      'tmp1/x': '',
    },
    'that cannot take back what is below a directory left out': {
      '.gitignore': 'dist/\n!dist/keep.js\nother/*\n!other/keep.js\n',
      'dist/keep.js': '',
      'other/keep.js': '',
      'other/gone.js': '',
    },
    'with every kind of pattern': {
      '.gitignore':
        '**/logs\n/a/**/z\nq?x\n[ab].txt\n\\#hash\n\\!bang\nspace\\ \ntrailing   \n*.tmp/\n**/deep/*.js\n/only-top\nfoo/**\n',
      'logs/1': '',
      'x/logs/1': '',
      'a/z': '',
      'a/b/c/z': '',
      'b/a/z': '',
      qax: '',
      qabx: '',
      'a.txt': '',
      'c.txt': '',
      '#hash': '',
      '!bang': '',
      'space ': '',
      trailing: '',
      'd.tmp/x': '',
      'e.tmp': '',
      'x/deep/a.js': '',
      'x/deep/er/a.js': '',
      'only-top': '',
      'x/only-top': '',
      'foo/bar': '',
    },
    'in directories with odd names': {
      'a [x] *b?/.gitignore': '/gone\nboth\n!kept.log\n',
      '.gitignore': '*.log\r\n',
      'a [x] *b?/gone': '',
      'a [x] *b?/c/gone': '',
      'a [x] *b?/c/both': '',
      'a [x] *b?/kept.log': '',
      'a x *b?/gone': '',
      'ü b/.gitignore': '\\#x\n\\!y\n#z\n/\n',
      'ü b/#x': '',
      'ü b/!y': '',
      'ü b/z': '',
    },
    'for links': {
      '.gitignore': 'dir/\nname\n',
      real: '',
      dir: link('real'),
      'a/name': link('../real'),
    },
  };

  test.each(Object.keys(trees))('%s are those of Git', async (name) => {
    const directory = tree(trees[name] as Tree);
    execFileSync('git', ['init', '-q'], { cwd: directory });
    const listed = execFileSync('git', ['ls-files', '-z', '--others', '--exclude-standard'], {
      cwd: directory,
      encoding: 'utf8',
    });
    const expected = listed.split('\0').filter(Boolean).sort();
    expect(expected.length).toBeGreaterThan(0);
    expect(await pathsOf(directory)).toEqual(expected);
  });

  test('come from .git/info/exclude too, and give way to .gitignore', async () => {
    const directory = tree({ '.gitignore': '!b.txt\n', 'a.txt': '', 'b.txt': '' });
    execFileSync('git', ['init', '-q'], { cwd: directory });
    mkdirSync(join(directory, '.git/info'), { recursive: true });
    writeFileSync(join(directory, '.git/info/exclude'), '*.txt\n');
    expect(await pathsOf(directory)).toEqual(['.gitignore', 'b.txt']);
  });

  test('of the repository hold in a directory inside it', async () => {
    const directory = tree({
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.gitignore': '/apps/web/dist\n*.log\n',
      'apps/.gitignore': 'cache\n',
      'apps/web/dist/a': '',
      'apps/web/cache/a': '',
      'apps/web/a.log': '',
      'apps/web/index.html': '',
    });
    expect(await pathsOf(join(directory, 'apps/web'))).toEqual(['index.html']);
  });

  test('of the repository do not hold in a directory that they leave out: it was named on purpose', async () => {
    const directory = tree({
      '.git/HEAD': 'ref: refs/heads/main\n',
      '.gitignore': '/site\n*.log\n',
      'site/.gitignore': 'own\n',
      'site/own': '',
      'site/a.log': '',
    });
    expect(await pathsOf(join(directory, 'site'))).toEqual(['.gitignore', 'a.log']);
  });

  test('of .sphereignore win over .gitignore at every level, and may take back', async () => {
    const directory = tree({
      '.gitignore': 'generated/\n*.map\n',
      '.sphereignore': '!generated/\ndocs/\n*.psd\n',
      'generated/a.js': '',
      'generated/a.js.map': '',
      'docs/index.md': '',
      'art/a.psd': '',
      'art/.sphereignore': '!a.psd\n',
      'art/.gitignore': 'a.psd\nb.psd\n',
      'art/b.psd': '',
    });
    expect(await pathsOf(directory)).toEqual([
      '.gitignore',
      '.sphereignore',
      'art/.gitignore',
      'art/.sphereignore',
      'art/a.psd',
      'generated/a.js',
    ]);
  });
});

describe('a link', () => {
  test.each<[string, Tree, string]>([
    ['out by ..', { 'a/out': link('../../x') }, 'a/out points to ../../x,'],
    ['with an absolute path', { out: link('/etc/passwd') }, 'out points to /etc/passwd,'],
    [
      'out through another',
      { 'a/b/up': link('../..'), out: link('a/b/up/../x') },
      'out points to a/b/up/../x,',
    ],
  ])('%s is refused by name', async (_what, files, message) => {
    await expect(listSource(tree(files))).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
      message: expect.stringContaining(message),
      hint: expect.stringContaining('.sphereignore'),
    });
  });

  test('out of the directory does no harm when it is left out', async () => {
    const directory = tree({ '.sphereignore': 'out\n', out: link('/etc/passwd') });
    expect(await pathsOf(directory)).toEqual(['.sphereignore']);
  });

  test('to a directory is not entered', async () => {
    const directory = tree({ 'a/b': '', c: link('a'), 'a/loop': link('.') });
    expect(await pathsOf(directory)).toEqual(['a/b', 'a/loop', 'c']);
  });

  test.each<[string, Record<string, string>, boolean]>([
    ['a', { a: 'b' }, false],
    ['a', { a: '.' }, false],
    ['a', { a: '..' }, true],
    ['a/b', { 'a/b': '..' }, false],
    ['a/b', { 'a/b': '../..' }, true],
    ['a/b', { 'a/b': '../../in/again' }, true],
    ['a', { a: 'x/../y' }, false],
    ['a', { a: 'd/../../x', d: 'deep' }, true],
    ['a', { a: 'd/../../x', d: 'deep/deeper' }, false],
    ['a', { a: 'a' }, false],
    ['a', { a: 'b', b: 'a' }, false],
    ['a', { a: 'b', b: '/etc' }, true],
    ['a', { a: '' }, false],
  ])('%s among %j leaves: %s', (path, links, leaves) => {
    expect(leavesDirectory(path, new Map(Object.entries(links)))).toBe(leaves);
  });
});

describe('a digest', () => {
  const entry = { path: 'a', executable: false, sha256: 'f'.repeat(64) };

  test('depends on path, mode, link and content, and not on order', () => {
    const other = { path: 'b', executable: false, sha256: 'e'.repeat(64) };
    const digests = [
      [entry],
      [{ ...entry, path: 'b' }],
      [{ ...entry, executable: true }],
      [{ ...entry, sha256: 'e'.repeat(64) }],
      [{ path: 'a', executable: false, target: 'f', sha256: null }],
      [{ path: 'a', executable: false, target: 'g', sha256: null }],
      [entry, other],
      [],
    ].map((entries) => digestEntries(entries));
    expect(new Set(digests).size).toBe(digests.length);
    expect(digestEntries([other, entry])).toBe(digestEntries([entry, other]));
  });

  test('cannot be imitated with names that look like framing', () => {
    const one = [{ ...entry, path: `a",0,null,"${'f'.repeat(64)}"]\n["b` }];
    const two = [entry, { ...entry, path: 'b' }];
    expect(digestEntries(one)).not.toBe(digestEntries(two));
  });

  test('of a directory holds the SHA-256 of each file, large ones too', async () => {
    const large = Buffer.alloc(1_000_000, 'sphere');
    const directory = tree({ large, small: 's', link: link('small') });
    const { entries, bytes } = await digestSource(directory);
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
    expect(entries.map((item) => [item.path, item.sha256])).toEqual([
      ['large', sha256(large)],
      ['link', null],
      ['small', sha256('s')],
    ]);
    expect(bytes).toBe(1_000_001);
  });

  test('changes with a file and comes back with it', async () => {
    const directory = tree({ a: '1' });
    const before = await digestSource(directory);
    writeTree(directory, { a: '2' });
    expect((await digestSource(directory)).digest).not.toBe(before.digest);
    writeTree(directory, { a: '1' });
    expect((await digestSource(directory)).digest).toBe(before.digest);
  });
});

test('the package root is the directory of our package.json', () => {
  const { bin } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  expect(Object.keys(bin)).toEqual(['sphere']);
});
