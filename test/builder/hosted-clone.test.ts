/** Cloning for a hosted plane: private hosts, redirects to other hosts, and submodules that lead there. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { gitMachineEnvironment } from '../../builder/command/environment.ts';
import { cloneRepository } from '../../builder/source/clone.ts';
import { gitEnvironment, openGit } from '../../files/git-program.ts';
import { checkRepository } from '../../files/repository-url.ts';
import { emptyDirectory } from '../files/tree.ts';
import { commitFiles, git, repository } from './git-repository.ts';
import { serveGit } from './git-server.ts';

const environment = { ...gitMachineEnvironment(process.env), GIT_CONFIG_GLOBAL: '/dev/null' };

async function clone(url: string, commit: string, gitHosts: string[]): Promise<string> {
  const directory = join(emptyDirectory(), 'source');
  await cloneRepository({
    repository: url,
    commit,
    directory,
    mirrors: join(emptyDirectory(), 'git'),
    allowLocal: false,
    gitHosts,
    environment,
    signal: new AbortController().signal,
    say: () => {},
  });
  return directory;
}

/** A repository and where it is served; `host` is how a setting names it. */
async function served(files: Record<string, string> = { 'a.txt': 'a' }) {
  const { directory, commit } = repository(files);
  const { url, authorizations } = await serveGit(dirname(directory), null);
  const path = `/${basename(directory)}/.git`;
  return { directory, commit, url: `${url}${path}`, path, host: new URL(url).host, requests: authorizations };
}

/** A server that sends every request elsewhere. */
async function sending(where: (path: string) => string): Promise<string> {
  const server = createServer((request, response) =>
    response.writeHead(301, { location: where(request.url ?? '') }).end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a private host is asked for nothing', async () => {
  const { url, commit, requests } = await served();
  await expect(clone(url, commit, [])).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
  await expect(clone(url.replace('127.0.0.1', 'localhost'), commit, [])).rejects.toMatchObject({
    code: 'SOURCE_REFUSED',
  });
  expect(requests).toEqual([]);
});

test('one that the team has named is cloned from', async () => {
  const { url, commit, host } = await served();
  expect(readFileSync(join(await clone(url, commit, [host]), 'a.txt'), 'utf8')).toBe('a');
});

test('a redirect to another host is not followed, nor to another port of the same one', async () => {
  const inner = await served();
  for (const where of [inner.url.replace('127.0.0.1', 'localhost'), inner.url]) {
    const outer = await sending((path) => `${where}${path.replace(/^\/a/, '')}`);
    const cloning = clone(`${outer}/a`, inner.commit, [new URL(outer).host]);
    await expect(cloning).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
  }
  expect(inner.requests).toEqual([]);
});

test('a redirect that comes only to git is not followed either', async () => {
  const inner = await served();
  // The look before the clone sees none.
  let first = true;
  const server = createServer((request, response) => {
    if (first) response.writeHead(200).end();
    else response.writeHead(302, { location: `${inner.url}${request.url?.replace(/^\/a/, '')}` }).end();
    first = false;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const cloning = clone(`http://127.0.0.1:${port}/a`, inner.commit, [`127.0.0.1:${port}`]);
  await expect(cloning).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' });
  expect(inner.requests).toEqual([]);
});

test('submodules come from hosts that may be connected to, inner ones too', async () => {
  const [deep, inner, outer] = [
    await served({ 'd.txt': 'd' }),
    await served({ 'i.txt': 'i' }),
    await served(),
  ];
  const add = (to: string, { directory, url }: { directory: string; url: string }) => {
    git(to, 'submodule', '--quiet', 'add', directory, 'lib');
    return commitFiles(to, { '.gitmodules': `[submodule "lib"]\n\tpath = lib\n\turl = ${url}\n` });
  };
  add(inner.directory, deep);
  const commit = add(outer.directory, inner);
  const all = [outer.host, inner.host, deep.host];
  const directory = await clone(outer.url, commit, all);
  expect(readFileSync(join(directory, 'lib', 'lib', 'd.txt'), 'utf8')).toBe('d');

  const asked = deep.requests.length;
  await expect(clone(outer.url, commit, [outer.host, inner.host])).rejects.toMatchObject({
    code: 'SOURCE_REFUSED',
  });
  expect(deep.requests.length).toBe(asked);
});

test('git connects to the address that was checked, whatever the name resolves to by then', async () => {
  const { path, host, requests } = await served();
  const port = Number(host.split(':')[1]);
  const named = checkRepository(`http://rebind.example.com:${port}${path}`, { allowLocal: false });
  const pinned = [{ transport: 'http' as const, host: 'rebind.example.com', port, addresses: ['127.0.0.1'] }];
  const program = openGit({ environment, repository: named, pinned });
  const { exitCode } = await program.run(['ls-remote', '--', named.url]);
  program.close();
  expect(exitCode).toBe(0);
  expect(requests.length).toBeGreaterThan(0);
});

test('ssh is given the address that was checked, and the key of the name', () => {
  const named = checkRepository('git@git.example.com:a/b.git', { allowLocal: false });
  const pinned = [{ transport: 'ssh' as const, host: 'git.example.com', port: 22, addresses: ['1.1.1.1'] }];
  const { GIT_SSH_COMMAND } = gitEnvironment({ environment, repository: named, pinned }, null);
  expect(GIT_SSH_COMMAND).toMatch(/-o 'HostName=1\.1\.1\.1' -o 'HostKeyAlias=git\.example\.com'/);
});

test('a token for https is not given to the same host over http, where anybody could read it', async () => {
  const { directory } = repository({ 'a.txt': 'a' });
  const { url, authorizations } = await serveGit(dirname(directory), 'ghp_0123456789abcdef');
  const address = `${url}/${basename(directory)}/.git`;
  const named = checkRepository(address.replace('http:', 'https:'), { allowLocal: false });
  const program = openGit({ environment, repository: named, token: 'ghp_0123456789abcdef' });
  // As a submodule could have it.
  const { exitCode } = await program.run(['ls-remote', '--', address]);
  program.close();
  expect(exitCode).not.toBe(0);
  expect(authorizations.length).toBeGreaterThan(0);
  expect(authorizations.filter((sent) => sent !== undefined)).toEqual([]);
});

test('large files are asked for at the repository, whatever its .lfsconfig says', async () => {
  const evil = await sending(() => 'http://169.254.169.254/');
  const files = {
    '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
    '.lfsconfig': `[lfs]\n\turl = ${evil}/lfs\n`,
    'a.bin': '',
    'a.txt': 'a',
  };
  const { url, commit, host } = await served(files);
  const directory = await clone(url, commit, [host]);
  expect(existsSync(join(directory, 'a.txt'))).toBe(true);
  expect(git(directory, 'config', 'lfs.url')).toBe(`${url}/info/lfs`);
});
