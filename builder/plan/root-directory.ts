/** Decides which directory of the source is built: the one that is named, the top, or the only one with a site. */
import type { BuildSettings } from '../../contract/configuration.ts';
import { SphereError } from '../../contract/errors.ts';
import type { Framework, Project } from './framework.ts';
import { findFramework, isRunHere } from './frameworks.ts';
import { companions } from './generators.ts';
import { findNxProject, type NxProject, nxApplications, packageOfNxProject } from './nx.ts';
import { type PackageJson, readPackageJson } from './package-json.ts';
import { joinPath, type SourceFiles } from './source-files.ts';
import { findPackages, findWorkspace, type Workspace } from './workspace.ts';

export type Root = {
  directory: string;
  /** Why this one, when it is not simply the top. */
  why: string | null;
  packageJson: PackageJson | null;
  workspace: Workspace | null;
  /** It is a project of Nx, which builds it. */
  nx: NxProject | null;
};

/** Throws CONFIGURATION_INVALID when the named directory is not there, or when several have a site. */
export async function chooseRoot(files: SourceFiles, settings: BuildSettings): Promise<Root> {
  if (settings.rootDirectory !== undefined) {
    const directory = joinPath(settings.rootDirectory.replace(/\/+$/, ''));
    if ((await files.list(directory)).length === 0) throw await missingRoot(files, directory);
    return rootAt(files, directory, directory === '.' ? null : 'as asked for');
  }
  const top = await rootAt(files, '.', null);
  const applications = await nxApplications(files);
  if (settings.buildCommand !== undefined || settings.outputDirectory !== undefined) return top;
  // Nx has the packages of all its projects at the top, so that the top looks like a site.
  if (applications.length === 0 && (await isSite(files, top, settings))) return top;
  const sites =
    applications.length > 0
      ? applications.map((directory) => ({ directory, framework: { name: 'Nx' } }))
      : await sitesBelow(files, settings);
  const [only, second] = sites;
  if (only === undefined) return top;
  if (second !== undefined) {
    throw new SphereError(
      'CONFIGURATION_INVALID',
      `This source has ${sites.length} directories with a site, and none at its top.`,
      {
        hint: `Choose one with --root, such as \`--root ${only.directory}\`, or with "rootDirectory" in sphere.json.`,
        details: sites.map((site) => `${site.directory} (${site.framework.name})`),
      },
    );
  }
  const why = `the only directory with a site (${only.framework.name})`;
  return rootAt(files, only.directory, why);
}

async function rootAt(files: SourceFiles, directory: string, why: string | null): Promise<Root> {
  const nx = await findNxProject(files, directory);
  const own = await readPackageJson(files, directory);
  if (nx !== null && (own === null || (nx.isApplication && own.scripts[nx.target] === undefined))) {
    const workspace = { directory: nx.top, packageJson: nx.topPackageJson, members: [directory] };
    const dependencies = own?.dependencies ?? {};
    const packageJson = { ...packageOfNxProject(directory, nx), dependencies };
    return { directory, why, packageJson, workspace, nx };
  }
  const workspace = own === null ? null : await findWorkspace(files, directory);
  return { directory, why, packageJson: own, workspace, nx };
}

/** A project with its dependencies and those of its workspace. */
export function projectAt(files: SourceFiles, root: Root, packageJson: PackageJson): Project {
  return {
    files,
    directory: root.directory,
    packageJson,
    dependencies: {
      ...root.workspace?.packageJson?.dependencies,
      ...packageJson.peerDependencies,
      ...packageJson.dependencies,
    },
  };
}

/** Whether the top itself is what should be built. A workspace's `build` script usually builds its members. */
async function isSite(files: SourceFiles, top: Root, settings: BuildSettings): Promise<boolean> {
  if (await files.exists('index.html')) return true;
  const { packageJson, workspace } = top;
  if (packageJson === null) return false;
  if (packageJson.scripts.build !== undefined && workspace === null) return true;
  const project = projectAt(files, top, packageJson);
  const found = await findFramework(project, settings.framework);
  return found !== null && (workspace === null || isRunHere(found.framework, project));
}

async function sitesBelow(
  files: SourceFiles,
  settings: BuildSettings,
): Promise<{ directory: string; framework: Framework }[]> {
  const sites: { directory: string; framework: Framework }[] = [];
  for (const directory of await findPackages(files, '.', 3)) {
    if (directory === '.') continue;
    const root = await rootAt(files, directory, null);
    if (root.packageJson === null) continue;
    const project = projectAt(files, root, root.packageJson);
    const found = await findFramework(project, settings.framework);
    if (found === null) continue;
    // A plug-in depends on the framework that it is for, and no script of its own runs that.
    if (root.packageJson.isLibrary && !isRunHere(found.framework, project)) continue;
    sites.push({ directory, framework: found.framework });
  }
  // Packages show themselves in a Storybook of their own; the site is what they are made for.
  const others = sites.filter(({ framework }) => !companions.includes(framework));
  return others.length > 0 ? others : sites;
}

async function missingRoot(files: SourceFiles, directory: string): Promise<SphereError> {
  const packages = (await findPackages(files, '.', 3)).filter((path) => path !== '.');
  const entries = (await files.list('.')).filter((entry) => entry.kind === 'directory');
  const seen = packages.length > 0 ? packages : entries.map((entry) => entry.name);
  return new SphereError(
    'CONFIGURATION_INVALID',
    `The root directory "${directory}" is not in the source, or empty.`,
    {
      hint: `Directories that are there: ${seen.slice(0, 20).join(', ') || 'none'}.`,
    },
  );
}
