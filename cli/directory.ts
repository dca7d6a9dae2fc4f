/** Reads what a directory tells about its project: `sphere.json`, package.json, its own name. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Configuration, configurationFile } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import { fileError, withFile } from '../files/file-error.ts';
import { readLink } from './link.ts';
import type { DirectoryFacts } from './settings.ts';

// The name only: the module itself would load zod (see readConfiguration).
export const configurationName: typeof configurationFile = 'sphere.json';

export type ProjectDirectory = {
  /** Absolute, links followed. */
  directory: string;
  configuration: Configuration;
  facts: DirectoryFacts;
};

/** Throws `USAGE` when there is no such directory and `CONFIGURATION_INVALID` for a wrong `sphere.json`. */
export async function readProjectDirectory(directory: string): Promise<ProjectDirectory> {
  checkDirectory(directory, 'Name the directory to deploy.');
  const real = realpathSync(directory);
  return {
    directory: real,
    configuration: await readConfiguration(real),
    facts: readFacts(real),
  };
}

/** Throws `USAGE` with `hint` when there is no such directory. */
export function checkDirectory(directory: string, hint: string): void {
  const found = withFile({ what: directory, done: 'entered' }, () =>
    statSync(directory, { throwIfNoEntry: false }),
  );
  if (found?.isDirectory()) return;
  const what = found ? `${directory} is a file, not a directory.` : `There is no directory ${directory}.`;
  throw new SphereError('USAGE', what, { hint });
}

/** What names the project beside `sphere.json`. */
export function readFacts(directory: string): DirectoryFacts {
  return {
    packageName: packageName(directory),
    directoryName: path.basename(directory),
    linkedSlug: readLink(directory)?.slug ?? null,
  };
}

async function readConfiguration(directory: string): Promise<Configuration> {
  const text = readIfThere(path.join(directory, configurationName));
  if (text === null) return {};
  // Most directories have none, and the schema takes longer to load than the rest of the CLI.
  const { parseConfiguration } = await import('../files/configuration-file.ts');
  return parseConfiguration(text, configurationName);
}

function packageName(directory: string): string | null {
  try {
    const { name } = JSON.parse(readIfThere(path.join(directory, 'package.json')) ?? '{}') as {
      name?: unknown;
    };
    return typeof name === 'string' ? name : null;
  } catch {
    // The build will say what is wrong with it.
    return null;
  }
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(error, { what: file, done: 'read', code: 'CONFIGURATION_INVALID' }) ?? error;
  }
}
