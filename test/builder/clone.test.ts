/** Cloning with the git program: transports, tokens, submodules, and what is kept for the next time. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { gitMachineEnvironment } from '../../builder/command/environment.ts';
import { type CloneRequest, cloneRepository } from '../../builder/source/clone.ts';
import { planClone } from '../../builder/source/clone-plan.ts';
import { resolveCommit } from '../../files/resolve-commit.ts';
import { emptyDirectory, link } from '../files/tree.ts';
import { commitFiles, git, repository } from './git-repository.ts';
import { serveGit } from './git-server.ts';

const environment = { ...gitMachineEnvironment(process.env), GIT_CONFIG_GLOBAL: '/dev/null' };

const request = (
  wanted: Partial<CloneRequest> & Pick<CloneRequest, 'repository' | 'commit'>,
): CloneRequest => ({
  directory: join(emptyDirectory(), 'source'),
  mirrors: join(emptyDirectory(), 'git'),
  allowLocal: true,
  gitHosts: null,
  environment,
  signal: new AbortController().signal,
  say: () => {},
  ...wanted,
});

async function clone(wanted: Parameters<typeof request>[0]): Promise<CloneRequest> {
  const full = request(wanted);
  await cloneRepository(full);
  return full;
}

/** Every file at or below `directory`, as one text. */
function allText(directory: string): string {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => readFileSync(join(item.parentPath, item.name), 'latin1'))
    .join('\n');
}

describe('a clone', () => {
  test('has its commit and the nine before it, whatever was committed before and after', async () => {
    const { directory } = repository({ 'a.txt': 'zeroth' });
    for (let number = 1; number <= 10; number++) commitFiles(directory, { 'a.txt': `${number}` });
    const commit = commitFiles(directory, { 'a.txt': 'second' });
    commitFiles(directory, { 'a.txt': 'third' });
    const made = await clone({ repository: directory, commit });
    expect(readFileSync(join(made.directory, 'a.txt'), 'utf8')).toBe('second');
    expect(git(made.directory, 'rev-list', '--count', 'HEAD')).toBe('10');
    expect(git(made.directory, 'status', '--porcelain')).toBe('');
  });

  test('of a commit that no branch has any more is had while the server keeps it', async () => {
    const { directory, commit } = repository({ 'a.txt': 'first' });
    git(directory, 'commit', '--quiet', '--amend', '--message=Rewritten');
    const made = await clone({ repository: directory, commit });
    expect(git(made.directory, 'rev-parse', 'HEAD')).toBe(commit);
  });

  test('of a commit that is nowhere fails with what git said', async () => {
    const { directory } = repository({ 'a.txt': '' });
    await expect(clone({ repository: directory, commit: '1'.repeat(40), ref: 'main' })).rejects.toMatchObject(
      {
        code: 'SOURCE_UNAVAILABLE',
        message: expect.stringContaining('main (1111111)'),
        details: expect.arrayContaining([expect.stringContaining('not our ref')]),
      },
    );
  });

  test('of a repository that lacks an object of its own says that it is damaged', async () => {
    const { directory, commit } = repository({ 'a.txt': 'first' });
    const blob = git(directory, 'rev-parse', 'HEAD:a.txt');
    rmSync(join(directory, '.git', 'objects', blob.slice(0, 2)), { recursive: true });
    await expect(clone({ repository: directory, commit })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      hint: expect.stringContaining('git fsck'),
    });
  });

  test('of a local path is refused where the plane does not allow it', async () => {
    const { directory, commit } = repository({ 'a.txt': '' });
    await expect(clone({ repository: directory, commit, allowLocal: false })).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
  });

  test('runs no hook of the machine', async () => {
    const { directory, commit } = repository({ 'a.txt': '' });
    const hooks = emptyDirectory();
    const witness = join(hooks, 'ran');
    writeFileSync(join(hooks, 'post-checkout'), `#!/bin/sh\ntouch ${witness}\n`);
    chmodSync(join(hooks, 'post-checkout'), 0o755);
    const settings = join(hooks, 'config');
    writeFileSync(settings, `[core]\n\thooksPath = ${hooks}\n`);
    await clone({
      repository: directory,
      commit,
      environment: { ...environment, GIT_CONFIG_GLOBAL: settings },
    });
    expect(existsSync(witness)).toBe(false);
  });

  test('brings submodules, those beside a local repository too', async () => {
    const inner = repository({ 'inner.txt': 'inner' });
    const { directory } = repository({ 'a.txt': '' });
    git(directory, 'submodule', '--quiet', 'add', inner.directory, 'lib');
    const commit = commitFiles(directory, {});
    const made = await clone({ repository: directory, commit });
    expect(readFileSync(join(made.directory, 'lib', 'inner.txt'), 'utf8')).toBe('inner');
  });

  test('lets a repository on a server not read the disk through a submodule', async () => {
    const secret = repository({ 'secret.txt': 'secret' });
    const { directory } = repository({ 'a.txt': '' });
    git(directory, 'submodule', '--quiet', 'add', secret.directory, 'lib');
    const commit = commitFiles(directory, {});
    const server = await serveGit(join(directory, '..'), null);
    const url = `${server.url}/${directory.split('/').at(-1)}`;
    await expect(clone({ repository: url, commit })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      details: expect.arrayContaining([expect.stringMatching(/transport 'file' not allowed/)]),
    });
  });

  test('of several builds at once into one cache works for all', async () => {
    const { directory, commit } = repository({ 'a.txt': 'one' });
    const second = commitFiles(directory, { 'a.txt': 'two' });
    const mirrors = join(emptyDirectory(), 'git');
    const made = await Promise.all(
      [commit, second, commit, second].map((wanted) =>
        clone({ repository: directory, commit: wanted, mirrors }),
      ),
    );
    expect(made.map((each) => readFileSync(join(each.directory, 'a.txt'), 'utf8'))).toEqual([
      'one',
      'two',
      'one',
      'two',
    ]);
  });

  test('repairs a mirror that a killed build has left locked', async () => {
    const { directory, commit } = repository({ 'a.txt': 'one' });
    const mirrors = join(emptyDirectory(), 'git');
    await clone({ repository: directory, commit, mirrors });
    const [mirror = ''] = readdirSync(mirrors);
    const { pid } = spawnSync('true');
    writeFileSync(join(mirrors, mirror, 'shallow.lock'), '');
    writeFileSync(join(mirrors, mirror, 'sphere.lock'), String(pid));
    const next = commitFiles(directory, { 'a.txt': 'two' });
    const made = await clone({ repository: directory, commit: next, mirrors });
    expect(readFileSync(join(made.directory, 'a.txt'), 'utf8')).toBe('two');
    expect(existsSync(join(mirrors, mirror, 'sphere.lock'))).toBe(false);
  });

  test('has the content of large files, not their pointers', async () => {
    const { directory } = repository({ 'a.txt': '' });
    git(directory, 'lfs', 'install', '--local');
    const commit = commitFiles(directory, {
      '.gitattributes': '*.png filter=lfs diff=lfs merge=lfs -text\n',
      'a.png': 'as large as you like',
    });
    expect(git(directory, 'show', 'HEAD:a.png')).toContain('https://git-lfs.github.com/spec/v1');
    const made = await clone({ repository: directory, commit });
    expect(readFileSync(join(made.directory, 'a.png'), 'utf8')).toBe('as large as you like');
  });

  test('reads attributes through no link, wherever it leads', async () => {
    const endless = repository({ 'a.txt': 'here', '.gitattributes': link('/dev/zero') });
    const made = await clone({ repository: endless.directory, commit: endless.commit });
    expect(readFileSync(join(made.directory, 'a.txt'), 'utf8')).toBe('here');
  });

  test('of a repository with large files says what is missing when git-lfs is', async () => {
    const { directory, commit } = repository({
      '.gitattributes': '*.png filter=lfs diff=lfs merge=lfs -text\n',
      'a.png': '',
    });
    const programs = emptyDirectory();
    // A PATH with git alone.
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    writeFileSync(
      join(programs, 'git'),
      `#!/bin/sh\n[ "$7" = lfs ] && exit 1\nfor a; do [ "$a" = lfs ] && exit 1; done\nexec ${real} "$@"\n`,
    );
    chmodSync(join(programs, 'git'), 0o755);
    await expect(
      clone({
        repository: directory,
        commit,
        environment: { ...environment, PATH: [programs, process.env.PATH].join(delimiter) },
      }),
    ).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE', message: expect.stringContaining('git-lfs') });
  });
});

