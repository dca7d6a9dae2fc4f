/** Programs that builds need, as npm packages in the machine's cache: fetched once, found again without the network. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runQuiet } from '../command/run-quiet.ts';
import { tellingLines } from '../command/telling-lines.ts';

export type ToolRequest = {
  /** An npm package with a version or range, such as `pnpm@10`. */
  package: string;
  /** Its name alone. */
  name: string;
  /** The directory that keeps tools. */
  directory: string;
  /** With the settings of the machine's registry. */
  environment: Record<string, string | undefined>;
  signal: AbortSignal;
};

export type Tool = {
  /** The directory of its programs. */
  programs: string;
  version: string;
  /** The range of Node that it runs on, where it says one. */
  needsNode: string | null;
  fetched: boolean;
};

/** The tool, or null with the last lines of npm when it cannot be had. */
export async function fetchTool(request: ToolRequest): Promise<Tool | { failed: string[] }> {
  const place = join(request.directory, request.package.replace(/[^A-Za-z0-9.@^~-]+/g, '_'));
  const found = toolAt(place, request.name);
  if (found !== null) return { ...found, fetched: false };

  // Fetched beside its place and moved there whole: what is at the place can be trusted.
  const made = `${place}.${randomUUID()}.new`;
  mkdirSync(made, { recursive: true });
  try {
    const args = [
      'install',
      '--prefix',
      made,
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      request.package,
    ];
    const result = await runQuiet('npm', args, { environment: request.environment, signal: request.signal });
    if (result.exitCode !== 0) return { failed: tellingLines(result.lastLines) };
    try {
      renameSync(made, place);
    } catch (error) {
      if (toolAt(place, request.name) === null) throw error;
    }
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  const tool = toolAt(place, request.name);
  return tool === null
    ? { failed: [`${request.package} was installed and has no program`] }
    : { ...tool, fetched: true };
}

function toolAt(place: string, name: string): Omit<Tool, 'fetched'> | null {
  const programs = join(place, 'node_modules', '.bin');
  const packageFile = join(place, 'node_modules', name, 'package.json');
  if (!existsSync(programs) || !existsSync(packageFile)) return null;
  const text = readFileSync(packageFile, 'utf8');
  const { version, engines } = JSON.parse(text) as { version: string; engines?: { node?: string } };
  // The packages of old Nodes write their version with a `v`.
  return { programs, version: version.replace(/^v/, ''), needsNode: engines?.node ?? null };
}
