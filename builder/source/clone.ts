/** Brings a commit of a Git repository into a directory, reusing objects that earlier deployments have fetched. */

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { type Environment, type Git, type GitResult, gitSaid, openGit } from '../../files/git-program.ts';
import { lookupOnce, type PinnedHost, pinRepositoryHost } from '../../files/repository-host.ts';
import { checkRepository, type Repository } from '../../files/repository-url.ts';
import { readHint } from '../../files/resolve-commit.ts';
import { type ClonePlan, planClone } from './clone-plan.ts';
import { checkOutLfs } from './large-files.ts';
import { takeLock } from './lock-file.ts';
import { followRedirects } from './redirects.ts';
import { type PinRepository, updateSubmodules } from './submodules.ts';

export type CloneRequest = {
  repository: string;
  commit: string;
  ref?: string | undefined;
  /** Made by the clone. */
  directory: string;
  /** Keeps one mirror per repository. */
  mirrors: string;
  allowLocal: boolean;
  /** The hosts that are the team's own, beside the public ones; null: any host will do. */
  gitHosts: readonly string[] | null;
  /** For a private repository over https. */
  token?: string | undefined;
  /** The machine's environment, for git. */
  environment: Environment;
  signal: AbortSignal;
  say: (text: string) => void;
};

/** Throws SOURCE_REFUSED for an address that git must not see, SOURCE_UNAVAILABLE when the commit cannot be had. */
export async function cloneRepository(request: CloneRequest): Promise<void> {
  const named = checkRepository(request.repository, { allowLocal: request.allowLocal });
  const { gitHosts, environment, token, signal } = request;
  const pin = gitHosts === null ? null : pinFor(gitHosts);
  const repository = pin === null ? named : await followRedirects(named, await pin(named), signal);
  const plan = planClone(repository, request.commit, request.ref);
  const openPinned = (pinned: readonly PinnedHost[]) =>
    openGit({ environment, repository, token, pinned: pin === null ? undefined : pinned });
  // Once more: a redirect may have led to another port of the host.
  const host = await pin?.(repository);
  const git = openPinned(host ? [host] : []);
  try {
    const objects = await fetchCommit(git, plan, request);
    await checkOut(git, { ...request, repository: repository.url }, objects);
    await updateSubmodules(git, withoutLfs, { ...request, repository, pin, openPinned });
    await checkOutLfs(git, { ...request, lfsUrl: gitHosts === null ? null : lfsUrlOf(repository) });
  } finally {
    git.close();
  }
}

/** For all repositories of one clone. */
function pinFor(gitHosts: readonly string[]): PinRepository {
  const lookup = lookupOnce();
  return (repository) => pinRepositoryHost(repository, gitHosts, lookup);
}

/** Returns the bare repository that has the commit: the mirror, or one of this build's own while another uses that. */
async function fetchCommit(git: Git, plan: ClonePlan, request: CloneRequest): Promise<string> {
  const mirror = join(request.mirrors, plan.mirror);
  await openMirror(git, mirror, request);
  if (await has(git, mirror, plan.keptRef, request)) {
    request.say(`Commit ${short(request.commit)} is here from an earlier deployment.`);
    return mirror;
  }
  const unlock = takeLock(join(mirror, 'sphere.lock'));
  if (unlock === null) {
    const own = `${request.directory}.git`;
    await openMirror(git, own, request);
    await tryFetches(git, plan, own, request);
    return own;
  }
  try {
    removeLocks(mirror);
    await tryFetches(git, plan, mirror, request);
    return mirror;
  } finally {
    unlock();
  }
}

async function openMirror(git: Git, mirror: string, { signal }: CloneRequest): Promise<void> {
  if (existsSync(join(mirror, 'HEAD'))) return;
  mkdirSync(join(mirror, '..'), { recursive: true });
  // Made beside its place and moved there whole.
  const made = `${mirror}.${randomUUID()}`;
  const result = await git.run(['init', '--quiet', '--bare', '--template=', made], { signal });
  if (result.exitCode !== 0) throw new Error(`git init failed: ${gitSaid(result).join(' ')}`);
  try {
    renameSync(made, mirror);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    if (!existsSync(join(mirror, 'HEAD'))) throw error;
  }
}

