/**
 * Whose code is about to run on this machine. The embedded plane builds here, so that a repository which is not the user's
 * own is asked about first; who has agreed to one of an owner is not asked about that owner again.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SphereError } from '../contract/errors.ts';
import type { IsolationMode } from '../contract/words.ts';
import { bubblewrapProbe, findBubblewrap, tryBubblewrap } from '../files/bubblewrap.ts';
import { makeDataDirectory } from '../files/make-directory.ts';
import { checkRepository } from '../files/repository-url.ts';
import type { Context } from './command.ts';
import { ownerOf, remotesOf, sameRepository } from './repository-address.ts';

export type ForeignSource = {
  /** As it was named. */
  repository: string;
  /** Whose remotes are the user's own repositories. */
  directory: string;
  /** The embedded plane's data directory. */
  home: string;
  isolation: IsolationMode;
};

/** Beside the plane's files: `{ owners: ["github.com/someone"] }`. */
const agreedFile = 'agreed-sources.json';

/**
 * Resolves when the repository may be built here. Throws INPUT_NEEDED where nobody can be asked, INTERRUPTED for a no.
 * `--yes` agrees to this deployment alone.
 */
export async function agreeToSource(context: Context, source: ForeignSource): Promise<void> {
  const { environment, output, prompts, yes } = context;
  const { repository, home } = source;
  const owner = ownerOf(repository);
  if (owner === null) return;
  // What cannot be cloned is not asked about.
  checkRepository(repository, { allowLocal: true });
  const remotes = await remotesOf(source.directory);
  if (remotes.some(({ url }) => sameRepository(url, repository))) return;
  if (readAgreed(home).includes(owner)) return;

  const how = await howItRuns(source.isolation, environment.forChildren);
  const what = `This builds code of ${repository} on this machine, ${how}.`;
  if (yes) return output.note(`${what} --yes agrees to it.`);
  if (prompts === null) {
    throw new SphereError('INPUT_NEEDED', what, {
      hint: `Add --yes if you trust ${owner}. A repository that is a remote of the directory is not asked about.`,
    });
  }
  if (!(await prompts.confirm(`${what} Go on, and trust ${owner} from now on?`, false))) {
    throw new SphereError('INTERRUPTED', 'Nothing was built.');
  }
  writeAgreed(home, [...readAgreed(home), owner]);
}

/** What will most likely be; the log of the deployment says what was. */
async function howItRuns(isolation: IsolationMode, environment: NodeJS.ProcessEnv): Promise<string> {
  const as = 'not isolated: as you, with all that you may read and change';
  if (isolation === 'never') return as;
  const program = process.platform === 'linux' ? findBubblewrap(environment.PATH) : null;
  const works = program !== null && 'works' in (await tryBubblewrap(program, bubblewrapProbe));
  return works ? 'isolated from your files, with access to the network' : as;
}

function readAgreed(home: string): string[] {
  try {
    const { owners } = JSON.parse(readFileSync(path.join(home, agreedFile), 'utf8')) as { owners?: unknown };
    return Array.isArray(owners) ? owners.filter((owner) => typeof owner === 'string') : [];
  } catch {
    return [];
  }
}

function writeAgreed(home: string, owners: string[]): void {
  makeDataDirectory(home);
  const file = path.join(home, agreedFile);
  writeFileSync(`${file}.draft`, `${JSON.stringify({ owners: [...new Set(owners)].sort() }, null, 2)}\n`, {
    mode: 0o600,
  });
  renameSync(`${file}.draft`, file);
}
