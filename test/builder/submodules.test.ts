/** Submodules on a hosted plane: relative addresses as git reads them, and what each level connects to. */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gitMachineEnvironment } from '../../builder/command/environment.ts';
import { isRelativeUrl, resolveRelativeUrl } from '../../builder/source/relative-url.ts';
import { type PinRepository, updateSubmodules } from '../../builder/source/submodules.ts';
import { openGit } from '../../files/git-program.ts';
import { checkRepository } from '../../files/repository-url.ts';
import { emptyDirectory } from '../files/tree.ts';
import { commitFiles, git, repository } from './git-repository.ts';
import { serveGit } from './git-server.ts';

const machine = { ...gitMachineEnvironment(process.env), GIT_CONFIG_GLOBAL: '/dev/null' };

/** A repository and where it is served: `url`, or any name and `path` on `port`. */
async function served(files: Record<string, string> = { 'a.txt': 'a' }) {
  const { directory } = repository(files);
  const { url, authorizations } = await serveGit(dirname(directory), null);
  const path = `/${basename(directory)}/.git`;
  return { directory, path, port: Number(new URL(url).port), url: `${url}${path}`, requests: authorizations };
}

/** Makes `inner` a submodule at `lib` of `outer`, with the address `url`. */
function add(outer: string, inner: string, url: string): void {
  git(outer, 'submodule', '--quiet', 'add', inner, 'lib');
  commitFiles(outer, { '.gitmodules': `[submodule "lib"]\n\tpath = lib\n\turl = ${url}\n` });
}

/** Checks out the repository at `url` and its submodules; `pin` says where hosts are. */
async function checkOut(url: string, pin: PinRepository, environment = machine): Promise<string> {
  const directory = join(emptyDirectory(), 'source');
  const access = { environment, repository: checkRepository(url, { allowLocal: false }) };
  const program = openGit(access);
  expect((await program.run(['clone', '--quiet', '--', url, directory])).exitCode).toBe(0);
  await updateSubmodules(program, [], {
    repository: access.repository,
    directory,
    pin,
    signal: new AbortController().signal,
    say: () => {},
    openPinned: (pinned) => openGit({ ...access, pinned }),
  });
  return directory;
}

/** Every name under example.com is on this machine. No other host is connected to. */
const pinExamples: PinRepository = async ({ transport, host }) => {
  const { hostname, port } = new URL(`http://${host}`);
  if (transport === 'file') return null;
  if (hostname === '127.0.0.1') return null;
  if (!hostname.endsWith('.example.com')) throw new Error(`${hostname} is not connected to`);
  return { transport, host: hostname, port: Number(port || 22), addresses: ['127.0.0.1'] };
};

