/** What Git knows of a directory that is about to be uploaded. */
import { execFile } from 'node:child_process';
import type { GitState } from '../contract/api.ts';
import { count } from './format.ts';

/** `changes`: how many files differ from the commit, those that Git does not know among them. */
export type DirectoryState = { git: GitState; changes: number };

/** A repository that takes longer, in milliseconds, is deployed without a word about its state. */
const patienceMs = 5_000;

/**
 * Asks git for the state of `directory`. Null where there is no git, no repository, no commit, or no answer in time:
 * the upload does not depend on it.
 */
export function readGitState(directory: string): Promise<DirectoryState | null> {
  const args = [
    // A repository's own settings must not start programs only because we look.
    ...['-c', 'core.fsmonitor=false', '--no-optional-locks'],
    ...['status', '--porcelain=v2', '--branch', '--', '.'],
  ];
  return new Promise((resolve) => {
    const options = { cwd: directory, timeout: patienceMs, maxBuffer: 64 * 1024 ** 2 };
    execFile('git', args, options, (error, output) => resolve(error ? null : parseStatus(output)));
  });
}

/** Reads what `git status --porcelain=v2 --branch` prints. Null before the first commit. Pure. */
export function parseStatus(output: string): DirectoryState | null {
  let commit: string | undefined;
  let branch: string | undefined;
  let unpushed: number | undefined;
  let changes = 0;
  for (const line of output.split('\n')) {
    const [mark, name, value = ''] = line.split(' ');
    if (mark === '#') {
      if (name === 'branch.oid') commit = value;
      if (name === 'branch.head' && value !== '(detached)') branch = value;
      if (name === 'branch.ab') unpushed = Number(value);
    } else if (mark !== '') {
      changes += 1;
    }
  }
  if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) return null;
  return {
    git: {
      commit,
      ...(branch === undefined ? {} : { branch }),
      dirty: changes > 0,
      ...(unpushed === undefined ? {} : { unpushed }),
    },
    changes,
  };
}

/** The state in words, such as `with 3 uncommitted changes and 2 unpushed commits`. Pure. */
export function describeState(state: DirectoryState | null): string {
  if (state === null) return '';
  const { changes, git } = state;
  const parts = [
    changes > 0 ? count(changes, 'uncommitted change') : '',
    git.unpushed ? count(git.unpushed, 'unpushed commit') : '',
  ].filter(Boolean);
  const at = `${git.branch ? `${git.branch} ` : ''}${git.commit.slice(0, 7)}`;
  return parts.length === 0 ? `at ${at}` : `at ${at}, with ${parts.join(' and ')}`;
}