async function has(git: Git, mirror: string, name: string, { signal }: CloneRequest): Promise<boolean> {
  const found = await git.run(['-C', mirror, 'rev-parse', '--quiet', '--verify', `${name}^{commit}`], {
    signal,
  });
  return found.exitCode === 0;
}

/** Throws SOURCE_UNAVAILABLE, with what git said to the first fetch, when none brings the commit. */
async function tryFetches(git: Git, plan: ClonePlan, mirror: string, request: CloneRequest): Promise<void> {
  const { signal, commit } = request;
  let first: GitResult | null = null;
  for (const { args } of plan.fetches) {
    const result = await git.run(['-C', mirror, ...args], { signal });
    first ??= result;
    if (result.exitCode !== 0) continue;
    // A fetch by ref may have brought another commit.
    const kept = await git.run(['-C', mirror, 'update-ref', plan.keptRef, commit], { signal });
    if (kept.exitCode === 0) return;
  }
  throw notFetched(request, first as GitResult);
}

/** Nobody else writes into the mirror now: git's own locks are of builds that were killed. */
function removeLocks(mirror: string): void {
  for (const path of readdirSync(mirror, { recursive: true, encoding: 'utf8' })) {
    if (path.endsWith('.lock') && path !== 'sphere.lock') rmSync(join(mirror, path), { force: true });
  }
}

/** Makes a repository that borrows the objects of another: builds read `git log`, and copying would take time. */
async function checkOut(git: Git, request: CloneRequest, mirror: string): Promise<void> {
  const { directory, commit, signal, repository } = request;
  const run = async (...args: string[]) => {
    const result = await git.run(['-C', directory, ...args], { signal });
    if (result.exitCode !== 0) {
      throw new SphereError('SOURCE_UNAVAILABLE', `git could not check out ${commit} of ${repository}.`, {
        hint: 'The lines above say why; a full disk or a damaged cache are the usual causes.',
        details: gitSaid(result),
      });
    }
  };
  mkdirSync(directory, { recursive: true });
  await run('init', '--quiet', '--template=');
  writeFileSync(join(directory, '.git', 'objects', 'info', 'alternates'), `${join(mirror, 'objects')}\n`);
  const shallow = join(mirror, 'shallow');
  if (existsSync(shallow)) writeFileSync(join(directory, '.git', 'shallow'), readFileSync(shallow));
  await run('config', 'remote.origin.url', repository);
  await run(...withoutLfs, 'checkout', '--quiet', '--force', '--detach', commit);
}

/** A machine where git-lfs is set up would fetch large files one by one; where it was removed, the checkout would fail. */
const withoutLfs = [
  '-c',
  'filter.lfs.smudge=',
  '-c',
  'filter.lfs.process=',
  '-c',
  'filter.lfs.required=false',
];

/** Where large files are asked for, whatever the repository's own .lfsconfig says. */
const lfsUrlOf = ({ url, transport }: Repository) =>
  transport === 'https' || transport === 'http'
    ? `${url.replace(/\/+$/, '').replace(/(\.git)?$/, '.git')}/info/lfs`
    : null;

function notFetched({ repository, commit, ref }: CloneRequest, result: GitResult): SphereError {
  const what = ref === undefined ? commit : `${ref} (${short(commit)})`;
  return new SphereError('SOURCE_UNAVAILABLE', `git could not fetch ${what} from ${repository}.`, {
    hint: isDamaged(result) ? damagedHint : readHint,
    details: gitSaid(result),
  });
}

const isDamaged = ({ stderr }: GitResult) =>
  /possible repository corruption|unable to read [0-9a-f]{40}/.test(stderr);
const damagedHint =
  'The repository lacks some of its own objects: `git fsck` in it says which. A fresh clone of its origin usually has them.';

/** A commit as people write it. */
export function short(commit: string): string {
  return commit.slice(0, 7);
}
