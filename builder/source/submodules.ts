/** Fetches the submodules of a checkout; on a hosted plane only from hosts that may be connected to, level by level. */
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { type Git, gitSaid } from '../../files/git-program.ts';
import type { PinnedHost } from '../../files/repository-host.ts';
import { checkRepository, type Repository } from '../../files/repository-url.ts';
import { isRelativeUrl, resolveRelativeUrl } from './relative-url.ts';

/** Checks the host of a repository; null: it needs no pin. Throws SOURCE_REFUSED, SOURCE_UNAVAILABLE. */
export type PinRepository = (repository: Repository) => Promise<PinnedHost | null>;

export type SubmodulesRequest = {
  /** What is checked out in `directory`. */
  repository: Repository;
  directory: string;
  /** Null: any host will do. */
  pin: PinRepository | null;
  signal: AbortSignal;
  say: (text: string) => void;
  /** A git that connects to `pinned` and, of those hosts, to these addresses alone. */
  openPinned(pinned: readonly PinnedHost[]): Git;
};

type PinningRequest = SubmodulesRequest & { pin: PinRepository };

type Submodule = { name: string; path: string; repository: Repository; pinned: PinnedHost | null };

/** A checkout inside a checkout inside …: somebody's mistake, or somebody's joke. */
const deepest = 5;

/** Throws SOURCE_UNAVAILABLE when they cannot be had, SOURCE_REFUSED for hosts that are not connected to. */
export async function updateSubmodules(
  git: Git,
  options: readonly string[],
  request: SubmodulesRequest,
): Promise<void> {
  const { directory, pin, repository, signal, say } = request;
  if (!existsSync(join(directory, '.gitmodules'))) return;
  say('Fetching submodules.');
  const update = [...options, 'submodule', '--quiet', 'update', '--init', '--depth=1', '--jobs=4'];
  if (pin !== null) return updateLevel(git, update, { ...request, pin }, 1);
  const result = await git.run(['-C', directory, ...update, '--recursive'], { signal });
  if (result.exitCode !== 0) throw notFetched(repository, gitSaid(result));
}

async function updateLevel(
  git: Git,
  update: readonly string[],
  request: PinningRequest,
  level: number,
): Promise<void> {
  const { directory, signal } = request;
  if (!existsSync(join(directory, '.gitmodules'))) return;
  if (level > deepest) throw tooDeep(request.repository);
  const submodules = await readSubmodules(git, request);
  for (const { name, repository } of submodules) {
    // What was checked, in place of what git would make of .gitmodules.
    const set = ['-C', directory, 'config', `submodule.${name}.url`, repository.url];
    const result = await git.run(set, { signal });
    if (result.exitCode !== 0) throw notFetched(request.repository, gitSaid(result));
  }
  for (const group of byConnection(submodules)) await updateGroup(update, request, group);
  for (const { path, repository } of submodules) {
    const below = join(directory, path);
    if (!isCheckout(below)) continue;
    await updateLevel(git, update, { ...request, repository, directory: below }, level + 1);
  }
}

/** The submodules that the commit has, each at its whole address, checked and pinned. */
async function readSubmodules(git: Git, request: PinningRequest): Promise<Submodule[]> {
  const named = await readNames(git, request);
  const submodules: Submodule[] = [];
  for (const path of await readPaths(git, request)) {
    const entries = [...named].filter(([, entry]) => entry.path === path && entry.url !== undefined);
    if (entries.length === 0)
      throw notFetched(request.repository, [`${path} has no address in .gitmodules.`]);
    for (const [name, { url = '' }] of entries) {
      const repository = checkRepository(wholeUrl(request.repository, url), { allowLocal: false });
      submodules.push({ name, path, repository, pinned: await request.pin(repository) });
    }
  }
  return submodules;
}

function wholeUrl(parent: Repository, url: string): string {
  if (!isRelativeUrl(url)) return url;
  const whole = resolveRelativeUrl(parent.url, url);
  if (whole !== null) return whole;
  throw new SphereError('SOURCE_REFUSED', `The submodule ${url} of ${parent.url} leads out of its host.`, {
    hint: 'Give its whole address in .gitmodules.',
  });
}

/** What .gitmodules says, by the names of submodules. */
async function readNames(git: Git, { repository, directory, signal }: PinningRequest) {
  const wanted = '^submodule\\..*\\.(path|url)$';
  const read = ['config', '--file', '.gitmodules', '--null', '--get-regexp', wanted];
  const found = await git.run(['-C', directory, ...read], { signal });
  // 1: it has none.
  if (found.exitCode !== 0 && found.exitCode !== 1) throw notFetched(repository, gitSaid(found));
  const named = new Map<string, { path?: string; url?: string }>();
  for (const entry of found.stdout.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(entry) ?? [];
    if (name !== undefined) named.set(name, { ...named.get(name), [key as string]: value });
  }
  return named;
}

/** Where the commit has submodules: what .gitmodules says beside that may be any directory. */
async function readPaths(git: Git, { repository, directory, signal }: PinningRequest): Promise<string[]> {
  const listed = await git.run(['-C', directory, 'ls-files', '--stage', '-z'], { signal });
  if (listed.exitCode !== 0) throw notFetched(repository, gitSaid(listed));
  return listed.stdout
    .split('\0')
    .filter((entry) => entry.startsWith('160000 '))
    .map((entry) => entry.slice(entry.indexOf('\t') + 1));
}

/** Those that one git can fetch: all over http; over ssh, which is told where one host is, those of a host. */
function byConnection(submodules: readonly Submodule[]): Submodule[][] {
  const groups = new Map<string, Submodule[]>();
  for (const submodule of submodules) {
    const { transport, host } = submodule.repository;
    const key = transport === 'ssh' ? `ssh ${host}` : 'http';
    groups.set(key, [...(groups.get(key) ?? []), submodule]);
  }
  return [...groups.values()];
}

async function updateGroup(
  update: readonly string[],
  { repository, directory, signal, openPinned }: PinningRequest,
  group: readonly Submodule[],
): Promise<void> {
  const overSsh = group.some((submodule) => submodule.repository.transport === 'ssh');
  // No other transport: nothing else is pinned for this git.
  const environment = { GIT_ALLOW_PROTOCOL: overSsh ? 'ssh' : 'https:http', GIT_LITERAL_PATHSPECS: '1' };
  const git = openPinned(group.flatMap(({ pinned }) => pinned ?? []));
  try {
    const paths = group.map(({ path }) => path);
    const result = await git.run(['-C', directory, ...update, '--', ...paths], { signal, environment });
    if (result.exitCode !== 0) throw notFetched(repository, gitSaid(result));
  } finally {
    git.close();
  }
}

/** Whether git has made a checkout there: a commit can have no `.git` of its own, whose configuration runs programs. */
function isCheckout(directory: string): boolean {
  return lstatSync(join(directory, '.git'), { throwIfNoEntry: false })?.isFile() ?? false;
}

function tooDeep({ url }: Repository): SphereError {
  return new SphereError('SOURCE_REFUSED', `The submodules of ${url} are more than ${deepest} deep.`, {
    hint: 'Take one of them out of .gitmodules.',
  });
}

function notFetched({ url }: Repository, details: string[]): SphereError {
  return new SphereError('SOURCE_UNAVAILABLE', `git could not fetch the submodules of ${url}.`, {
    hint: 'Check that their addresses in .gitmodules are https or ssh and may be read from here. A token goes to the host of the repository only.',
    details,
  });
}
