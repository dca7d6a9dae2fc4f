/** What a build plan says. Plain JSON, with every path relative to the source's top, `/` between parts and `.` for the top. */
import type { Detection } from '../../contract/api.ts';
import type { Serving } from '../../contract/configuration.ts';
import type { NodeDecision } from './node-version.ts';
import type { ManagerName } from './package-manager.ts';

/** A shell command and where it runs. `given`: a setting names it; `derived`: the source suggests it. */
export type PlannedCommand = { command: string; directory: string; kind: 'derived' | 'given' };

export type PlannedManager = {
  name: ManagerName;
  /** For yarn only. */
  flavour?: 'classic' | 'berry';
  /** Where the choice of version comes from decides: an exact version, or a major that the lockfile was written by. */
  version: string;
  /** The npm package that has it, such as `pnpm@10.4.1` or `@yarnpkg/cli-dist@4`; null for npm, which comes with Node. */
  npmPackage: string | null;
  lockfile: string | null;
};

/** A directory in which the build may leave the site. */
export type OutputCandidate = {
  directory: string;
  /** Already in the source: believed only when the build has changed it. */
  inSource: boolean;
  why: string;
};

export type BuildPlan = {
  rootDirectory: string;
  framework: { slug: string; name: string } | null;
  packageManager: PlannedManager | null;
  install: PlannedCommand | null;
  /** Commands to run instead of `install` when node_modules is reused: the project's own install scripts. */
  afterReuse: PlannedCommand[];
  build: PlannedCommand | null;
  output: {
    /** `given`: a setting names the one candidate. */
    kind: 'derived' | 'given';
    /** In order of preference. Without a build there is one, and it is in the source. */
    candidates: OutputCandidate[];
    /** Names at the output's top that are the project's and not the site's. */
    leaveOut: string[];
  };
  /** What the source asks for, or null when it asks for nothing. */
  node: ({ range: string; from: string } & NodeDecision) | null;
  /** Environment for install and build, below what the person has set. */
  environment: Record<string, string>;
  /** Directories that make the next build faster. */
  frameworkCaches: string[];
  /** Files whose content decides whether node_modules may be reused. */
  installInputs: string[];
  /** The site expects to be served below this path, such as `/docs/`; null for `/`. */
  basePath: { path: string; from: string } | null;
  /**
   * The package that rewrites addresses in the browser, where nothing else says how unknown paths are answered: a site
   * of one page is then served as a single-page application.
   */
  browserRouter: string | null;
  /** Defaults that the framework suggests, below what `sphere.json` says. */
  serving: Serving;
  /** What to change when the build leaves no site; null when nothing better is known than "set outputDirectory". */
  staticHint: string | null;
  detections: Detection[];
  warnings: string[];
};
