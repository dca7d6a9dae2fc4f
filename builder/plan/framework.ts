/** What planning knows of a framework, and the project in which it looks for one. */
import type { Detection } from '../../contract/api.ts';
import type { Serving } from '../../contract/configuration.ts';
import { type ConfigText, readConfig } from './config-text.ts';
import type { PackageJson } from './package-json.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

/** The directory that is built. */
export type Project = {
  files: SourceFiles;
  /** The root directory. */
  directory: string;
  packageJson: PackageJson;
  /** The package's own dependencies, and those of its workspace, which it can use too. */
  dependencies: Record<string, string>;
};

/** What a framework's own files say about the site that it makes. */
export type Findings = {
  /** Where the build leaves the site, relative to the root directory, best first. */
  outputs: { directory: string; why: string }[];
  /** More exact than the framework's: `Vite + React`. */
  name?: string;
  /** More exact than the framework's own command. */
  command?: string;
  /** It will certainly need a server: what was seen, and the change that makes it static. */
  notStatic?: { seen: string; fix: string };
  /** The change that makes it static, for when the build leaves no site. */
  staticHint?: string;
  /** A literal base path, as written, and the file that has it. */
  base?: { path: string; from: string };
  serving?: Serving;
  environment?: Record<string, string>;
  detections?: Detection[];
  warnings?: string[];
};

export type Framework = {
  slug: string;
  name: string;
  /** It is there when one of these packages is a dependency. */
  packages: readonly string[];
  /** A script that has this builds with it. */
  runs: RegExp;
  /** What to run where no script does. */
  command: string;
  /**
   * The scripts that make the static site, one after the other, where that is not simply `build`; null when none does,
   * so that `command` is run; undefined to choose as for any other framework.
   */
  scripts?(project: Project): string[] | null | undefined;
  /** Whether it makes a site here at all; where this is missing, it does. */
  applies?(project: Project): Promise<boolean>;
  /** It makes documentation beside other code: a `build` script that does not run it builds something else. */
  beside?: boolean;
  /** Directories kept from build to build, relative to the root directory. */
  caches: readonly string[];
  /** Set for builds, where calling home or a prompt would only cost time. */
  environment?: Record<string, string>;
  /** `script`: the text of the script that will build, with the scripts that it calls. */
  inspect(project: Project, script: string): Promise<Findings>;
};

/** Reads a configuration file of the project. */
export function configOf(project: Project, ...names: string[]): Promise<ConfigText | null> {
  return readConfig(project.files, project.directory, ...names);
}

/** The range or version of the first of `names` that the project depends on, or null. */
export function dependencyOf(project: Project, ...names: string[]): string | null {
  for (const name of names) {
    const range = project.dependencies[name];
    if (range !== undefined) return range;
  }
  return null;
}

/** The major that a range such as `^13.4.0` starts at, or 0. */
export function majorOf(range: string | null): number {
  return Number(/\d+/.exec(range ?? '')?.[0] ?? 0);
}

/** The text of a script together with the scripts that it runs. */
export function expandScript(
  scripts: Record<string, string>,
  name: string,
  seen = new Set<string>(),
): string {
  const text = scripts[name] ?? '';
  seen.add(name);
  if (!/\b(?:npm|pnpm|yarn|bun|run-s|run-p|npm-run-all|concurrently)\b/.test(text)) return text;
  const called = text.split(/[\s"';&|()]+/).filter((word) => word in scripts && !seen.has(word));
  return [text, ...called.map((word) => expandScript(scripts, word, seen))].join(' && ');
}

/** The value of a command line option such as `--outDir docs` or `--outDir=docs`, or null. */
export function optionIn(script: string, ...names: string[]): string | null {
  for (const name of names) {
    const match = new RegExp(`(?:^|\\s)${name}(?:=|\\s+)["']?([^\\s"';&|]+)`).exec(script);
    if (match?.[1] !== undefined) return match[1];
  }
  return null;
}

/** An output directory that a file or the script names, else the framework's default. */
export function outputFrom(
  byDefault: string,
  ...named: ({ path: string | null | undefined; from: string } | null)[]
): { directory: string; why: string } {
  for (const candidate of named) {
    if (candidate?.path === null || candidate?.path === undefined || candidate.path === '') continue;
    return { directory: joinPath(candidate.path.replace(/^\.\//, '')), why: `named in ${candidate.from}` };
  }
  return { directory: byDefault, why: 'the default of the framework' };
}

/** The path of a URL; what is no URL is a path already. */
export function pathOfUrl(text: string): string {
  return URL.canParse(text) ? new URL(text).pathname : text;
}

/** A base path that a configuration file names literally. */
export function baseFrom(config: ConfigText | null, ...properties: string[]): Pick<Findings, 'base'> {
  for (const property of properties) {
    const path = config?.text(property);
    if (config !== null && path !== null && path !== undefined) return { base: { path, from: config.path } };
  }
  return {};
}
