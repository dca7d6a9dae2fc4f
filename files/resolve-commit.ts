/** Finds the commit that a branch, tag or HEAD of a repository stands for, without cloning it. */
import { closest, distance } from 'fastest-levenshtein';
import { SphereError } from '../contract/errors.ts';
import { type Environment, gitSaid, openGit } from './git-program.ts';
import { checkRef, checkRepository } from './repository-url.ts';

const wholeCommit = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export type ResolvedCommit = {
  commit: string;
  /** The branch that it was taken from, where the ref is one. */
  branch?: string;
};

export type ResolveOptions = {
  /** The machine's environment, for git. */
  environment: Environment;
  /** For a private repository over https. */
  token?: string | undefined;
  allowLocal?: boolean;
  signal?: AbortSignal;
};

/**
 * Asks `repository` for the commit of `ref` (a branch, a tag, a commit; its default branch when not given).
 * Throws SOURCE_REFUSED for addresses and names that git must not see, SOURCE_UNAVAILABLE when the repository cannot be
 * read or has no such ref, with the nearest names it has.
 */
export async function resolveCommit(
  repository: string,
  ref: string | undefined,
  options: ResolveOptions,
): Promise<ResolvedCommit> {
  const checked = checkRepository(repository, { allowLocal: options.allowLocal ?? false });
  if (ref !== undefined) checkRef(ref);
  // The fetch shows whether it exists; servers do not answer questions about a commit.
  if (ref !== undefined && wholeCommit.test(ref)) return { commit: ref };
  const git = openGit({ environment: options.environment, repository: checked, token: options.token });
  try {
    const result = await git.run(['ls-remote', ...wanted(ref, checked.url)], {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (result.exitCode !== 0) throw unreachable(repository, gitSaid(result));
    return chooseCommit(parseRefs(result.stdout), ref, repository);
  } finally {
    git.close();
  }
}

/** Asks for no more than is needed: hosts keep a ref for every pull request that there ever was. */
function wanted(ref: string | undefined, url: string): string[] {
  if (ref === undefined || ref === 'HEAD') return ['--symref', '--', url, 'HEAD'];
  if (/^refs\/(?!heads\/|tags\/)/.test(ref)) return ['--', url, ref];
  return ['--heads', '--tags', '--', url];
}

/** What `git ls-remote --symref` prints. */
export type RemoteRefs = {
  /** Full names to commits; annotated tags are already followed to theirs. */
  refs: Map<string, string>;
  /** The full name that HEAD stands for. */
  head: string | undefined;
};

export function parseRefs(output: string): RemoteRefs {
  const refs = new Map<string, string>();
  let head: string | undefined;
  for (const line of output.split('\n')) {
    const [value = '', name = ''] = line.split('\t');
    if (name === '') continue;
    if (value.startsWith('ref: ')) {
      if (name === 'HEAD') head = value.slice(5);
      continue;
    }
    // `name^{}` follows its annotated tag, and names the commit that the tag is put on.
    refs.set(name.endsWith('^{}') ? name.slice(0, -3) : name, value);
  }
  return { refs, head };
}

/** Picks the commit for `ref` among what the repository has. Pure. */
export function chooseCommit(
  { refs, head }: RemoteRefs,
  ref: string | undefined,
  repository: string,
): ResolvedCommit {
  if (ref === undefined || ref === 'HEAD') {
    const commit = refs.get('HEAD');
    if (commit === undefined) throw noHead(repository);
    return withBranch(commit, head);
  }
  const names = ref.startsWith('refs/') ? [ref] : [`refs/heads/${ref}`, `refs/tags/${ref}`, `refs/${ref}`];
  const found = names.filter((name) => refs.has(name));
  const commits = new Set(found.map((name) => refs.get(name)));
  if (commits.size > 1) {
    throw new SphereError('SOURCE_UNAVAILABLE', `${ref} is a branch and a tag of ${repository}.`, {
      hint: `Say which: ${found.join(' or ')}.`,
    });
  }
  const [name] = found;
  if (name !== undefined) return withBranch(refs.get(name) as string, name);
  if (/^[0-9a-f]{4,63}$/i.test(ref)) return byAbbreviation(refs, ref.toLowerCase(), repository);
  throw unknownRef(refs, ref, repository);
}

function withBranch(commit: string, name: string | undefined): ResolvedCommit {
  return name?.startsWith('refs/heads/') ? { commit, branch: name.slice('refs/heads/'.length) } : { commit };
}

/** A server tells only the tips of its branches and tags, so an abbreviation can be completed only to one of those. */
function byAbbreviation(refs: RemoteRefs['refs'], prefix: string, repository: string): ResolvedCommit {
  const tips = new Set([...refs.values()].filter((commit) => commit.startsWith(prefix)));
  const [commit] = tips;
  if (tips.size === 1 && commit !== undefined) return { commit };
  const seen = tips.size === 0 ? 'the tip of no branch or tag' : `the start of ${tips.size} commits`;
  throw new SphereError('SOURCE_UNAVAILABLE', `${prefix} is ${seen} of ${repository}.`, {
    hint: `Give the whole commit id: git rev-parse ${prefix}`,
  });
}

function unknownRef(refs: RemoteRefs['refs'], ref: string, repository: string): SphereError {
  const names = [...refs.keys()]
    .filter((name) => name.startsWith('refs/heads/') || name.startsWith('refs/tags/'))
    .map((name) => name.replace(/^refs\/(heads|tags)\//, ''));
  const nearest = names.length === 0 ? undefined : closest(ref, names);
  const sorted = [...new Set(names)].sort((a, b) => distance(ref, a) - distance(ref, b)).slice(0, 8);
  return new SphereError('SOURCE_UNAVAILABLE', `${repository} has no branch or tag ${ref}.`, {
    hint: nearest === undefined ? 'It has no branches yet.' : `Did you mean ${nearest}? Was it pushed?`,
    ...(sorted.length === 0 ? {} : { details: [`It has: ${sorted.join(', ')}`] }),
  });
}

function noHead(repository: string): SphereError {
  return new SphereError('SOURCE_UNAVAILABLE', `${repository} is empty or has no default branch.`, {
    hint: 'Push a commit, or name a branch with --ref.',
  });
}

function unreachable(repository: string, said: string[]): SphereError {
  return new SphereError('SOURCE_UNAVAILABLE', `git could not read ${repository}.`, {
    hint: readHint,
    details: said,
  });
}

/** What to try when a repository cannot be read. */
export const readHint =
  'Check the address and that this machine may read it. A private repository over https needs a token in SPHERE_GIT_TOKEN; over ssh, a key in the agent and the host in known_hosts.';