describe('a private repository', () => {
  const token = 'ghp_0123456789abcdefghij';

  async function privateRepository() {
    const { directory, commit } = repository({ 'a.txt': 'private' });
    const server = await serveGit(join(directory, '..'), token);
    return {
      server,
      commit,
      path: `/${directory.split('/').at(-1)}`,
      url: `${server.url}/${directory.split('/').at(-1)}`,
    };
  }

  /** A git that writes down every argument that it and its helpers are given. */
  function spyingGit(): { environment: Record<string, string | undefined>; seen: () => string } {
    const programs = emptyDirectory();
    const record = join(programs, 'record');
    const real = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    // `git` in front, and all processes of its group as the process list shows them while it runs.
    writeFileSync(
      join(programs, 'git'),
      `#!/bin/sh\necho "$@" >> ${record}\n(for i in 1 2 3 4 5 6; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> ${record}; sleep 0.02; done) >/dev/null 2>&1 &\nexec ${real} "$@"\n`,
    );
    chmodSync(join(programs, 'git'), 0o755);
    return {
      environment: { ...environment, PATH: [programs, process.env.PATH].join(delimiter) },
      seen: () => readFileSync(record, 'utf8'),
    };
  }

  test('is read with a token that is in no argument, no file and no message', async () => {
    const { url, commit } = await privateRepository();
    const spy = spyingGit();
    const said: string[] = [];
    const cache = emptyDirectory();
    const work = emptyDirectory();
    const made = await clone({
      repository: url,
      commit,
      token,
      environment: spy.environment,
      mirrors: join(cache, 'git'),
      directory: join(work, 'source'),
      say: (text) => said.push(text),
    });
    expect(readFileSync(join(made.directory, 'a.txt'), 'utf8')).toBe('private');
    expect(spy.seen()).toContain('git-remote-http');
    for (const text of [spy.seen(), allText(cache), allText(work), said.join('\n')])
      expect(text).not.toContain(token);
  });

  test('is not read without a token, at once and without a prompt', async () => {
    const { url, commit } = await privateRepository();
    await expect(clone({ repository: url, commit })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      hint: expect.stringContaining('SPHERE_GIT_TOKEN'),
    });
  });

  test('tells its token to no other host that it redirects to', async () => {
    const { server, commit, path } = await privateRepository();
    const door = await serveGit('/', null, server.url);
    await expect(clone({ repository: `${door.url}${path}`, commit, token })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    });
    expect(server.authorizations.every((sent) => sent === undefined)).toBe(true);
  });

  test('leaves its token with no credential helper of the machine', async () => {
    const { url, commit } = await privateRepository();
    const home = emptyDirectory();
    writeFileSync(join(home, 'config'), `[credential]\n\thelper = store --file ${join(home, 'kept')}\n`);
    await clone({
      repository: url,
      commit,
      token,
      environment: { ...environment, GIT_CONFIG_GLOBAL: join(home, 'config') },
    });
    expect(existsSync(join(home, 'kept'))).toBe(false);
  });

  test('has its commit found at submit time with the same token', async () => {
    const { url, commit } = await privateRepository();
    expect(await resolveCommit(url, 'main', { environment, token })).toEqual({ commit, branch: 'main' });
    await expect(resolveCommit(url, 'main', { environment, token: 'wrong-token' })).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      details: expect.arrayContaining([expect.stringContaining('Authentication failed')]),
    });
  });
});

