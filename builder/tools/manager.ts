/** Gets the package manager that a source uses, in its version. */
import { SphereError } from '../../contract/errors.ts';
import type { PlannedManager } from '../plan/build-plan.ts';
import { fetchTool, type ToolRequest } from './fetch-tool.ts';
import type { ChosenNode } from './node.ts';

export type ChosenManager = {
  /** Put on the PATH; null for npm, which comes with Node. */
  programs: string | null;
  /** Goes into the key of the cache. */
  version: string;
  /** The range of Node that it runs on, where it says one. */
  needsNode: string | null;
  said: string;
};

/** Throws INFRASTRUCTURE when the registry cannot serve the package manager. */
export async function chooseManager(
  manager: PlannedManager,
  node: ChosenNode,
  request: Omit<ToolRequest, 'package' | 'name'>,
): Promise<ChosenManager> {
  const wanted = manager.npmPackage ?? npmFor(node);
  if (wanted === null) {
    return { programs: null, version: manager.version, needsNode: null, said: manager.name };
  }
  const name = wanted.replace(/(?<=.)@.*$/, '');
  const tool = await fetchTool({ ...request, package: wanted, name });
  if ('failed' in tool) {
    throw new SphereError('INFRASTRUCTURE', `${wanted} could not be fetched through npm.`, {
      hint: 'Check that this machine reaches its npm registry and that the version in "packageManager" exists.',
      details: tool.failed,
    });
  }
  const how = tool.fetched ? 'fetched through npm' : 'cached';
  const { programs, version, needsNode } = tool;
  return { programs, version, needsNode, said: `${manager.name} ${version} (${how})` };
}

/** The packages of Node hold no npm, and the machine's own does not run on a Node much older than its own. */
function npmFor({ programs, version }: ChosenNode): string | null {
  const major = Number.parseInt(version, 10);
  if (programs === null || major >= 20) return null;
  return major >= 18 ? 'npm@10' : 'npm@8';
}
