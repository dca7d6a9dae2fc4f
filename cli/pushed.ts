/**
 * `--repo` builds what the remote has. Someone who works in a clone of that very repository, and has not pushed, is about
 * to deploy something else than they think.
 */
import { SphereError } from '../contract/errors.ts';
import { count } from './format.ts';
import { askGit, commitText, type DirectoryState, readGitState } from './git-state.ts';
import { remotesOf, sameRepository } from './repository-address.ts';

/** The commit that is checked out here is not on the repository that was named. The upload of the directory can be offered. */
export class NotPushed extends SphereError {
  constructor(repository: string, state: DirectoryState) {
    const { git } = state;
    const commits = git.unpushed ? `: ${count(git.unpushed, 'commit is', 'commits are')} not pushed` : '';
    super(
      'USAGE',
      `The commit ${commitText(git)}, which is checked out here, is not on ${repository}${commits}.`,
      {
        hint:
          'Push it (`git push`); or add --no-repo to upload this directory as it is, ' +
          'or --ref with a branch to build what the repository has.',
      },
    );
  }
}

/**
 * Checks that a deployment of `commit` from `repository` is what `directory` shows. Resolves with the number of changes
 * here that will not be part of it; null when the directory is no clone of the repository. Throws `NotPushed`.
 */
export async function checkPushed(
  directory: string,
  repository: string,
  commit: string,
): Promise<number | null> {
  const remotes = (await remotesOf(directory)).filter(({ url }) => sameRepository(url, repository));
  if (remotes.length === 0) return null;
  const state = await readGitState(directory);
  if (state === null) return null;
  if (state.git.commit === commit) return state.changes;
  const places = remotes.map(({ name }) => `refs/remotes/${name}/`);
  const known = await askGit(directory, ['for-each-ref', '--count=1', ...places]);
  // Nothing was ever fetched from there: nothing is known.
  if (!known?.trim()) return state.changes;
  const containing = await askGit(directory, [
    ...['for-each-ref', '--count=1', '--contains', 'HEAD'],
    ...places,
  ]);
  if (containing === null || containing.trim() !== '') return state.changes;
  throw new NotPushed(repository, state);
}
