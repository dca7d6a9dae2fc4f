/** Finds the framework that makes a project's site, and the scripts that build it. */
import { closest } from 'fastest-levenshtein';
import { SphereError } from '../../contract/errors.ts';
import { appBuilders } from './app-builders.ts';
import { expandScript, type Framework, type Project } from './framework.ts';
import { companions, documentGenerators } from './generators.ts';
import { findInLongTail, longTailFramework } from './long-tail.ts';
import { metaFrameworks } from './meta-frameworks.ts';
import { routerFrameworks } from './router-frameworks.ts';

/** The frameworks that Sphere knows itself. Those built on others come before these: SvelteKit has Vite too. */
export const frameworks: readonly Framework[] = [
  ...metaFrameworks,
  ...routerFrameworks,
  ...documentGenerators,
  ...appBuilders,
  ...companions,
];

export type FoundFramework = { framework: Framework; why: string };

/** The framework that makes the project's site; null when none is known. Throws when `setting` names an unknown one. */
export async function findFramework(
  project: Project,
  setting: string | undefined,
): Promise<FoundFramework | null> {
  if (setting === 'none') return null;
  if (setting !== undefined) return { framework: await frameworkNamed(setting), why: 'named by the setting' };
  const { scripts } = project.packageJson;
  const present: FoundFramework[] = [];
  for (const framework of frameworks) {
    const why = evidenceOf(framework, project);
    if (why !== null && ((await framework.applies?.(project)) ?? true)) present.push({ framework, why });
  }
  const build = expandScript(scripts, 'build');
  const built = present.find(({ framework }) => framework.runs.test(build));
  if (built !== undefined) return built;
  // `build` makes something else, such as a library: then the site is what its documents' own script makes.
  const documents = present.find(
    ({ framework }) => framework.beside && scriptsThatRun(framework, project).length > 0,
  );
  const application = present.find(({ framework }) => !framework.beside);
  const buildsItself = scripts.build === undefined || application?.framework.scripts !== undefined;
  if (application !== undefined && (documents === undefined || buildsItself)) return application;
  return documents ?? present[0] ?? (await fromLongTail(project));
}

/** Whether a script of the project runs the framework; in a workspace's own package a dependency alone says little. */
export function isRunHere(framework: Framework, project: Project): boolean {
  return scriptsThatRun(framework, project).length > 0;
}

function evidenceOf(framework: Framework, project: Project): string | null {
  const own = { ...project.packageJson.peerDependencies, ...project.packageJson.dependencies };
  const name = framework.packages.find((candidate) => own[candidate] !== undefined);
  if (name !== undefined) return `${project.packageJson.path} depends on ${name}`;
  // What only the workspace depends on is used here when a script says so.
  const shared = framework.packages.find((candidate) => project.dependencies[candidate] !== undefined);
  if (shared === undefined || scriptsThatRun(framework, project).length === 0) return null;
  return `a script runs ${shared}, which the workspace depends on`;
}

/** What our table says of these, also that they make no site, stands. */
const decided = new Set(frameworks.flatMap((framework) => framework.packages));

async function fromLongTail(project: Project): Promise<FoundFramework | null> {
  if (Object.keys(project.packageJson.dependencies).length === 0) return null;
  const framework = await findInLongTail(project, decided);
  return framework === null ? null : { framework, why: `${project.packageJson.path} depends on it` };
}

/** Throws CONFIGURATION_INVALID for a name that is not known. */
export async function frameworkNamed(slug: string): Promise<Framework> {
  const known = frameworks.find((framework) => framework.slug === slug) ?? (await longTailFramework(slug));
  if (known !== null && known !== undefined) return known;
  const slugs = [...frameworks.map((framework) => framework.slug), 'none'];
  throw new SphereError(
    'CONFIGURATION_INVALID',
    `"framework" (or --framework) is "${slug}", which is not known.`,
    {
      hint: `Did you mean "${closest(slug, slugs)}"? Known: ${slugs.join(', ')}.`,
    },
  );
}

/** Scripts that build on their way to something else, or only name what a build leaves. */
const notBuilding =
  /^(?:dev|develop|start|serve|server|preview|watch|test|lint|e2e|analy[sz]e|clean|clear|reset|remove|format|prepare|(?:pre|post)(?:install|build|publish|version)|deploy|publish|release)\b|:(?:dev|watch|serve|clean|deploy)$/;

/** The names of the scripts that build with the framework, the likelier ones first. */
function scriptsThatRun(framework: Framework, project: Project): string[] {
  const { scripts } = project.packageJson;
  const names = Object.keys(scripts).filter(
    (name) =>
      !notBuilding.test(name) &&
      framework.runs.test(expandScript(scripts, name)) &&
      !/--watch\b|--serve\b/.test(scripts[name] ?? ''),
  );
  const rank = (name: string) =>
    name === 'build' ? 0 : /build|generate|export|docs|site/.test(name) ? 1 : 2;
  return names.sort((a, b) => rank(a) - rank(b));
}

/** The scripts that build the site, one after the other; null to run the framework's own command. */
export function chooseScripts(
  framework: Framework | null,
  project: Project,
): { scripts: string[]; why: string } | null {
  const { scripts, path } = project.packageJson;
  const use = (names: string[], why: string) => ({ scripts: names, why });
  const special = framework?.scripts?.(project);
  if (special === null) return null;
  if (special !== undefined)
    return use(special, `${special.join(' and ')} in ${path} makes the static ${framework?.name} site`);
  const running = framework === null ? [] : scriptsThatRun(framework, project);
  const buildRuns = running[0] === 'build';
  if (scripts.build !== undefined && (buildRuns || !framework?.beside)) {
    return use(['build'], `the build script of ${path}`);
  }
  if (running[0] !== undefined)
    return use([running[0]], `the script of ${path} that runs ${framework?.name}`);
  if (framework !== null) return null;
  const named = Object.keys(scripts).filter((name) => /^(?:build[:-]\w+|generate|export)$/.test(name));
  const [only, second] = named;
  return only === undefined || second !== undefined
    ? null
    : use([only], `the only script of ${path} that builds`);
}
