/** Gets the Node and the package manager for a plan, and says which they are. */
import { dirname, join } from 'node:path';
import semver from 'semver';
import { toolEnvironment } from '../command/environment.ts';
import { type BuildContext, warn } from '../context.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { planNode } from '../plan/node-version.ts';
import { type ChosenManager, chooseManager } from './manager.ts';
import { type ChosenNode, chooseNode } from './node.ts';

export type Tools = {
  /** Directories for the PATH, most wanted first. */
  programs: string[];
  nodeVersion: string;
  managerVersion: string;
};

export async function chooseTools(context: BuildContext, plan: BuildPlan): Promise<Tools> {
  const { config, log, running, signal } = context;
  const request = {
    directory: join(config.cacheDirectory, 'tools'),
    environment: toolEnvironment(config.machine),
    signal,
  };
  let node = await chooseNode(plan.node, request, running);
  const manager =
    plan.packageManager === null ? null : await chooseManager(plan.packageManager, node, request);
  const wish = manager === null ? null : nodeForManager(plan, manager, node, running);
  if (wish !== null) {
    const { node: asked } = plan;
    if (asked !== null) {
      warn(
        context,
        `${asked.from} asks for Node ${asked.range}, and Node ${wish.range} is taken: ${wish.from}.`,
      );
    }
    node = await chooseNode(wish, request, running);
  }
  if (node.warning === null) log.say(node.said);
  else warn(context, node.said);
  // The running Node's own directory too, so that `node` in a command is the one that was named.
  const programs = [node.programs ?? dirname(running.program)];
  if (manager === null) return { programs, nodeVersion: node.version, managerVersion: '' };
  log.say(`Package manager: ${manager.said}`);
  if (manager.programs !== null) programs.unshift(manager.programs);
  return { programs, nodeVersion: node.version, managerVersion: manager.version };
}

/** Another Node, when the package manager does not start on the chosen one (pnpm 11 wants 22); else null. */
export function nodeForManager(
  plan: Pick<BuildPlan, 'packageManager'>,
  manager: Pick<ChosenManager, 'version' | 'needsNode'>,
  node: Pick<ChosenNode, 'version'>,
  running: { version: string },
): NonNullable<BuildPlan['node']> | null {
  const { needsNode } = manager;
  if (needsNode === null || semver.validRange(needsNode) === null) return null;
  if (semver.satisfies(node.version, needsNode)) return null;
  const from = `${plan.packageManager?.name} ${manager.version} needs it`;
  return { range: needsNode, from, ...planNode(needsNode, running.version) };
}
