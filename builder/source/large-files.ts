/** Fetches the large files of a checkout (Git LFS), where it has any. */
import { join } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { type Git, gitSaid } from '../../files/git-program.ts';

export type LargeFilesRequest = {
  directory: string;
  mirrors: string;
  /** Where they are asked for; null: where the repository says. */
  lfsUrl: string | null;
  signal: AbortSignal;
  say: (text: string) => void;
};

/** Throws SOURCE_UNAVAILABLE when there are large files and they cannot be had: a site of pointers helps nobody. */
export async function checkOutLfs(git: Git, request: LargeFilesRequest): Promise<void> {
  const { directory, signal, say } = request;
  if (!(await usesLfs(git, request))) return;
  const version = await git.run(['lfs', 'version'], { signal });
  if (version.exitCode !== 0) {
    throw new SphereError(
      'SOURCE_UNAVAILABLE',
      'The repository keeps files in Git LFS, and git-lfs is not installed on the machine that builds.',
      { hint: 'Install git-lfs there, then deploy again.' },
    );
  }
  say('Fetching large files (Git LFS).');
  // Kept beside the mirrors, so that the next deployment finds them. In the checkout's own configuration: as `-c` it
  // would reach the program that reads a local repository too, which then looks for the repository's files here.
  await git.run(['-C', directory, 'config', 'lfs.storage', join(request.mirrors, 'lfs')], { signal });
  if (request.lfsUrl !== null)
    await git.run(['-C', directory, 'config', 'lfs.url', request.lfsUrl], { signal });
  const result = await git.run(['-C', directory, 'lfs', 'pull'], { signal });
  if (result.exitCode === 0) return;
  throw new SphereError('SOURCE_UNAVAILABLE', 'git-lfs could not fetch the large files of the repository.', {
    hint: 'Check that the repository has not used up its LFS quota and that the credential may read LFS.',
    details: gitSaid(result),
  });
}

/** Whether a path of the checkout goes through LFS. git reads the attributes itself: it follows no link to do so. */
async function usesLfs(git: Git, { directory, signal }: LargeFilesRequest): Promise<boolean> {
  const listed = await git.run(['-C', directory, 'ls-files', '-z', '--', ':(attr:filter=lfs)'], { signal });
  return listed.stdout !== '';
}
