/** Real Git repositories in temporary directories. */
import { execFileSync } from 'node:child_process';
import { emptyDirectory, type Tree, writeTree } from '../files/tree.ts';

const author = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ALLOW_PROTOCOL: 'file',
};

export function git(directory: string, ...args: string[]): string {
  return execFileSync('git', args, {
    cwd: directory,
    env: { ...process.env, ...author },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** A repository with one commit of `files` on `main`. */
export function repository(files: Tree): { directory: string; commit: string } {
  const directory = emptyDirectory();
  git(directory, 'init', '--quiet', '--initial-branch=main');
  return { directory, commit: commitFiles(directory, files) };
}

export function commitFiles(directory: string, files: Tree): string {
  writeTree(directory, files);
  git(directory, 'add', '--all');
  git(directory, 'commit', '--quiet', '--message=A change');
  return git(directory, 'rev-parse', 'HEAD');
}
