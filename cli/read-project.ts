/** What `sphere deploy` is about: the project's directory, what is sent of what is around it, and its settings. */
import path from 'node:path';
import type { Configuration } from '../contract/configuration.ts';
import { checkSettings } from './check-settings.ts';
import type { Context } from './command.ts';
import { type ProjectDirectory, readProjectDirectory } from './directory.ts';
import { locateProject } from './locate-project.ts';
import { buildValues, namedRoot, resolveSettings, type SettingFlags, type Settings } from './settings.ts';

type ReadProject = { directory: string; top: string; settings: Settings; configuration: Configuration };

/**
 * The project and its settings; for a repository, which is elsewhere, those that are written here. Throws `USAGE` and
 * `CONFIGURATION_INVALID` for what the schema of `sphere.json` does not take, by the name of its flag or variable.
 */
export async function readProject(
  { environment, directory: here }: Context,
  named: string | undefined,
  options: SettingFlags,
): Promise<ReadProject> {
  const { variables, forChildren } = environment;
  const start = path.resolve(here, named ?? '.');
  const resolve = ({ configuration, facts }: Pick<ProjectDirectory, 'configuration' | 'facts'>) =>
    resolveSettings({ flags: options, variables, file: configuration, facts });
  const above = resolve({ configuration: {}, facts: { packageName: null, directoryName: '' } });
  // A root directory is relative to where the command was called, until the place of the project is known.
  await checkSettings({ region: above.region, ...above.build, rootDirectory: null });
  if (options.repo || variables.SPHERE_REPOSITORY) {
    const project = await readProjectDirectory(start);
    const { directory, configuration } = project;
    await checkSettings({ rootDirectory: above.build.rootDirectory });
    return { directory, top: directory, settings: resolve(project), configuration };
  }
  const place = await locateProject(start, {
    root: namedRoot(options, variables),
    build: buildValues(above.build),
    environment: forChildren,
    lenient: options.prebuilt !== undefined,
  });
  await checkSettings({ rootDirectory: place.root });
  const settings = resolve(place);
  const { directory, top, root, configuration } = place;
  const read = { directory, top, settings, configuration };
  if (settings.repository || options.prebuilt !== undefined) return read;
  const { rootDirectory: _, ...build } = settings.build;
  return { ...read, settings: { ...settings, build: root ? { ...build, rootDirectory: root } : build } };
}
