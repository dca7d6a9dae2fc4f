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
import { isAbout, mergeConfigurations } from '../../files/merge-configurations.ts';
import { joinPath, type SourceFiles } from '../plan/source-files.ts';

export type SourceSettings = {
  build: BuildSettings;
  serving: Serving;
  /** Where they were read, relative to the source; null when there is no such file. */
  file: string | null;
};

/** Of a monorepo, the files at the top and in the root directory, whoever has named that (`files/merge-configurations.ts`). */
export async function readSettings(files: SourceFiles, given: BuildSettings): Promise<SourceSettings> {
  const outer = await read(files, configurationFile);
  const named = given.rootDirectory ?? outer?.configuration.rootDirectory;
  const root = named === undefined ? '.' : joinPath(named);
  const inner = root === '.' ? null : await read(files, joinPath(root, configurationFile));
  const counting = [inner, outer && isAbout(outer.configuration, root) ? outer : null].filter(
    (one) => one !== null,
  );
  if (counting.length === 0) return { build: given, serving: {}, file: null };
  const configuration = mergeConfigurations(outer?.configuration ?? {}, inner?.configuration ?? {}, root);
  // The root directory is where it is, whatever the file in it says of its own.
  const rootDirectory = root === '.' ? {} : { rootDirectory: root };
  return {
    build: { ...inSource(configuration), ...rootDirectory, ...given },
    serving: pick(configuration, servingSchema.shape),
    file: counting.map(({ path }) => path).join(' and '),
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
