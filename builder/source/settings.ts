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

/** Of a monorepo whose root directory is named on the caller's side, that directory's file counts, else the top's. */
export async function readSettings(files: SourceFiles, given: BuildSettings): Promise<SourceSettings> {
  const root = given.rootDirectory;
  const paths =
    root === undefined ? [configurationFile] : [joinPath(root, configurationFile), configurationFile];
  for (const path of paths) {
    const text = await files.read(path);
    if (text === null) continue;
    const configuration = parseConfiguration(text, path);
    return {
      build: { ...pick(configuration, buildSettingsSchema.shape), ...given },
      serving: pick(configuration, servingSchema.shape),
      file: path,
    };
  }
  return { build: given, serving: {}, file: null };
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
