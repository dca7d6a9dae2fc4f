/** What real git says of a directory, and how that is put in words. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeState, readGitState, withCi } from '../../cli/git-state.ts';
import { checkPushed } from '../../cli/pushed.ts';
import { emptyDirectory, tree, writeTree } from '../files/tree.ts';

function git(directory: string, ...args: string[]): string {
  const identity = [
    '-c',
    'user.name=Test',
    '-c',
    'user.email=test@example.com',
    '-c',
    'init.defaultBranch=main',
  ];
  return execFileSync('git', [...identity, ...args], { cwd: directory, encoding: 'utf8' }).trim();
}

function repository(): string {
  const directory = tree({ 'index.html': 'one', 'app/a.txt': 'a' });
  git(directory, 'init', '-q');
  git(directory, 'add', '.');
  git(directory, 'commit', '-qm', 'first');
  return directory;
}

describe('the state of a directory', () => {
  test('is unknown without a repository, and before its first commit', async () => {
    const directory = emptyDirectory();
    expect(await readGitState(directory)).toBeNull();
    git(directory, 'init', '-q');
    expect(await readGitState(directory)).toBeNull();
    expect(describeState(null)).toBe('');
  });

  test('is its commit and branch', async () => {
    const directory = repository();
    const commit = git(directory, 'rev-parse', 'HEAD');
    const state = await readGitState(directory);
    expect(state).toEqual({ git: { commit, branch: 'main', author: 'Test', dirty: false }, changes: 0 });
    expect(describeState(state)).toBe(`at main ${commit.slice(0, 7)}`);
  });

  test('has no branch where HEAD is detached', async () => {
    const directory = repository();
    git(directory, 'checkout', '-q', '--detach');
    expect((await readGitState(directory))?.git.branch).toBeUndefined();
  });

  test('counts what changed and what is not pushed', async () => {
    const origin = repository();
    const clone = join(emptyDirectory(), 'clone');
    git(origin, 'clone', '-q', origin, clone);
    git(clone, 'commit', '-qm', 'second', '--allow-empty');
    git(clone, 'commit', '-qm', 'third', '--allow-empty');
    writeTree(clone, { 'index.html': 'changed', 'new file.txt': 'new' });
    const state = await readGitState(clone);
    expect(state).toMatchObject({ git: { dirty: true, unpushed: 2 }, changes: 2 });
    expect(describeState(state)).toMatch(
      /^at main [0-9a-f]{7}-dirty, with 2 uncommitted changes and 2 unpushed commits$/,
    );
  });

  test('counts what no remote has where the branch follows none', async () => {
    const origin = repository();
    const clone = join(emptyDirectory(), 'clone');
    git(origin, 'clone', '-q', origin, clone);
    git(clone, 'checkout', '-qb', 'mine');
    expect((await readGitState(clone))?.git.unpushed).toBe(0);
    git(clone, 'commit', '-qm', 'second', '--allow-empty');
    expect((await readGitState(clone))?.git.unpushed).toBe(1);
    expect((await readGitState(origin))?.git.unpushed).toBeUndefined();
  });

  test('is that of the directory alone, not of its neighbours', async () => {
    const directory = repository();
    writeTree(directory, { 'index.html': 'changed' });
    expect((await readGitState(join(directory, 'app')))?.git.dirty).toBe(false);
  });
});

describe('a build service', () => {
  const commit = '1'.repeat(40);
  const ci = { service: 'GitLab CI', commit, branch: 'fix', author: 'Ada' };

  test('names the branch of a commit that was checked out by itself', () => {
    const state = { git: { commit, dirty: false }, changes: 0 };
    expect(withCi(state, ci)?.git).toEqual({ commit, dirty: false, branch: 'fix' });
  });

  test('is not believed of another commit, nor against Git', () => {
    const other = { git: { commit: '2'.repeat(40), dirty: false }, changes: 0 };
    expect(withCi(other, ci)).toEqual(other);
    const named = { git: { commit, branch: 'main', dirty: true }, changes: 1 };
    expect(withCi(named, ci)).toEqual(named);
  });

  test('knows everything where there is no repository', () => {
    expect(withCi(null, ci)?.git).toEqual({ commit, branch: 'fix', author: 'Ada', dirty: false });
    expect(withCi(null, { service: 'TeamCity' })).toBeNull();
  });
});

describe('T32: a deployment from the repository that is worked on', () => {
  test('is refused while the commit here is not there, and the ways on are named', async () => {
    const origin = repository();
    const commit = git(origin, 'rev-parse', 'HEAD');
    const clone = join(emptyDirectory(), 'clone');
    git(origin, 'clone', '-q', origin, clone);
    expect(await checkPushed(clone, origin, commit)).toBe(0);
    git(clone, 'commit', '-qm', 'second', '--allow-empty');
    await expect(checkPushed(clone, origin, commit)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(
        /^The commit main [0-9a-f]{7}, which is checked out here, is not on .*: 1 commit is not pushed\.$/,
      ),
      hint: expect.stringMatching(/git push.*--no-repo.*--ref/),
    });
    // Pushed to any branch is enough: what is built is said anyway.
    git(clone, 'push', '-q', 'origin', 'HEAD:refs/heads/other');
    writeTree(clone, { 'index.html': 'changed' });
    expect(await checkPushed(clone, origin, commit)).toBe(1);
  });

  test("is nobody else's business: another repository, or none", async () => {
    const clone = repository();
    git(clone, 'remote', 'add', 'origin', 'https://example.com/you/other.git');
    expect(await checkPushed(clone, 'https://example.com/you/site.git', '1'.repeat(40))).toBeNull();
    expect(
      await checkPushed(emptyDirectory(), 'https://example.com/you/site.git', '1'.repeat(40)),
    ).toBeNull();
  });
});
