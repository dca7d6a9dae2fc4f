/** How a deployment's settings come about: flag, then environment, then `sphere.json`, then what can be derived. Pure. */
import type { BuildSettings, Configuration, Serving } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import type { Environment, VariableName } from './config.ts';
import { linkName } from './link.ts';
import { slugify, slugProblem } from './slug.ts';

/** A value, and where it came from, in words for people: `--slug`, `SPHERE_PROJECT`, `sphere.json`, … */
export type Setting<T> = { value: T; from: string };

/** The flags of `sphere deploy` that are settings. `false` is what `--no-install` and `--no-build` give. */
export type SettingFlags = {
  /** False after `--no-repo`: the directory, whatever names a repository. */
  repo?: string | false;
  ref?: string;
  install?: string | false;
  build?: string | false;
  output?: string;
  root?: string;
  framework?: string;
  node?: string;
  slug?: string;
  region?: string;
  prebuilt?: string;
};

/** What the directory tells beside its `sphere.json`. */
export type DirectoryFacts = {
  /** `name` of its package.json. */
  packageName: string | null;
  /** Its own name. */
  directoryName: string;
  /** The slug that `sphere link` gave it. */
  linkedSlug?: string | null;
};

/** The build settings that a flag or the environment can give. */
type SettableKey = Exclude<keyof BuildSettings, 'limits' | 'ignoreCommand'>;

export type Settings = {
  slug: Setting<string> | null;
  /** A person named the slug; it was not derived. */
  slugNamed: boolean;
  /** Null: the plane has its own default. */
  region: Setting<string> | null;
  repository: Setting<string> | null;
  ref: Setting<string> | null;
  /** Flags and environment: they go above the `sphere.json` in the source. */
  build: { [Key in SettableKey]?: Setting<string | null> };
  /** Only the caller's `sphere.json` has them. */
  limits: BuildSettings['limits'];
  /** What the caller's `sphere.json` says of the build; it counts when the directory itself is the source. */
  fileBuild: BuildSettings;
  /** What the caller's `sphere.json` says of serving; it is sent for `--prebuilt`. */
  serving: Serving;
};

type Sources = {
  flags: SettingFlags;
  variables: Environment['variables'];
  file: Configuration;
  facts: DirectoryFacts;
};

/** Resolves every setting. Throws `USAGE` for flags that contradict each other and `CONFIGURATION_INVALID` for a bad slug. */
export function resolveSettings(sources: Sources): Settings {
  const { flags, file } = sources;
  checkFlags(flags);
  const build = buildAbove(sources);
  // With --prebuilt the output is the source, whatever else names a repository.
  const repository =
    flags.prebuilt || flags.repo === false
      ? null
      : first([
          [flags.repo, '--repo'],
          variable(sources, 'SPHERE_REPOSITORY'),
          [file.repository, 'sphere.json'],
        ]);
  const ref = first([
    [flags.ref, '--ref'],
    variable(sources, 'SPHERE_REF'),
    // A ref in sphere.json belongs to the repository named there.
    [repository?.from === 'sphere.json' ? file.ref : undefined, 'sphere.json'],
  ]);
  if (flags.ref !== undefined && repository === null) {
    throw new SphereError(
      'USAGE',
      '--ref names a branch, tag or commit of a repository, and no repository is named.',
      {
        hint: 'Add --repo URL, or leave --ref out to deploy the directory as it is.',
      },
    );
  }
  const slug = resolveSlug(sources, repository);
  return {
    slug,
    slugNamed: slug !== null && ['--slug', 'SPHERE_PROJECT', 'sphere.json', linkName].includes(slug.from),
    region: first([
      [flags.region, '--region'],
      variable(sources, 'SPHERE_REGION'),
      [file.region, 'sphere.json'],
    ]),
    repository,
    ref: repository === null ? null : ref,
    build,
    limits: file.limits,
    fileBuild: pick(file, [
      'framework',
      'installCommand',
      'buildCommand',
      'outputDirectory',
      'rootDirectory',
      'nodeVersion',
      'ignoreCommand',
    ]),
    serving: pick(file, ['cleanUrls', 'trailingSlash', 'spa', 'notFound', 'redirects', 'headers']),
  };
}

