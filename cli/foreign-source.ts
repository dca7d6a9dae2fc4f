/**
 * Whose code is about to run on this machine. The embedded plane builds here, so that a repository which is not the user's
 * own is asked about first; who has agreed to one of an owner is not asked about that owner again.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SphereError } from '../contract/errors.ts';
import type { IsolationMode } from '../contract/words.ts';
import { bubblewrapProbe, findBubblewrap, tryBubblewrap } from '../files/bubblewrap.ts';
import { checkRepository } from '../files/repository-url.ts';
import type { Context } from './command.ts';

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
  const remotes = await remotesOf(source.directory, environment.forChildren);
  if (remotes.some((remote) => isSame(remote, repository))) return;
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

/** `host/owner`, as in `github.com/someone`; null for a repository of this machine. */
export function ownerOf(repository: string): string | null {
  const parts = partsOf(repository);
  if (parts === null) return null;
  return [parts.host, ...parts.names.slice(0, Math.max(1, parts.names.length - 1))].join('/').toLowerCase();
}

/** Whether two addresses name one repository: by https or ssh, with `.git` or without. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [partsOf(one), partsOf(other)];
  if (a === null || b === null) return one === other;
  return [a.host, ...a.names].join('/').toLowerCase() === [b.host, ...b.names].join('/').toLowerCase();
}

/** The port is part of the host but for ssh, which has one of its own. */
function partsOf(repository: string): { host: string; names: string[] } | null {
  const names = (text: string) =>
    text
      .replace(/\.git\/?$/, '')
      .split('/')
      .filter((part) => part !== '');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(repository)) {
    if (!URL.canParse(repository)) return null;
    const url = new URL(repository);
    if (url.protocol === 'file:') return null;
    return { host: url.protocol === 'ssh:' ? url.hostname : url.host, names: names(url.pathname) };
  }
  const scp = /^(?:[^/@:]+@)?([^/:]+):(.*)$/.exec(repository);
  return scp === null ? null : { host: scp[1] as string, names: names(scp[2] as string) };
}

function remotesOf(directory: string, environment: NodeJS.ProcessEnv): Promise<string[]> {
  const args = ['config', '--get-regexp', '^remote\\..*\\.url$'];
  return new Promise((resolve) => {
    execFile('git', args, { cwd: directory, env: environment, timeout: 5_000 }, (error, output) => {
      resolve(error ? [] : output.split('\n').map((line) => line.replace(/^\S+\s+/, '')));
    });
  });
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
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const file = path.join(home, agreedFile);
  writeFileSync(`${file}.draft`, `${JSON.stringify({ owners: [...new Set(owners)].sort() }, null, 2)}\n`, {
    mode: 0o600,
  });
  renameSync(`${file}.draft`, file);
}