describe('a ref is resolved', () => {
  const local = { environment, allowLocal: true };

  test('as branch, tag, annotated tag, whole commit, abbreviation or default branch', async () => {
    const { directory, commit } = repository({ 'a.txt': 'one' });
    git(directory, 'tag', 'v1');
    git(directory, 'tag', '--annotate', '--message=x', 'v2');
    git(directory, 'checkout', '--quiet', '-b', 'feature/login');
    const next = commitFiles(directory, { 'a.txt': 'two' });
    git(directory, 'checkout', '--quiet', 'main');
    const resolve = (ref?: string) => resolveCommit(directory, ref, local);
    expect(await resolve()).toEqual({ commit, branch: 'main' });
    expect(await resolve('HEAD')).toEqual({ commit, branch: 'main' });
    expect(await resolve('feature/login')).toEqual({ commit: next, branch: 'feature/login' });
    expect(await resolve('refs/heads/feature/login')).toEqual({ commit: next, branch: 'feature/login' });
    expect(await resolve('v1')).toEqual({ commit });
    expect(await resolve('v2')).toEqual({ commit });
    expect(await resolve(next)).toEqual({ commit: next });
    expect(await resolve(next.slice(0, 8))).toEqual({ commit: next });
  });

  test('to an error that names the nearest when there is none', async () => {
    const { directory } = repository({ 'a.txt': '' });
    git(directory, 'branch', 'develop');
    await expect(resolveCommit(directory, 'devleop', local)).rejects.toMatchObject({
      hint: 'Did you mean develop? Was it pushed?',
      details: ['It has: develop, main'],
    });
    await expect(resolveCommit(directory, '0000000', local)).rejects.toMatchObject({
      hint: expect.stringContaining('git rev-parse'),
    });
  });

  test('to an error when a branch and a tag differ', async () => {
    const { directory } = repository({ 'a.txt': '' });
    git(directory, 'tag', 'next');
    git(directory, 'checkout', '--quiet', '-b', 'next');
    commitFiles(directory, { 'a.txt': 'x' });
    await expect(resolveCommit(directory, 'next', local)).rejects.toMatchObject({
      hint: 'Say which: refs/heads/next or refs/tags/next.',
    });
  });

  test('to an error for an empty repository and for none', async () => {
    const empty = emptyDirectory();
    git(empty, 'init', '--quiet');
    await expect(resolveCommit(empty, undefined, local)).rejects.toMatchObject({
      message: expect.stringContaining('is empty'),
    });
    mkdirSync(join(empty, 'none'));
    await expect(resolveCommit(join(empty, 'nothing'), undefined, local)).rejects.toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
    });
  });
});

test('a clone is planned as ever larger fetches, none of which can be read as an option', () => {
  const plan = planClone(
    { url: 'https://example.com/a', transport: 'https', host: 'example.com' },
    'c'.repeat(40),
    'main',
  );
  expect(plan.fetches.map(({ why }) => why)).toEqual([
    'the commit by its id',
    'the ref main',
    'all branches and tags',
  ]);
  for (const { args } of plan.fetches)
    expect(args.indexOf('--')).toBe(args.indexOf('https://example.com/a') - 1);
});
