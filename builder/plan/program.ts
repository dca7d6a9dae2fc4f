/** What a package's framework and scripts add to a plan: the package manager, the build command, the findings. */
import { posix } from 'node:path';
import type { BuildSettings } from '../../contract/configuration.ts';
import { SphereError } from '../../contract/errors.ts';
import type { PlannedCommand, PlannedManager } from './build-plan.ts';
import { expandScript, type Findings, type Framework, type Project } from './framework.ts';
import type { FoundFramework } from './frameworks.ts';
import { detectPackageManager, type ManagerFindings, runProgram, runScript } from './package-manager.ts';
import type { Root } from './root-directory.ts';
import { joinPath } from './source-files.ts';
import type { Workspace } from './workspace.ts';

/** What a framework or script adds to a plan. */
export type Program = {
  project: Project;
  found: FoundFramework | null;
  findings: Findings;
  manager: ManagerFindings;
  build: PlannedCommand | null;
  buildWhy: string;
};

/** Throws NOT_STATIC for what is certain to need a server. `chosen`: the scripts that build. */
export async function planProgram(
  project: Project,
  root: Root,
  settings: BuildSettings,
  found: FoundFramework | null,
  chosen: { scripts: string[]; why: string } | null,
): Promise<Program> {
  const { packageJson, files } = project;
  const installAt = root.workspace ?? { directory: root.directory, packageJson };
  const manager = await detectPackageManager(
    files,
    installAt.directory,
    installAt.packageJson ?? { ...packageJson, workspaces: [] },
  );
  const names = settings.buildCommand === undefined ? (chosen?.scripts ?? []) : [];
  const text =
    settings.buildCommand ?? names.map((name) => expandScript(packageJson.scripts, name)).join(' && ');
  const inspected = (await found?.framework.inspect(project, text)) ?? { outputs: [] };
  const findings = { ...inspected, outputs: [...outputsByNx(root), ...inspected.outputs] };
  refuseServer(found?.framework ?? null, findings, settings);
  const build = await planCommand(
    project,
    root,
    manager.manager,
    settings,
    found?.framework,
    findings,
    names,
  );
  const buildWhy =
    build?.kind === 'given' ? 'named by the setting' : (chosen?.why ?? 'no script builds the site');
  return { project, found, findings, manager, build, buildWhy };
}

function outputsByNx({ nx, directory }: Root): Findings['outputs'] {
  const why = `the build target of ${joinPath(directory, 'project.json')}`;
  return (nx?.outputs ?? []).map((output) => ({ directory: posix.relative(directory, output), why }));
}

/** Before the build only what is certain is refused, and nothing that the person has taken into their own hands. */
function refuseServer(framework: Framework | null, findings: Findings, settings: BuildSettings): void {
  if (framework === null || findings.notStatic === undefined) return;
  if (typeof settings.buildCommand === 'string' || settings.outputDirectory !== undefined) return;
  const { seen, fix } = findings.notStatic;
  throw new SphereError('NOT_STATIC', `This ${framework.name} project needs a server: ${seen}.`, {
    hint: fix,
  });
}

/**
 * Turborepo starts the package manager that it finds first in PATH, from the package's directory. `pnpm exec` puts the
 * relative `./node_modules/.bin` there first, where a workspace that depends on pnpm has one: then it is not found.
 */
function turbo(manager: PlannedManager, workspace: Workspace, args: string): string {
  const hasPnpm = workspace.packageJson?.dependencies.pnpm !== undefined;
  return manager.name === 'pnpm' && hasPnpm
    ? `node_modules/.bin/turbo ${args}`
    : runProgram(manager, `turbo ${args}`);
}

async function planCommand(
  project: Project,
  root: Root,
  manager: PlannedManager,
  settings: BuildSettings,
  framework: Framework | undefined,
  findings: Findings,
  scripts: readonly string[],
): Promise<PlannedCommand | null> {
  const { directory } = root;
  if (settings.buildCommand === null) return null;
  if (settings.buildCommand !== undefined)
    return { command: settings.buildCommand, directory, kind: 'given' };
  if (scripts.length === 0 && framework !== undefined) {
    const command = runProgram(manager, findings.command ?? framework.command);
    return { command, directory, kind: 'derived' };
  }
  const [only = '', ...more] = scripts;
  if (root.nx !== null && only === 'build') {
    const command = runProgram(manager, `nx run ${root.nx.name}:${root.nx.target}`);
    return { command, directory: root.nx.top, kind: 'derived' };
  }
  const { name } = project.packageJson;
  const { workspace } = root;
  if (workspace !== null && workspace.directory !== directory && more.length === 0 && name !== null) {
    // What the package uses of its workspace has to be built before it.
    if (await project.files.exists(joinPath(workspace.directory, 'turbo.json'))) {
      return {
        command: turbo(manager, workspace, `run ${only} --filter=${name}`),
        directory: workspace.directory,
        kind: 'derived',
      };
    }
    if (await project.files.exists(joinPath(workspace.directory, 'nx.json'))) {
      const command = runProgram(manager, `nx run ${name}:${only}`);
      return { command, directory: workspace.directory, kind: 'derived' };
    }
    const linked = Object.values(project.packageJson.dependencies).some((range) =>
      range.startsWith('workspace:'),
    );
    if (manager.name === 'pnpm' && linked) {
      return { command: `pnpm --filter "${name}..." run ${only}`, directory, kind: 'derived' };
    }
  }
  return {
    command: scripts.map((script) => runScript(manager, script)).join(' && '),
    directory,
    kind: 'derived',
  };
}
