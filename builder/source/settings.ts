/** The settings of a build: what `sphere.json` in the source says, and above it what the deployment says. */
import {
  type BuildSettings,
  buildSettingsSchema,
  type Configuration,
  configurationFile,
  type Serving,
  servingSchema,
} from '../../contract/configuration.ts';
import { parseConfiguration } from '../../files/configuration-file.ts';
import { joinPath, type SourceFiles } from '../plan/source-files.ts';

export type SourceSettings = {
  build: BuildSettings;
  serving: Serving;
  /** Where they were read, relative to the source; null when there is no such file. */
  file: string | null;
};

/**
 * Of a monorepo whose root directory is named on the caller's side, that directory's file counts, and below it the file
 * at the top, where that is not about another directory; `cli/locate-project.ts` reads them in the same way.
 */
export async function readSettings(files: SourceFiles, given: BuildSettings): Promise<SourceSettings> {
  const outer = await read(files, configurationFile);
  const named = given.rootDirectory ?? outer?.configuration.rootDirectory;
  const root = named === undefined ? '.' : joinPath(named);
  const inner = root === '.' ? null : await read(files, joinPath(root, configurationFile));
  const about = outer?.configuration.rootDirectory;
  const counts = [
    ...(inner === null ? [] : [inner]),
    ...(outer !== null && (about === undefined || joinPath(about) === root) ? [outer] : []),
  ];
  if (counts.length === 0) return { build: given, serving: {}, file: null };
  const configuration: Configuration = Object.assign({}, ...counts.map((one) => one.configuration).reverse());
  // The root directory is where it is, whatever the file in it says of its own.
  const rootDirectory = root === '.' ? {} : { rootDirectory: root };
  return {
    build: { ...inSource(configuration), ...rootDirectory, ...given },
    serving: pick(configuration, servingSchema.shape),
    file: counts.map(({ path }) => path).join(' and '),
  };
}

async function read(
  files: SourceFiles,
  path: string,
): Promise<{ configuration: Configuration; path: string } | null> {
  const text = await files.read(path);
  return text === null ? null : { configuration: parseConfiguration(text, path), path };
}

/** What the source says of its own build: limits are not its business. */
function inSource(configuration: Configuration): BuildSettings {
  const { limits: _, ...build } = pick(configuration, buildSettingsSchema.shape);
  return build;
}

function pick<Key extends keyof Configuration>(
  configuration: Configuration,
  shape: Record<Key, unknown>,
): Pick<Configuration, Key> {
  const keys = Object.keys(shape) as Key[];
  const entries = keys
    .filter((key) => configuration[key] !== undefined)
    .map((key) => [key, configuration[key]]);
  return Object.fromEntries(entries) as Pick<Configuration, Key>;
}
