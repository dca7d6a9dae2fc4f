/** Turns a source tree and its settings into a build plan. Reads and decides; runs and writes nothing. */
import type { Detection } from '../../contract/api.ts';
import type { BuildSettings } from '../../contract/configuration.ts';
import { SphereError } from '../../contract/errors.ts';
import { browserRouterOf } from './app-builders.ts';
import type { BuildPlan } from './build-plan.ts';
import { detection, explain } from './explain.ts';
import type { Findings } from './framework.ts';
import { chooseScripts, findFramework, frameworkNamed } from './frameworks.ts';
import { planInstall } from './install.ts';
import { planNode, readNodeWish } from './node-version.ts';
import { outputCandidates } from './output-candidates.ts';
import { managerEnvironment } from './package-manager.ts';
import { findPlainHtml, nothingToPublish, projectFiles, refuseOtherGenerators } from './plain-html.ts';
import { type Program, planProgram } from './program.ts';
import { chooseRoot, projectAt, type Root } from './root-directory.ts';
import { joinPath, type SourceFiles } from './source-files.ts';
import { upwards } from './workspace.ts';

/**
 * Plans the build of a source. Throws SphereError: CONFIGURATION_INVALID when a setting does not fit the source or when
 * nothing says what to build, NOT_STATIC when what would be built is certain to need a server.
 */
export async function planBuild(
  files: SourceFiles,
  settings: BuildSettings,
  machine: { nodeVersion: string },
): Promise<BuildPlan> {
  const root = await chooseRoot(files, settings);
  const { packageJson } = root;
  const project = packageJson === null ? null : projectAt(files, root, packageJson);
  const found = project === null ? null : await findFramework(project, settings.framework);
  const scripts = project === null ? null : chooseScripts(found?.framework ?? null, project);
  const { buildCommand } = settings;
  const builds = buildCommand === undefined ? found !== null || scripts !== null : buildCommand !== null;
  const base = await emptyPlan(files, root, settings, machine);
  if (!builds) return planPlainHtml(files, base, root, settings);
  const program = project === null ? null : await planProgram(project, root, settings, found, scripts);
  return planProject(files, base, root, settings, program);
}

async function planProject(
  files: SourceFiles,
  base: BuildPlan,
  root: Root,
  settings: BuildSettings,
  program: Program | null,
): Promise<BuildPlan> {
  const { directory } = root;
  const framework = program?.found?.framework ?? null;
  const findings: Findings = program?.findings ?? { outputs: [] };
  const build =
    program?.build ??
    (typeof settings.buildCommand === 'string'
      ? { command: settings.buildCommand, directory, kind: 'given' as const }
      : null);
  const outputs =
    settings.outputDirectory === undefined
      ? findings.outputs
      : [{ directory: settings.outputDirectory, why: 'named by the setting' }];
  const guess = settings.outputDirectory === undefined && findings.staticHint === undefined;
  const candidates = await outputCandidates(files, directory, outputs, guess);
  const name = framework === null ? null : (findings.name ?? framework.name);
  const plan: BuildPlan = {
    ...base,
    framework: framework === null || name === null ? null : { slug: framework.slug, name },
    packageManager: program?.manager.manager ?? null,
    ...(await planInstall(files, root, settings, program)),
    build,
    output: {
      kind: settings.outputDirectory === undefined ? 'derived' : 'given',
      candidates,
      leaveOut: candidates.some((candidate) => candidate.directory === directory) ? [...projectFiles] : [],
    },
    environment: {
      ...(program === null ? {} : managerEnvironment[program.manager.manager.name]),
      ...framework?.environment,
      ...findings.environment,
    },
    frameworkCaches: (framework?.caches ?? ['node_modules/.cache']).map((path) => joinPath(directory, path)),
    serving: findings.serving ?? {},
    staticHint: findings.staticHint ?? null,
    basePath: basePathOf(findings),
    browserRouter: program === null ? null : routerOf(program),
  };
  return explain(plan, program);
}

/** A framework that is named has to be there: else what it would build is published as it is. */
async function refuseFramework(slug: string | undefined, directory: string): Promise<void> {
  if (slug === undefined || slug === 'none') return;
  const { name } = await frameworkNamed(slug);
  const path = joinPath(directory, 'package.json');
  throw new SphereError(
    'CONFIGURATION_INVALID',
    `"framework" is "${slug}", and there is no ${path} for ${name}.`,
    {
      hint: 'Name the directory of the project with --root DIR, or leave "framework" (--framework) out.',
    },
  );
}

async function planPlainHtml(
  files: SourceFiles,
  base: BuildPlan,
  root: Root,
  settings: BuildSettings,
): Promise<BuildPlan> {
  const { directory, packageJson } = root;
  if (packageJson === null) await refuseFramework(settings.framework, directory);
  const given = settings.outputDirectory;
  if (given === undefined) await refuseOtherGenerators(files, directory);
  const html =
    given === undefined
      ? await findPlainHtml(files, directory)
      : { directory: joinPath(directory, given), why: 'named by the setting', warnings: [] };
  if (html === null) throw await nothingToPublish(files, directory, packageJson);
  return {
    ...base,
    output: {
      kind: given === undefined ? 'derived' : 'given',
      candidates: [{ directory: html.directory, inSource: true, why: html.why }],
      leaveOut: html.directory === directory ? [...projectFiles] : [],
    },
    detections: [
      ...base.detections,
      detection(
        'framework',
        'none: plain HTML',
        packageJson === null ? 'no package.json' : 'no known framework and no build script',
      ),
      detection('output directory', html.directory, html.why),
    ],
    warnings: [...base.warnings, ...html.warnings],
  };
}

async function emptyPlan(
  files: SourceFiles,
  root: Root,
  settings: BuildSettings,
  machine: { nodeVersion: string },
): Promise<BuildPlan> {
  const wish = await readNodeWish(files, upwards(root.directory), settings.nodeVersion);
  const node = wish && {
    range: wish.range,
    from: wish.from,
    ...planNode(wish.range, machine.nodeVersion, wish),
  };
  const detections: Detection[] = [];
  if (root.why !== null) detections.push(detection('root directory', root.directory, root.why));
  if (node !== null) {
    const value = node.use === 'running' ? machine.nodeVersion : node.fetch;
    detections.push(detection('Node', value, `${node.from} asks for ${node.range}; ${node.why}`));
  }
  return {
    rootDirectory: root.directory,
    framework: null,
    packageManager: null,
    install: null,
    afterReuse: [],
    build: null,
    output: { kind: 'derived', candidates: [], leaveOut: [] },
    node,
    environment: {},
    frameworkCaches: [],
    installInputs: [],
    basePath: null,
    browserRouter: null,
    serving: {},
    staticHint: null,
    detections,
    warnings: [],
  };
}

/** Frameworks that render pages ahead of time answer for their own paths. */
function routerOf({ project, findings }: Program): string | null {
  if (findings.serving?.spa !== undefined || findings.staticHint !== undefined) return null;
  return browserRouterOf(project);
}

/** A path below which the site expects to be served; addresses of other hosts and relative ones are none. */
function basePathOf(findings: Findings): BuildPlan['basePath'] {
  if (findings.base === undefined) return null;
  const { path, from } = findings.base;
  const inner = path.replace(/^\/+|\/+$/g, '');
  if (inner === '' || !path.startsWith('/') || path.startsWith('//') || /[{}%$\s]/.test(path)) return null;
  return { path: `/${inner}/`, from };
}
