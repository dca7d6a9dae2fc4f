/** Reads package.json for what planning needs, forgiving what npm forgives. */
import { SphereError } from '../../contract/errors.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

export type PackageJson = {
  path: string;
  name: string | null;
  scripts: Record<string, string>;
  /** Names to ranges: dependencies, development and optional ones, which is what gets installed. */
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
  /** Some ranges are replaced by `overrides` or `resolutions`. */
  overrides: boolean;
  /** `name@version` of the package manager, from `packageManager` or `devEngines`. */
  packageManager: string | null;
  engines: Record<string, string>;
  /** Patterns of workspace members. */
  workspaces: string[];
  homepage: string | null;
  /** It says what others import from it. `main` does not count: `npm init` writes that into every package. */
  isLibrary: boolean;
  /** Paths of patches that pnpm applies. */
  patches: string[];
};

/** The package.json of a directory, or null. Throws CONFIGURATION_INVALID when it is not JSON. */
export async function readPackageJson(files: SourceFiles, directory: string): Promise<PackageJson | null> {
  const path = joinPath(directory, 'package.json');
  const text = await files.read(path);
  if (text === null) return null;
  const value = parse(path, text);
  const workspaces = Array.isArray(value.workspaces) ? value.workspaces : object(value.workspaces).packages;
  const devManager = object(object(value.devEngines).packageManager);
  return {
    path,
    name: string(value.name),
    scripts: strings(value.scripts),
    dependencies: {
      ...strings(value.optionalDependencies),
      ...strings(value.devDependencies),
      ...strings(value.dependencies),
    },
    peerDependencies: strings(value.peerDependencies),
    overrides: [value.overrides, value.resolutions, object(value.pnpm).overrides].some(
      (field) => Object.keys(object(field)).length > 0,
    ),
    packageManager:
      string(value.packageManager) ??
      (string(devManager.name) === null ? null : `${devManager.name}@${string(devManager.version) ?? ''}`),
    engines: strings(value.engines),
    workspaces: Array.isArray(workspaces) ? workspaces.filter((item) => typeof item === 'string') : [],
    homepage: string(value.homepage),
    isLibrary: [value.exports, value.module, value.types, value.typings].some((field) => field !== undefined),
    patches: Object.values(strings(object(value.pnpm).patchedDependencies)),
  };
}

function parse(path: string, text: string): Record<string, unknown> {
  try {
    return object(JSON.parse(text.replace(/^\uFEFF/, '')));
  } catch (error) {
    throw new SphereError(
      'CONFIGURATION_INVALID',
      `${path} is not valid JSON: ${(error as Error).message}.`,
      {
        hint: `Correct ${path}; no package manager can read it as it is.`,
        cause: error,
      },
    );
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function string(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

function strings(value: unknown): Record<string, string> {
  const entries = Object.entries(object(value));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
