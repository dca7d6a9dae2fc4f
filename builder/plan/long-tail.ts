/**
 * Frameworks beyond our own table, out of @vercel/frameworks.
 *
 * Why both: the libraries that know frameworks know where a *hosting platform's adapter* puts things, not where a static
 * export goes: @vercel/frameworks has `dist` for Nuxt, `public` for SvelteKit and nothing for Next.js, and none says what
 * cannot be static. So those that Sphere promises are our own table. For the rest this library is plain data, kept up to
 * date and 150 KB bundled (loaded only when our table has no answer); @netlify/framework-info is deprecated, and its
 * successor @netlify/build-info wants Node 22 and brings an error reporter and yargs.
 */
import type { Framework, Project } from './framework.ts';
import { joinPath } from './source-files.ts';

type Detector = { path?: string; matchPackage?: string; matchContent?: string };

/** What is used of the library's entries; its own type is the union of all of them. */
type LibraryEntry = {
  slug: string | null;
  name: string;
  detectors?: { every?: readonly Detector[]; some?: readonly Detector[] };
  settings: { buildCommand: object; outputDirectory: object };
  useRuntime?: object;
};

/** The first framework of the long tail that the project uses, or null. `decided`: packages that our table knows. */
export async function findInLongTail(
  project: Project,
  decided: ReadonlySet<string>,
): Promise<Framework | null> {
  for (const entry of await staticEntries()) {
    if (entry.framework.packages.every((name) => decided.has(name))) continue;
    if (await matches(project, entry.every, entry.some)) return entry.framework;
  }
  return null;
}

/** The framework of the long tail with this name, or null. */
export async function longTailFramework(slug: string): Promise<Framework | null> {
  return (await staticEntries()).find((entry) => entry.framework.slug === slug)?.framework ?? null;
}

type Entry = { framework: Framework; every: readonly Detector[]; some: readonly Detector[] };

/** Those that run on Node, are found by a package, have an output directory and need no runtime of a platform. */
async function staticEntries(): Promise<Entry[]> {
  const library = await import('@vercel/frameworks');
  const entries: readonly LibraryEntry[] = library.frameworks;
  return entries.flatMap((entry): Entry[] => {
    const every: readonly Detector[] = entry.detectors?.every ?? [];
    const some: readonly Detector[] = entry.detectors?.some ?? [];
    const command = settingValue(entry.settings.buildCommand);
    const output = settingValue(entry.settings.outputDirectory);
    const packages = [...every, ...some].flatMap(({ matchPackage }) => matchPackage ?? []);
    const usable = typeof entry.slug === 'string' && packages.length > 0 && entry.useRuntime === undefined;
    if (!usable || command === null || output === null || output.startsWith('.')) return [];
    const program = command.split(' ')[0] ?? command;
    const framework: Framework = {
      slug: entry.slug as string,
      name: entry.name,
      packages,
      runs: new RegExp(`\\b${program}\\b`),
      command,
      caches: ['node_modules/.cache'],
      inspect: async () => ({ outputs: [{ directory: output, why: 'the default of the framework' }] }),
    };
    return [{ framework, every, some }];
  });
}

function settingValue(setting: object | undefined): string | null {
  const value: unknown = setting !== undefined && 'value' in setting ? setting.value : null;
  return typeof value === 'string' && value !== 'N/A' ? value : null;
}

async function matches(
  project: Project,
  every: readonly Detector[],
  some: readonly Detector[],
): Promise<boolean> {
  const found = async ({ path, matchPackage, matchContent }: Detector) => {
    if (matchPackage !== undefined) return project.dependencies[matchPackage] !== undefined;
    if (path === undefined || matchContent !== undefined) return false;
    return project.files.exists(joinPath(project.directory, path));
  };
  const results = await Promise.all([Promise.all(every.map(found)), Promise.all(some.map(found))]);
  return results[0].every(Boolean) && (some.length === 0 || results[1].some(Boolean));
}
