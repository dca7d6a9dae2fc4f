/** Finds the workspace that a directory belongs to, and its members. */
import picomatch from 'picomatch';
import { parse as parseYaml } from 'yaml';
import { type PackageJson, readPackageJson } from './package-json.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

export type Workspace = {
  /** Where packages are installed. */
  directory: string;
  packageJson: PackageJson | null;
  /** Directories of the members, without the workspace's own. */
  members: string[];
};

/** The workspace that lists `directory` as a member or is at it; null when there is none. */
export async function findWorkspace(files: SourceFiles, directory: string): Promise<Workspace | null> {
  for (const candidate of upwards(directory)) {
    const packageJson = await readPackageJson(files, candidate);
    const patterns = await memberPatterns(files, candidate, packageJson);
    if (patterns.length === 0) continue;
    const members = await findMembers(files, candidate, patterns);
    if (candidate === directory || members.includes(directory)) {
      return { directory: candidate, packageJson, members };
    }
  }
  return null;
}

/** `a/b`, `a`, `.` */
export function upwards(directory: string): string[] {
  const parts = directory === '.' ? [] : directory.split('/');
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join('/')), '.'];
}

async function memberPatterns(
  files: SourceFiles,
  directory: string,
  packageJson: PackageJson | null,
): Promise<string[]> {
  const text = await files.read(joinPath(directory, 'pnpm-workspace.yaml'));
  const own = packageJson?.workspaces ?? [];
  if (text === null) return own;
  const packages: unknown = readYaml(text).packages;
  return Array.isArray(packages) ? packages.filter((item) => typeof item === 'string') : own;
}

/** A YAML file's top mapping; empty when it is none. What is wrong with it, its own program will say. */
export function readYaml(text: string): Record<string, unknown> {
  try {
    const value: unknown = parseYaml(text, { logLevel: 'silent' });
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function findMembers(files: SourceFiles, top: string, patterns: string[]): Promise<string[]> {
  const clean = (pattern: string) => pattern.replace(/^\.\//, '').replace(/\/$/, '');
  // The package managers leave out empty ones, too.
  const matching = (some: string[]) => picomatch(some.map(clean).filter((pattern) => pattern !== ''));
  const wanted = matching(patterns.filter((pattern) => !pattern.startsWith('!')));
  const unwanted = matching(
    patterns.filter((pattern) => pattern.startsWith('!')).map((pattern) => pattern.slice(1)),
  );
  const packages = await findPackages(files, top, patterns.some((pattern) => pattern.includes('**')) ? 6 : 4);
  return packages.filter((path) => {
    const relative = top === '.' ? path : path.slice(top.length + 1);
    return path !== top && wanted(relative) && !unwanted(relative);
  });
}

const skipped = /^(?:\..*|node_modules|bower_components|vendor|dist|build|out|coverage)$/;

/** The directories with a package.json at or below `top`, at most `depth` levels down. */
export async function findPackages(files: SourceFiles, top: string, depth: number): Promise<string[]> {
  const entries = await files.list(top);
  const found = entries.some((entry) => entry.kind === 'file' && entry.name === 'package.json') ? [top] : [];
  if (depth === 0) return found;
  for (const entry of entries) {
    if (entry.kind === 'file' || skipped.test(entry.name)) continue;
    found.push(...(await findPackages(files, joinPath(top, entry.name), depth - 1)));
  }
  return found;
}
