/** Brings a commit of a Git repository into a directory, reusing objects that earlier deployments have fetched. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { type Environment, type Git, type GitResult, gitSaid, openGit } from '../../files/git-program.ts';
import { checkRepository } from '../../files/repository-url.ts';
import { readHint } from '../../files/resolve-commit.ts';
import { type ClonePlan, planClone } from './clone-plan.ts';
import { checkOutLfs } from './large-files.ts';

export type CloneRequest = {
  repository: string;
  commit: string;
  ref?: string | undefined;
  /** Made by the clone. */
  directory: string;
  /** Keeps one mirror per repository. */
  mirrors: string;
  allowLocal: boolean;
  /** For a private repository over https. */
  token?: string | undefined;
  /** The machine's environment, for git. */
  environment: Environment;
  signal: AbortSignal;
  say: (text: string) => void;
};

/** Throws SOURCE_REFUSED for an address that git must not see, SOURCE_UNAVAILABLE when the commit cannot be had. */
export async function cloneRepository(request: CloneRequest): Promise<void> {
  const repository = checkRepository(request.repository, { allowLocal: request.allowLocal });
  const plan = planClone(repository, request.commit, request.ref);
  const git = openGit({ environment: request.environment, repository, token: request.token });
  try {
    const objects = await fetchCommit(git, plan, request);
    await checkOut(git, request, objects);
    await updateSubmodules(git, request);
    await checkOutLfs(git, request);
  } finally {
    git.close();
  }
}

/** Returns the mirror that has the commit. */
async function fetchCommit(git: Git, plan: ClonePlan, request: CloneRequest): Promise<string> {
  const mirror = join(request.mirrors, plan.mirror);
  await openMirror(git, mirror, request);
  if (await has(git, mirror, plan.keptRef, request)) {
    request.say(`Commit ${short(request.commit)} is here from an earlier deployment.`);
    return mirror;
  }
  const fetched = await tryFetches(git, plan, mirror, request);
  if (fetched.ok) return mirror;
  if (!(await isLocked(mirror))) throw notFetched(request, fetched.last);
  // Another build fetches into the mirror right now, or was killed while it did: this one goes without.
  const own = join(`${request.directory}.git`);
  await openMirror(git, own, request);
  const alone = await tryFetches(git, plan, own, request);
  if (alone.ok) return own;
  throw notFetched(request, alone.last);
}

async function openMirror(git: Git, mirror: string, { signal }: CloneRequest): Promise<void> {
  if (existsSync(join(mirror, 'HEAD'))) return;
  mkdirSync(join(mirror, '..'), { recursive: true });
  // Made beside its place and moved there whole.
  const made = `${mirror}.${process.pid}.new`;
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

async function tryFetches(
  git: Git,
  plan: ClonePlan,
  mirror: string,
  request: CloneRequest,
): Promise<{ ok: true } | { ok: false; last: GitResult }> {
  const { signal, commit } = request;
  let first: GitResult | null = null;
  for (const { args } of plan.fetches) {
    const result = await git.run(['-C', mirror, ...args], { signal });
    first ??= result;
    if (result.exitCode !== 0) continue;
    // A fetch by ref may have brought another commit.
    const kept = await git.run(['-C', mirror, 'update-ref', plan.keptRef, commit], { signal });
    if (kept.exitCode === 0) return { ok: true };
  }
  return { ok: false, last: first as GitResult };
}

/** After this long a lock file's owner is gone: git holds them for as long as it writes a few lines. */
const staleLockMs = 10 * 60_000;

async function isLocked(mirror: string): Promise<boolean> {
  const locks = readdirSync(mirror, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.lock'),
  );
  for (const path of locks) {
    const lock = join(mirror, path);
    const { mtimeMs } = statSync(lock, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > staleLockMs) rmSync(lock, { force: true });
  }
  return locks.length > 0;
}

/** Makes a repository that borrows the mirror's objects: builds read `git log`, and copying would take time. */
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

async function updateSubmodules(
  git: Git,
  { directory, signal, say, repository }: CloneRequest,
): Promise<void> {
  if (!existsSync(join(directory, '.gitmodules'))) return;
  say('Fetching submodules.');
  const result = await git.run(
    [
      ...['-C', directory, ...withoutLfs],
      ...['submodule', '--quiet', 'update', '--init', '--recursive', '--depth=1', '--jobs=4'],
    ],
    { signal },
  );
  if (result.exitCode === 0) return;
  throw new SphereError('SOURCE_UNAVAILABLE', `git could not fetch the submodules of ${repository}.`, {
    hint: 'Check that their addresses in .gitmodules are https or ssh and may be read from here. A token goes to the host of the repository only.',
    details: gitSaid(result),
  });
}

function notFetched({ repository, commit, ref }: CloneRequest, result: GitResult): SphereError {
  const what = ref === undefined ? commit : `${ref} (${short(commit)})`;
  return new SphereError('SOURCE_UNAVAILABLE', `git could not fetch ${what} from ${repository}.`, {
    hint: readHint,
    details: gitSaid(result),
  });
}

/** A commit as people write it. */
export function short(commit: string): string {
  return commit.slice(0, 9);
}
