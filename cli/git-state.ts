/** What Git and the build service know of a directory that is about to be uploaded. */
import { execFile } from 'node:child_process';
import type { GitState } from '../contract/api.ts';
import type { CiEnvironment } from './ci-environment.ts';
import { count } from './format.ts';

/** `changes`: how many files differ from the commit, those that Git does not know among them. */
export type DirectoryState = { git: GitState; changes: number };

/** A repository that takes longer, in milliseconds, is deployed without a word about its state. */
const patienceMs = 5_000;

/**
 * Asks git for the state of `directory`. Null where there is no git, no repository, no commit, or no answer in time:
 * the upload does not depend on it.
 */
export async function readGitState(directory: string): Promise<DirectoryState | null> {
  const [status, author] = await Promise.all([
    askGit(directory, ['status', '--porcelain=v2', '--branch', '--', '.']),
    readAuthor(directory, 'HEAD'),
  ]);
  const state = status === null ? null : parseStatus(status);
  if (state === null) return null;
  const unpushed = state.git.unpushed ?? (await unpushedCommits(directory));
  return {
    ...state,
    git: { ...state.git, ...(author ? { author } : {}), ...(unpushed === undefined ? {} : { unpushed }) },
  };
}

/** The name of the author of `commit`, or null when it is not in the repository that `directory` is in. */
export async function readAuthor(directory: string, commit: string): Promise<string | null> {
  const name = await askGit(directory, ['log', '-1', '--format=%an', commit, '--']);
  return name?.trim().slice(0, 200) || null;
}

/** Where the branch follows no other: the commits that no remote is known to have. Undefined without any remote. */
async function unpushedCommits(directory: string): Promise<number | undefined> {
  const known = await askGit(directory, ['for-each-ref', '--count=1', 'refs/remotes']);
  if (!known?.trim()) return undefined;
  const commits = await askGit(directory, ['rev-list', '--count', 'HEAD', '--not', '--remotes']);
  return commits === null ? undefined : Number(commits);
}

/** What git prints in `directory`, or null when it fails, is not there or takes too long. */
export function askGit(directory: string, args: readonly string[]): Promise<string | null> {
  // A repository's own settings must not start programs only because we look.
  const safely = ['-c', 'core.fsmonitor=false', '-c', 'log.showSignature=false', '--no-optional-locks'];
  return new Promise((resolve) => {
    const options = { cwd: directory, timeout: patienceMs, maxBuffer: 64 * 1024 ** 2 };
    execFile('git', [...safely, ...args], options, (error, output) => resolve(error ? null : output));
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

/**
 * `state` with what the build service adds: the branch of a commit that was checked out by itself, and everything where
 * there is no repository, as for an artifact that another job has built. Pure.
 */
export function withCi(state: DirectoryState | null, ci: CiEnvironment | null): DirectoryState | null {
  if (ci === null) return state;
  const { commit, branch, author } = ci;
  if (state === null) {
    if (commit === undefined) return null;
    const known = { commit, ...(branch ? { branch } : {}), ...(author ? { author } : {}) };
    return { git: { ...known, dirty: false }, changes: 0 };
  }
  const same = commit === undefined || commit === state.git.commit;
  if (state.git.branch !== undefined || branch === undefined || !same) return state;
  return { ...state, git: { ...state.git, branch } };
}

/** A commit as people write it: `main 1a2b3c4-dirty`. Pure. */
export function commitText({ commit, branch, dirty }: Pick<GitState, 'commit' | 'branch' | 'dirty'>): string {
  return `${branch ? `${branch} ` : ''}${commit.slice(0, 7)}${dirty ? '-dirty' : ''}`;
}

/** The state in words, such as `at main 1a2b3c4-dirty, with 3 uncommitted changes and 2 unpushed commits`. Pure. */
export function describeState(state: DirectoryState | null): string {
  if (state === null) return '';
  const { changes, git } = state;
  const parts = [
    changes > 0 ? count(changes, 'uncommitted change') : '',
    git.unpushed ? count(git.unpushed, 'unpushed commit') : '',
  ].filter(Boolean);
  const at = `at ${commitText(git)}`;
  return parts.length === 0 ? at : `${at}, with ${parts.join(' and ')}`;
}
