/** Projects of an Nx workspace: named by a `project.json`, built by Nx, with an output that is often at the workspace's top. */
import { type PackageJson, readPackageJson } from './package-json.ts';
import { isInside, joinPath, type SourceFiles } from './source-files.ts';
import { upwards } from './workspace.ts';

export type NxProject = {
  /** Where `nx.json` is, and where packages are installed. */
  top: string;
  topPackageJson: PackageJson;
  name: string;
  /** Not a library: something that can be a site, or a server. */
  isApplication: boolean;
  /** What builds it. */
  target: string;
  /** Where that target leaves what it builds, relative to the source, best first. */
  outputs: string[];
};

/** The project that `directory` is by its `project.json`, or null. */
export async function findNxProject(files: SourceFiles, directory: string): Promise<NxProject | null> {
  const project = readJson(await files.read(joinPath(directory, 'project.json')));
  if (project === null) return null;
  for (const top of upwards(directory)) {
    if (!(await files.exists(joinPath(top, 'nx.json')))) continue;
    const topPackageJson = await readPackageJson(files, top);
    if (topPackageJson === null) return null;
    const name = typeof project.name === 'string' ? project.name : (directory.split('/').at(-1) ?? directory);
    const build = objectOf(objectOf(project.targets).build);
    const named = Object.keys(build).length > 0 ? 'build' : null;
    const target = named ?? (await inferredTarget(files, top, directory));
    return {
      top,
      topPackageJson,
      name,
      isApplication: project.projectType === 'application' && target !== null,
      target: target ?? 'build',
      outputs: outputsOf(build, { top, directory, name }),
    };
  }
  return null;
}

/** Plug-ins that give a project a target that builds it, by the configuration file that they look for. */
const inferring: Record<string, string> = {
  '@nx/vite': 'vite',
  '@nx/webpack': 'webpack',
  '@nx/rspack': 'rspack',
  '@nx/rsbuild': 'rsbuild',
  '@nx/next': 'next',
  '@nx/nuxt': 'nuxt',
  '@nx/react/router-plugin': 'react-router',
};

/** The target that a plug-in of the workspace gives the project, or null. What `nx add` sets up has no other. */
async function inferredTarget(files: SourceFiles, top: string, directory: string): Promise<string | null> {
  const { plugins } = readJson(await files.read(joinPath(top, 'nx.json'))) ?? {};
  const names = (await files.list(directory)).map(({ name }) => name);
  for (const item of Array.isArray(plugins) ? plugins : []) {
    const { plugin, options } = typeof item === 'string' ? { plugin: item } : objectOf(item);
    const config = inferring[String(plugin).replace(/\/plugin$/, '')];
    if (config === undefined || !names.some((name) => name.startsWith(`${config}.config.`))) continue;
    // Without a page, Vite's configuration is that of its tests.
    if (config === 'vite' && !names.includes('index.html')) continue;
    const { buildTargetName } = objectOf(options);
    return typeof buildTargetName === 'string' ? buildTargetName : 'build';
  }
  return null;
}

/** The package.json that stands for a project that has none: its `build` is what Nx builds. */
export function packageOfNxProject(directory: string, { name, topPackageJson }: NxProject): PackageJson {
  return {
    ...topPackageJson,
    path: joinPath(directory, 'project.json'),
    name,
    scripts: { build: 'nx build' },
    dependencies: {},
    peerDependencies: {},
    workspaces: [],
    homepage: null,
    isLibrary: false,
  };
}

/** What makes pages has one of these, and a server has none. */
const pages = ['index.html', 'src/index.html', 'public/index.html'];
const pageConfig = /^(?:next|nuxt|astro|rsbuild|react-router|docusaurus|svelte|gatsby)[.-]config\./;

async function makesPages(files: SourceFiles, directory: string): Promise<boolean> {
  if ((await files.list(directory)).some(({ name }) => pageConfig.test(name))) return true;
  const seen = await Promise.all(pages.map((page) => files.exists(joinPath(directory, page))));
  return seen.includes(true);
}

/**
 * The applications of the Nx workspace at the top of the source, without its servers as far as they can be told; none
 * where there is no such workspace.
 */
export async function nxApplications(files: SourceFiles): Promise<string[]> {
  if (!(await files.exists('nx.json'))) return [];
  const found: string[] = [];
  const walk = async (directory: string, depth: number): Promise<void> => {
    for (const { name, kind } of await files.list(directory)) {
      if (kind === 'file' || /^(?:\..*|node_modules|dist|tmp)$/.test(name)) continue;
      const inner = joinPath(directory, name);
      const project = await findNxProject(files, inner);
      // What tests an application in a browser is one to Nx, and builds nothing.
      if (project?.isApplication) found.push(inner);
      else if (depth > 1) await walk(inner, depth - 1);
    }
  };
  await walk('.', 4);
  const seen = await Promise.all(found.map((directory) => makesPages(files, directory)));
  return seen.includes(true) ? found.filter((_, index) => seen[index]) : found;
}

type Place = { top: string; directory: string; name: string };

/** `options.outputPath`, then `outputs`; Angular's builder puts what browsers get into `browser`. */
function outputsOf(build: Record<string, unknown>, place: Place): string[] {
  const options = objectOf(build.options);
  const production = objectOf(objectOf(build.configurations).production);
  const path = production.outputPath ?? options.outputPath;
  const base = typeof path === 'string' ? path : objectOf(path).base;
  const listed = Array.isArray(build.outputs) ? build.outputs : [];
  const named = [base, ...listed]
    .filter((item): item is string => typeof item === 'string')
    .map((item) => expand(item.replace('{options.outputPath}', typeof base === 'string' ? base : ''), place))
    .filter((item): item is string => item !== null);
  // What Nx's own plugins for Vite, webpack and esbuild take where nothing is said.
  const usual = [joinPath(place.top, 'dist', place.directory), joinPath(place.directory, 'dist')];
  return [...new Set([...named, ...usual])].flatMap((output) => [`${output}/browser`, output]);
}

/** `{projectRoot}`, `{workspaceRoot}` and `{projectName}`; without any, a path is the workspace's. */
function expand(path: string, { top, directory, name }: Place): string | null {
  const project = top === '.' ? directory : directory.slice(top.length + 1);
  const plain = path
    .replace('{workspaceRoot}/', '')
    .replace('{projectRoot}', project)
    .replace('{projectName}', name);
  const inSource = joinPath(top, plain);
  return plain === '' || /[{}*]/.test(plain) || !isInside(inSource) || inSource === top ? null : inSource;
}

function readJson(text: string | null): Record<string, unknown> | null {
  if (text === null) return null;
  try {
    return objectOf(JSON.parse(text));
  } catch {
    return null;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
