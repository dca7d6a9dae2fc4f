/** Gets the Node and the package manager for a plan, and says which they are. */
import { dirname, join } from 'node:path';
import { toolEnvironment } from '../command/environment.ts';
import { type BuildContext, warn } from '../context.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { chooseManager } from './manager.ts';
import { chooseNode } from './node.ts';

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
  const node = await chooseNode(plan.node, request, running);
  if (node.warning === null) log.say(node.said);
  else warn(context, node.said);
  // The running Node's own directory too, so that `node` in a command is the one that was named.
  const programs = [node.programs ?? dirname(running.program)];
  if (plan.packageManager === null) return { programs, nodeVersion: node.version, managerVersion: '' };
  const manager = await chooseManager(plan.packageManager, node, request);
  log.say(`Package manager: ${manager.said}`);
  if (manager.programs !== null) programs.unshift(manager.programs);
  return { programs, nodeVersion: node.version, managerVersion: manager.version };
}
