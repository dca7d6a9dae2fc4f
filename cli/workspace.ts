/**
 * Packages of a workspace: they are installed from the top, where lockfile and sibling packages are, so that deploying
 * one from its own directory must send the whole.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const lockfiles = [
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'yarn.lock',
  'bun.lock',
  'bun.lockb',
];

/**
 * The top of the workspace that `directory` is a package of, or null. A package with a lockfile of its own is installed
 * by itself; the search ends at the top of the Git repository.
 */
export function workspaceTop(directory: string): string | null {
  const isPackage = ['package.json', 'project.json'].some((name) => existsSync(path.join(directory, name)));
  if (!isPackage || isWorkspaceTop(directory)) return null;
  if (lockfiles.some((name) => existsSync(path.join(directory, name)))) return null;
  for (let at = directory; !existsSync(path.join(at, '.git')) && at !== path.dirname(at); ) {
    at = path.dirname(at);
    if (isWorkspaceTop(at)) return at;
  }
  return null;
}

/** Whether packages below `directory` are installed from there: workspaces of npm, pnpm, Yarn and Bun, and Nx. */
export function isWorkspaceTop(directory: string): boolean {
  if (['pnpm-workspace.yaml', 'nx.json'].some((name) => existsSync(path.join(directory, name)))) return true;
  try {
    const text = readFileSync(path.join(directory, 'package.json'), 'utf8');
    return (JSON.parse(text) as { workspaces?: unknown }).workspaces !== undefined;
  } catch {
    return false;
  }
}

/** Where `directory` is below `top`, as settings have it: with `/` between its parts. */
export function relativePath(top: string, directory: string): string {
  return path.relative(top, directory).split(path.sep).join('/');
}