function checkFlags(flags: SettingFlags): void {
  if (flags.prebuilt === undefined) return;
  const names = ['repo', 'ref', 'install', 'build', 'output', 'root', 'framework', 'node'] as const;
  const given = names.filter((name) => flags[name] !== undefined && flags[name] !== false);
  if (given.length === 0) return;
  throw new SphereError(
    'USAGE',
    `--prebuilt publishes a directory as it is and builds nothing, so it does not go with --${given.join(', --')}.`,
    { hint: 'Leave one of the two out.' },
  );
}

function buildAbove(sources: Sources): Settings['build'] {
  const { flags } = sources;
  const above: Record<SettableKey, Setting<string | null> | null> = {
    framework: first([[flags.framework, '--framework']]),
    installCommand: first<string | null>([
      [
        flags.install === false ? null : flags.install,
        flags.install === false ? '--no-install' : '--install',
      ],
      variable(sources, 'SPHERE_INSTALL_COMMAND'),
    ]),
    buildCommand: first<string | null>([
      [flags.build === false ? null : flags.build, flags.build === false ? '--no-build' : '--build'],
      variable(sources, 'SPHERE_BUILD_COMMAND'),
    ]),
    outputDirectory: first([[flags.output, '--output'], variable(sources, 'SPHERE_OUTPUT_DIRECTORY')]),
    rootDirectory: namedRoot(flags, sources.variables),
    nodeVersion: first([[flags.node, '--node']]),
  };
  return Object.fromEntries(Object.entries(above).filter(([, setting]) => setting !== null));
}

function resolveSlug(sources: Sources, repository: Setting<string> | null): Setting<string> | null {
  const named = first([
    [sources.flags.slug, '--slug'],
    variable(sources, 'SPHERE_PROJECT'),
    [sources.file.slug, 'sphere.json'],
  ]);
  if (named) {
    const problem = slugProblem(named.value);
    if (problem === null) return named;
    throw new SphereError(
      named.from === '--slug' ? 'USAGE' : 'CONFIGURATION_INVALID',
      `${named.from}: ${problem}.`,
      {
        hint: 'A slug is the name of the site and of its host.',
      },
    );
  }
  const { packageName, directoryName, linkedSlug } = sources.facts;
  // The directory's link and package.json say nothing about a repository that is somewhere else.
  const isElsewhere = repository !== null && repository.from !== 'sphere.json';
  if (linkedSlug && !isElsewhere) return { value: linkedSlug, from: linkName };
  const candidates: [string | null, string][] = isElsewhere
    ? [[repository.value, "the repository's name"]]
    : [
        [packageName, 'the name in package.json'],
        [repository?.value ?? null, "the repository's name"],
        [directoryName, "the directory's name"],
      ];
  for (const [name, from] of candidates) {
    const value = name === null ? null : slugify(name);
    if (value !== null) return { value, from };
  }
  return null;
}

/** The root directory that a flag or the environment names. */
export function namedRoot(
  { root }: Pick<SettingFlags, 'root'>,
  variables: Environment['variables'],
): Setting<string> | null {
  return first([
    [root, '--root'],
    [variables.SPHERE_ROOT_DIRECTORY, 'SPHERE_ROOT_DIRECTORY'],
  ]);
}

type Candidate<T> = readonly [value: T | undefined, from: string];

function first<T>(candidates: readonly Candidate<T>[]): Setting<T> | null {
  for (const [value, from] of candidates) if (value !== undefined) return { value, from };
  return null;
}

function variable(sources: Sources, name: VariableName): Candidate<string> {
  return [sources.variables[name], name];
}

function pick<T extends object, Key extends keyof T>(from: T, keys: readonly Key[]): Pick<T, Key> {
  const entries = keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]]));
  return Object.fromEntries(entries) as Pick<T, Key>;
}

/** The build settings that go into the request: values without where they came from. */
export function buildValues(build: Settings['build']): BuildSettings {
  return Object.fromEntries(
    Object.entries(build).map(([key, setting]) => [key, setting?.value]),
  ) as BuildSettings;
}
