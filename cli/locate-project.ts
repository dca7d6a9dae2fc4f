/**
 * Finds the project that a command means, so that it does not matter from where it is called: a package of a monorepo is
 * the same project from its own directory and from the top.
 */
import { existsSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { BuildSettings } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import { mergeConfigurations } from '../files/merge-configurations.ts';
import { configurationName, type ProjectDirectory, readProjectDirectory } from './directory.ts';
import { planDirectory } from './planned-source.ts';
import type { Setting } from './settings.ts';
import { isWorkspaceTop, relativePath, workspaceTop } from './workspace.ts';

export type ProjectPlace = ProjectDirectory & {
  /** What an upload sends: the directory itself, or the workspace or repository around it; absolute. */
  top: string;
  /** Where in `top` the directory is, and why it is that one; null when it is `top`. */
  root: Setting<string> | null;
};

type Wish = {
  /** `--root` or SPHERE_ROOT_DIRECTORY, relative to where the command was called. */
  root: Setting<string> | null;
  /** What flags and environment say of the build: a command or an output that is named is the top's own. */
  build: BuildSettings;
  /** For the program that is asked what a build would find. */
  environment: NodeJS.ProcessEnv;
  /** Nothing is going to be built: what makes planning fail does not matter. */
  lenient?: boolean;
};

/**
 * The project at `start`: at the directory below it that a flag, its `sphere.json` or, at the top of a workspace, the
 * planning of a build names. `directory`, `configuration` and `facts` are of that directory.
 * Throws as `readProjectDirectory`, and CONFIGURATION_INVALID for a workspace with several sites.
 */
export async function locateProject(start: string, wish: Wish): Promise<ProjectPlace> {
  const outer = await readProjectDirectory(start);
  if (wish.root !== null) return inside(outer, wish.root);
  const { rootDirectory } = outer.configuration;
  if (rootDirectory !== undefined) return inside(outer, { value: rootDirectory, from: configurationName });
  const top = workspaceTop(outer.directory);
  if (top !== null) return inside(await readProjectDirectory(top), placeIn(top, outer.directory));
  const above = await namedFromAbove(outer.directory);
  if (above !== null)
    return inside(above, { value: relativePath(above.directory, outer.directory), from: configurationName });
  const planned = isWorkspaceTop(outer.directory) ? await plannedRoot(outer, wish) : null;
  return planned === null ? { ...outer, top: outer.directory, root: null } : inside(outer, planned);
}

const placeIn = (top: string, directory: string): Setting<string> => ({
  value: relativePath(top, directory),
  from: `the package's place in the workspace ${top}`,
});

/** The project at `root` below `outer`, with the settings of both files. What is not there, the build will say. */
async function inside(outer: ProjectDirectory, root: Setting<string>): Promise<ProjectPlace> {
  const named = path.join(outer.directory, root.value);
  if (!statSync(named, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SphereError(
      'USAGE',
      `${root.from} names the directory ${root.value}, and there is none at ${named}.`,
      {
        hint: `Name a directory below ${outer.directory}.`,
      },
    );
  }
  const directory = realpathSync(named);
  if (directory === outer.directory) return { ...outer, top: directory, root: null };
  const inner = await readProjectDirectory(directory);
  const workspace = workspaceTop(directory);
  const top = workspace ?? workspaceTop(outer.directory) ?? outer.directory;
  // A directory that is no package of its own, such as `site`, has no name that means anything.
  const isNamed = workspace !== null || inner.facts.packageName !== null;
  return {
    directory,
    configuration: mergeConfigurations(
      outer.configuration,
      inner.configuration,
      relativePath(outer.directory, directory),
    ),
    facts: isNamed ? inner.facts : outer.facts,
    top,
    root: { value: relativePath(top, directory), from: root.from },
  };
}

/** The directory above whose `sphere.json` names `directory` as its root directory; the search ends at the repository's top. */
async function namedFromAbove(directory: string): Promise<ProjectDirectory | null> {
  for (let at = directory; !existsSync(path.join(at, '.git')) && at !== path.dirname(at); ) {
    at = path.dirname(at);
    if (!existsSync(path.join(at, configurationName))) continue;
    const found = await readProjectDirectory(at);
    const { rootDirectory } = found.configuration;
    if (rootDirectory !== undefined && path.join(at, rootDirectory) === directory) return found;
  }
  return null;
}

/** At the top of a workspace: the only package with a site, as the build would find it. */
async function plannedRoot(
  { directory, configuration }: ProjectDirectory,
  { build, environment, lenient }: Wish,
): Promise<Setting<string> | null> {
  if (configuration.repository !== undefined) return null;
  try {
    const { detections } = await planDirectory(directory, build, environment);
    const found = detections.find(({ what }) => what === 'root directory');
    return found === undefined ? null : { value: found.value, from: found.why };
  } catch (error) {
    if (lenient && error instanceof SphereError) return null;
    throw error;
  }
}
