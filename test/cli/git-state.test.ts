/** What real git says of a directory, and how that is put in words. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeState, readGitState } from '../../cli/git-state.ts';
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
    expect(state).toEqual({ git: { commit, branch: 'main', dirty: false }, changes: 0 });
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
    expect(describeState(state)).toMatch(/with 2 uncommitted changes and 2 unpushed commits$/);
  });

  test('is that of the directory alone, not of its neighbours', async () => {
    const directory = repository();
    writeTree(directory, { 'index.html': 'changed' });
    expect((await readGitState(join(directory, 'app')))?.git.dirty).toBe(false);
  });
});
