/** Decides how a commit is fetched. Pure: `clone.ts` carries it out. */
import { createHash } from 'node:crypto';
import { checkRef, type Repository } from '../../files/repository-url.ts';

export type ClonePlan = {
  /** The name of the repository's mirror among the machine's. */
  mirror: string;
  /** The mirror's own name for the commit: it exists only when a fetch of it has ended well. */
  keptRef: string;
  /** Fetches to try in order, until the commit is there. */
  fetches: { args: string[]; why: string }[];
};

/** So many commits an `ignoreCommand` can look back, as on Vercel; they cost what has changed in them. */
const history = 10;

/**
 * A server may refuse to hand out a commit by its id; then comes the ref, and then everything. `ref` is what the person
 * wrote, and may have moved since.
 */
export function planClone(repository: Repository, commit: string, ref: string | undefined): ClonePlan {
  const keptRef = `refs/sphere/${commit}`;
  const fetch = (depth: string[], refspecs: string[]) => [
    'fetch',
    '--quiet',
    '--no-tags',
    '--no-write-fetch-head',
    '--no-auto-maintenance',
    '--no-recurse-submodules',
    '--force',
    ...depth,
    '--',
    repository.url,
    ...refspecs,
  ];
  const fetches = [
    { args: fetch([`--depth=${history}`], [`${commit}:${keptRef}`]), why: 'the commit by its id' },
  ];
  if (ref !== undefined && ref !== commit && ref !== 'HEAD') {
    fetches.push({
      args: fetch(['--depth=50'], [`${checkRef(ref)}:refs/sphere/seen`]),
      why: `the ref ${ref}`,
    });
  }
  fetches.push({
    args: fetch(
      ['--depth=2147483647'],
      ['refs/heads/*:refs/sphere/heads/*', 'refs/tags/*:refs/sphere/tags/*'],
    ),
    why: 'all branches and tags',
  });
  return {
    mirror: `${createHash('sha256').update(repository.url).digest('hex').slice(0, 24)}.git`,
    keptRef,
    fetches,
  };
}
