/** From the settings to a pinned source: a commit, or a directory with its digest. */
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { Source } from '../contract/api.ts';
import { digestSource, digestTree } from '../files/digest.ts';
import type { Environment } from './config.ts';
import { bytes, count } from './format.ts';
import { describeState, readGitState } from './git-state.ts';
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
  hosted: boolean;
}): Promise<PreparedSource> {
  if (request.prebuilt !== null) return prebuiltSource(request.directory, request.prebuilt);
  if (request.settings.repository) return repositorySource(request);
  return directorySource(request.directory, request.top);
}

async function directorySource(directory: string, top: string): Promise<PreparedSource> {
  const [{ digest, bytes: size, entries }, state] = await Promise.all([digestSource(top), readGitState(top)]);
  const git = state ? { git: state.git } : {};
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
  };
}

async function prebuiltSource(directory: string, prebuilt: string): Promise<PreparedSource> {
  const [{ digest, bytes: size, entries }, state] = await Promise.all([
    digestTree(prebuilt),
    readGitState(directory),
  ]);
  return {
    source: { kind: 'prebuilt', digest, ...(state ? { git: state.git } : {}) },
    origin: directory,
    description: `the built output ${prebuilt} (${count(entries.length, 'file')}, ${bytes(size)})`,
    upload: null,
    prebuilt,
  };
}

async function repositorySource(request: {
  settings: Settings;
  directory: string;
  environment: Environment;
  hosted: boolean;
}): Promise<PreparedSource> {
  const { settings, directory, environment, hosted } = request;
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
  const name = ref ?? branch;
  return {
    source: {
      kind: 'git',
      repository,
      commit,
      ...(ref === undefined ? {} : { ref }),
      ...(branch === undefined ? {} : { branch }),
    },
    origin: repository,
    description: `${repository} at ${name && !commit.startsWith(name) ? `${name} ` : ''}${commit.slice(0, 7)}`,
    upload: null,
    prebuilt: null,
  };
}
