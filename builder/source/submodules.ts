/** Fetches the submodules of a checkout; on a hosted plane only from hosts that may be connected to, level by level. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { type Git, type GitResult, gitSaid } from '../../files/git-program.ts';
import { type PinnedHost, pinRepositoryHost } from '../../files/repository-host.ts';
import { checkRepository } from '../../files/repository-url.ts';

export type SubmodulesRequest = {
  repository: string;
  directory: string;
  /** The hosts that are the team's own, beside the public ones; null: any host will do. */
  gitHosts: readonly string[] | null;
  signal: AbortSignal;
  say: (text: string) => void;
  /** A git that connects to `pinned` and, of those hosts, to these addresses alone. */
  openPinned(pinned: readonly PinnedHost[]): Git;
};

/** A checkout inside a checkout inside …: somebody's mistake, or somebody's joke. */
const deepest = 5;

/** Throws SOURCE_UNAVAILABLE when they cannot be had, SOURCE_REFUSED for hosts that are not connected to. */
export async function updateSubmodules(
  git: Git,
  options: readonly string[],
  request: SubmodulesRequest,
): Promise<void> {
  const { directory, gitHosts, repository, signal, say } = request;
  if (!existsSync(join(directory, '.gitmodules'))) return;
  say('Fetching submodules.');
  const update = ['submodule', '--quiet', 'update', '--init', '--depth=1', '--jobs=4'];
  if (gitHosts !== null)
    return updateLevel(git, [...options, ...update], { ...request, gitHosts }, directory, 1);
  const result = await git.run(['-C', directory, ...options, ...update, '--recursive'], { signal });
  if (result.exitCode !== 0) throw notFetched(repository, result);
}

async function updateLevel(
  git: Git,
  update: readonly string[],
  request: SubmodulesRequest & { gitHosts: readonly string[] },
  directory: string,
  level: number,
): Promise<void> {
  if (!existsSync(join(directory, '.gitmodules'))) return;
  const { repository, gitHosts, signal } = request;
  if (level > deepest)
    throw new SphereError(
      'SOURCE_REFUSED',
      `The submodules of ${repository} are more than ${deepest} deep.`,
      {
        hint: 'Take one of them out of .gitmodules.',
      },
    );
  const pinned: PinnedHost[] = [];
  for (const url of await valuesOf(git, directory, 'url', signal)) {
    // Beside its parent, on the parent's own host, which is pinned already.
    if (/^\.\.?\//.test(url)) continue;
    const host = await pinRepositoryHost(checkRepository(url, { allowLocal: false }), gitHosts);
    if (host !== null) pinned.push(host);
  }
  const own = request.openPinned(pinned);
  try {
    const result = await own.run(['-C', directory, ...update], { signal });
    if (result.exitCode !== 0) throw notFetched(repository, result);
  } finally {
    own.close();
  }
  for (const path of await valuesOf(git, directory, 'path', signal))
    await updateLevel(git, update, request, join(directory, path), level + 1);
}

/** The values of `key` of every submodule. */
async function valuesOf(git: Git, directory: string, key: string, signal: AbortSignal): Promise<string[]> {
  const found = await git.run(
    [
      '-C',
      directory,
      'config',
      '--file',
      '.gitmodules',
      '--null',
      '--get-regexp',
      `^submodule\\..*\\.${key}$`,
    ],
    { signal },
  );
  return found.stdout
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => entry.slice(entry.indexOf('\n') + 1));
}

function notFetched(repository: string, result: GitResult): SphereError {
  return new SphereError('SOURCE_UNAVAILABLE', `git could not fetch the submodules of ${repository}.`, {
    hint: 'Check that their addresses in .gitmodules are https or ssh and may be read from here. A token goes to the host of the repository only.',
    details: gitSaid(result),
  });
}
