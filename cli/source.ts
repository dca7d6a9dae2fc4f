/** From the settings to a pinned source: a commit, or a directory with its digest. */
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { CiRun, Source } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { digestSource, digestTree } from '../files/digest.ts';
import type { CiEnvironment } from './ci-environment.ts';
import type { Environment } from './config.ts';
import { bytes, count } from './format.ts';
import { describeState, readAuthor, readGitState, withCi } from './git-state.ts';
import { checkPushed } from './pushed.ts';
import type { Settings } from './settings.ts';

export type PreparedSource = {
  source: Source;
  /** Where the project's deployments come from. */
  origin: string;
  /** What is deployed, for people: `directory app (12 files, 340 kB) at main 1a2b3c4`. */
  description: string;
  /** What the plane may have to be sent. */
  upload: { digest: string; bytes: number; pack(): Promise<() => Readable> } | null;
  /** The output directory of `--prebuilt`. */
  prebuilt: string | null;
  /** What should be said before it is deployed. */
  warnings: string[];
};

/**
 * Pins the source. `directory` is where the project is; `top` what is sent of it where no repository is named (itself,
 * or the workspace that it is a package of); `prebuilt` an absolute directory.
 * Throws `SOURCE_UNAVAILABLE`, `SOURCE_REFUSED`, `TOO_LARGE`.
 */
export async function prepareSource(request: {
  settings: Settings;
  directory: string;
  top: string;
  prebuilt: string | null;
  environment: Environment;
  /** What the build service says of the code, if one runs this. */
  ci: CiEnvironment | null;
  hosted: boolean;
}): Promise<PreparedSource> {
  if (request.prebuilt !== null) return prebuiltSource(request.directory, request.prebuilt, request.ci);
  if (request.settings.repository) return repositorySource(request);
  refuseHome(request.top, request.environment);
  return directorySource(request);
}

/** A person's home directory holds keys, and takes minutes to read. */
function refuseHome(top: string, { forChildren }: Environment): void {
  if (forChildren.HOME === undefined || path.relative(forChildren.HOME, top) !== '') return;
  throw new SphereError('USAGE', `${top} is your home directory: it is not deployed.`, {
    hint: 'Name the directory of the site: `sphere deploy DIR`.',
  });
}

/** What the plane on this machine writes while it packs would never be as it was looked at. */
function refuseData(top: string, entries: readonly { path: string }[], { home }: Environment): void {
  const data = path.relative(top, home).split(path.sep).join('/');
  if (data.startsWith('..') || !entries.some((entry) => entry.path.startsWith(`${data}/`))) return;
  throw new SphereError(
    'USAGE',
    `${top} holds the data of the plane on this machine, in ${data}: it is not deployed.`,
    {
      hint: 'Name the directory of the site (`sphere deploy DIR`), or leave the data out with a line in .sphereignore.',
    },
  );
}

/** The part of `ci` that is about the run and not about the code. */
function runOf(ci: CiEnvironment | null): { ci?: CiRun } {
  if (ci === null) return {};
  const { service, pullRequest, url } = ci;
  return { ci: { service, ...(pullRequest ? { pullRequest } : {}), ...(url ? { url } : {}) } };
}

async function directorySource({
  directory,
  top,
  ci,
  environment,
}: {
  directory: string;
  top: string;
  ci: CiEnvironment | null;
  environment: Environment;
}): Promise<PreparedSource> {
  const [{ digest, bytes: size, entries }, seen] = await Promise.all([digestSource(top), readGitState(top)]);
  if (entries.length === 0) {
    throw new SphereError(
      'USAGE',
      `There is nothing to deploy in ${top}: it holds no file that would be sent.`,
      {
        hint: 'Name the directory with the project. `.git`, node_modules, `.env` files and what .gitignore names are not sent.',
      },
    );
  }
  refuseData(top, entries, environment);
  const state = withCi(seen, ci);
  const git = { ...(state ? { git: state.git } : {}), ...runOf(ci) };
  const inWorkspace = top === directory ? '' : ` in the workspace ${top}`;
  const holds = `${count(entries.length, 'file')}, ${bytes(size)}`;
  return {
    source: { kind: 'upload', digest, ...git },
    origin: directory,
    description: `directory ${directory}${inWorkspace} (${holds}) ${describeState(state)}`.trimEnd(),
    upload: {
      digest,
      bytes: size,
      pack: async () => {
        const { packSource } = await import('../files/archive.ts');
        return () => packSource(top, entries);
      },
    },
    prebuilt: null,
    warnings: [],
  };
}

async function prebuiltSource(
  directory: string,
  prebuilt: string,
  ci: CiEnvironment | null,
): Promise<PreparedSource> {
  const [{ digest, bytes: size, entries }, seen] = await Promise.all([
    digestTree(prebuilt),
    readGitState(directory),
  ]);
  if (entries.length === 0) {
    throw new SphereError('USAGE', `There is nothing to publish in ${prebuilt}: it is empty.`, {
      hint: 'Name the directory that holds the built site, once it is built: --prebuilt DIR.',
    });
  }
  const state = withCi(seen, ci);
  const holds = `${count(entries.length, 'file')}, ${bytes(size)}`;
  return {
    source: { kind: 'prebuilt', digest, ...(state ? { git: state.git } : {}), ...runOf(ci) },
    origin: directory,
    description: `the built output ${prebuilt} (${holds}) ${describeState(state)}`.trimEnd(),
    upload: null,
    prebuilt,
    warnings: [],
  };
}

async function repositorySource(request: {
  settings: Settings;
  directory: string;
  environment: Environment;
  ci: CiEnvironment | null;
  hosted: boolean;
}): Promise<PreparedSource> {
  const { settings, directory, environment, ci, hosted } = request;
  const { resolveCommit } = await import('../files/resolve-commit.ts');
  const named = settings.repository?.value ?? '';
  // Git would take a relative path for a host name.
  const repository = /^\.{1,2}(?:\/|$)/.test(named) ? path.resolve(directory, named) : named;
  const ref = settings.ref?.value;
  const { commit, branch } = await resolveCommit(repository, ref, {
    environment: environment.forChildren,
    token: environment.variables.SPHERE_GIT_TOKEN,
    allowLocal: !hosted,
  });
  // Who names a ref has said what is meant.
  const left = ref === undefined ? await checkPushed(directory, repository, commit) : null;
  const author = await readAuthor(directory, commit);
  const name = ref ?? branch;
  return {
    source: {
      kind: 'git',
      repository,
      commit,
      ...(ref === undefined ? {} : { ref }),
      ...(branch === undefined ? {} : { branch }),
      ...(author ? { author } : {}),
      ...runOf(ci),
    },
    origin: repository,
    description: `${repository} at ${name && !commit.startsWith(name) ? `${name} ` : ''}${commit.slice(0, 7)}`,
    upload: null,
    prebuilt: null,
    warnings: left
      ? [
          `${count(left, 'uncommitted change')} in ${directory} will not be part of it; --no-repo uploads the directory.`,
        ]
      : [],
  };
}