describe('a relative address', () => {
  const parents = [
    'https://host/a/b.git',
    'https://host:8080/a/',
    'http://host/a//',
    'ssh://git@host/a/b',
    'git@host:a/b.git',
    'git@host:a',
  ];
  const urls = ['../x', './x', './', '../x/', './../x', '..//x', '../x/../y', '../:x', '../a:b'];
  const climbing = ['../../x', '../../../10.0.0.5/x.git', '../../../../x', '../../../..///10.0.0.5/x'];

  test.each(parents)('below %s is read as git reads it', (parent) => {
    const { directory } = repository({ 'a.txt': 'a' });
    git(directory, 'config', 'remote.origin.url', parent);
    // Beyond its last part git takes an address for a path of this machine.
    const all = [...urls, ...climbing].filter((url) => resolveRelativeUrl(parent, url) !== null);
    const modules = all.map((url, index) => `[submodule "m${index}"]\n\tpath = m${index}\n\turl = ${url}\n`);
    writeFileSync(join(directory, '.gitmodules'), modules.join(''));
    for (const index of all.keys())
      git(directory, 'update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},m${index}`);
    git(directory, 'submodule', '--quiet', 'init');
    const read = all.map((_, index) => git(directory, 'config', `submodule.m${index}.url`));
    expect(all.every(isRelativeUrl)).toBe(true);
    expect(all.map((url) => resolveRelativeUrl(parent, url))).toEqual(read);
  });

  test.each([
    ['https://host/a/b.git', '../../../10.0.0.5/x', 'https://10.0.0.5/x'],
    ['https://host/a', '../../../..///10.0.0.5/x', 'https://10.0.0.5/x'],
    ['git@host:a/b', '../../x', 'git@host:x'],
    ['git@host:a', '../../x', null],
    ['https://host/a', '../../../../../x', null],
  ])('below %s, %s is %s', (parent, url, whole) => {
    expect(resolveRelativeUrl(parent, url)).toBe(whole);
  });
});

test('a relative address that climbs over its host is checked like any other', async () => {
  const [inner, outer] = [await served({ 'secret.txt': 'secret' }), await served()];
  const path = `localhost:${inner.port}${inner.path}`;
  add(outer.directory, inner.directory, `../../../${path}`);
  await expect(checkOut(outer.url, pinExamples)).rejects.toThrow('localhost is not connected to');
  expect(inner.requests).toEqual([]);
});

test('one that climbs over everything is refused', async () => {
  const outer = await served();
  add(outer.directory, outer.directory, `${'../'.repeat(9)}tmp/x`);
  await expect(checkOut(outer.url, pinExamples)).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
});

test('a submodule beside its parent is fetched from the address that was checked, at every level', async () => {
  const [deep, inner, outer] = [await served({ 'd.txt': 'd' }), await served(), await served()];
  // The name resolves to nothing: only who is told its address finds it.
  add(inner.directory, deep.directory, `../../${basename(deep.directory)}/.git`);
  add(outer.directory, inner.directory, `http://git.example.com:${inner.port}${inner.path}`);
  const directory = await checkOut(outer.url, pinExamples);
  expect(readFileSync(join(directory, 'lib', 'lib', 'd.txt'), 'utf8')).toBe('d');
  expect(git(join(directory, 'lib', 'lib'), 'config', 'remote.origin.url')).toBe(
    `http://git.example.com:${inner.port}/${basename(deep.directory)}/.git`,
  );
});

test('a submodule over ssh is fetched from the address that was checked, whatever the transport above it', async () => {
  const programs = emptyDirectory();
  const log = join(programs, 'log');
  // Answers for every host with the repositories of this machine.
  const script = `#!/bin/sh\necho "$@" >> ${log}\nfor last; do :; done\nexec sh -c "$last"\n`;
  writeFileSync(join(programs, 'ssh'), script);
  chmodSync(join(programs, 'ssh'), 0o755);
  const environment = { ...machine, PATH: `${programs}${delimiter}${process.env.PATH}` };
  const [deep, inner, outer] = [repository({ 'd.txt': 'd' }), repository({ 'a.txt': 'a' }), await served()];
  add(inner.directory, deep.directory, `git@two.example.com:${deep.directory}/.git`);
  add(outer.directory, inner.directory, `ssh://git@one.example.com${inner.directory}/.git`);
  const directory = await checkOut(outer.url, pinExamples, environment);
  expect(readFileSync(join(directory, 'lib', 'lib', 'd.txt'), 'utf8')).toBe('d');
  const calls = readFileSync(log, 'utf8').trim().split('\n');
  expect(calls.length).toBeGreaterThanOrEqual(2);
  for (const call of calls) {
    const host = /git@(\w+\.example\.com)/.exec(call)?.[1];
    expect(call).toContain(`-o HostName=127.0.0.1 -o HostKeyAlias=${host}`);
  }
});

test('a directory that only .gitmodules calls a submodule is not entered, whatever configuration it holds', async () => {
  const [inner, outer] = [await served(), await served()];
  const witness = join(emptyDirectory(), 'ran');
  // A repository as files of a commit: git, in there, would run what its configuration says.
  const bare = join(outer.directory, 'bare');
  git(outer.directory, 'init', '--quiet', '--template=', bare);
  git(bare, 'update-index', '--add', '--cacheinfo', `160000,${git(inner.directory, 'rev-parse', 'HEAD')},x`);
  const config = `[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = touch ${witness}; false\n`;
  const files = {
    '.gitmodules': '[submodule "bare"]\n\tpath = bare\n\turl = ../b\n',
    'bare/.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ${inner.url}\n`,
    'bare/HEAD': 'ref: refs/heads/main\n',
    'bare/config': config,
    'bare/objects/a': '',
    'bare/refs/a': '',
  };
  const index = readFileSync(join(bare, '.git', 'index'));
  rmSync(join(bare, '.git'), { recursive: true });
  writeFileSync(join(bare, 'index'), index);
  commitFiles(outer.directory, files);
  const directory = await checkOut(outer.url, pinExamples);
  expect(existsSync(join(directory, 'bare', 'index'))).toBe(true);
  expect(existsSync(witness)).toBe(false);
});
