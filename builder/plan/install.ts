/** Plans the install, what decides whether node_modules may be reused, and what has to run when it is. */
import type { BuildSettings } from '../../contract/configuration.ts';
import type { BuildPlan, PlannedCommand, PlannedManager } from './build-plan.ts';
import type { PackageJson } from './package-json.ts';
import { runScript } from './package-manager.ts';
import type { Program } from './program.ts';
import type { Root } from './root-directory.ts';
import { joinPath, type SourceFiles } from './source-files.ts';
import { readYaml } from './workspace.ts';

/** Nothing is installed where nothing is built, or where there is nothing to install. */
export async function planInstall(
  files: SourceFiles,
  root: Root,
  settings: BuildSettings,
  program: Program | null,
): Promise<Pick<BuildPlan, 'install' | 'afterReuse' | 'installInputs'>> {
  const directory = root.workspace?.directory ?? root.directory;
  const given = settings.installCommand;
  const nothing = { install: null, afterReuse: [], installInputs: [] };
  if (program === null) {
    if (typeof given !== 'string') return nothing;
    return { ...nothing, install: { command: given, directory, kind: 'given' } };
  }
  const { manager, installCommand } = program.manager;
  const { packageJson } = program.project;
  const top: PackageJson = root.workspace?.packageJson ?? packageJson;
  const needed = root.workspace !== null || Object.keys(packageJson.dependencies).length > 0;
  if (given === null || program.build === null || (given === undefined && !needed)) return nothing;
  const own = directory === root.directory ? [] : [{ ...packageJson, directory: root.directory }];
  return {
    install:
      given === undefined
        ? { command: installCommand, directory, kind: 'derived' }
        : { command: given, directory: root.directory, kind: 'given' },
    afterReuse: commandsAfterReuse(manager, [{ ...top, directory }, ...own]),
    installInputs: await installInputs(files, {
      directory,
      members: root.workspace?.members ?? [],
      manager,
      packageJson: top,
    }),
  };
}

/** The files that are there among all that an install reads, sorted. */
async function installInputs(
  files: SourceFiles,
  install: {
    directory: string;
    members: readonly string[];
    manager: PlannedManager;
    packageJson: PackageJson;
  },
): Promise<string[]> {
  const { directory, members, manager } = install;
  const at = (name: string) => joinPath(directory, name);
  const settings = [
    '.npmrc',
    '.yarnrc',
    '.yarnrc.yml',
    'pnpm-workspace.yaml',
    '.pnpmfile.cjs',
    'bunfig.toml',
  ];
  const paths = [
    ...(manager.lockfile === null ? [] : [manager.lockfile]),
    ...[directory, ...members].flatMap((member) => [
      joinPath(member, 'package.json'),
      joinPath(member, '.npmrc'),
    ]),
    ...settings.map(at),
    ...install.packageJson.patches.map(at),
    ...(await filesBelow(files, at('patches'))),
    ...(await filesBelow(files, at('.yarn/patches'))),
    ...(await filesBelow(files, at('.yarn/plugins'))),
    ...(await yarnProgram(files, directory)),
  ];
  const there = await Promise.all(
    [...new Set(paths)].map(async (path) => ((await files.exists(path)) ? path : null)),
  );
  return there.filter((path): path is string => path !== null).sort();
}

async function filesBelow(files: SourceFiles, directory: string): Promise<string[]> {
  const below = (await files.list(directory)).map(async ({ name, kind }) => {
    const path = joinPath(directory, name);
    return kind === 'directory' ? filesBelow(files, path) : [path];
  });
  return (await Promise.all(below)).flat();
}

async function yarnProgram(files: SourceFiles, directory: string): Promise<string[]> {
  const path = readYaml((await files.read(joinPath(directory, '.yarnrc.yml'))) ?? '').yarnPath;
  return typeof path === 'string' ? [joinPath(directory, path)] : [];
}

/** Sets up git hooks or checks which package manager runs: of no use in a build. */
const pointless = /^(?:npx\s+)?(?:husky|only-allow|simple-git-hooks|lefthook|is-ci)\b/;

/**
 * The projects' own install scripts, such as `nuxt prepare` and `svelte-kit sync`: they write outside of node_modules,
 * so they have to run again where it is reused.
 */
function commandsAfterReuse(
  manager: PlannedManager,
  packages: readonly (PackageJson & { directory: string })[],
): PlannedCommand[] {
  // Yarn 2 and later have no `prepare` of the project's own.
  const hooks = manager.flavour === 'berry' ? ['postinstall'] : ['postinstall', 'prepare'];
  return packages.flatMap(({ directory, scripts }) =>
    hooks
      .filter((hook) => scripts[hook] !== undefined && !pointless.test(scripts[hook]))
      .map((hook) => ({ command: runScript(manager, hook), directory, kind: 'derived' as const })),
  );
}
