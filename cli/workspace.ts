/**
 * Packages of a workspace: they are installed from the top, where lockfile and sibling packages are, so that deploying
 * one from its own directory must send the whole.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Settings } from './settings.ts';

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
  if (!existsSync(path.join(directory, 'package.json')) || isTop(directory)) return null;
  if (lockfiles.some((name) => existsSync(path.join(directory, name)))) return null;
  for (let at = directory; !existsSync(path.join(at, '.git')) && at !== path.dirname(at); ) {
    at = path.dirname(at);
    if (isTop(at)) return at;
  }
  return null;
}

function isTop(directory: string): boolean {
  if (existsSync(path.join(directory, 'pnpm-workspace.yaml'))) return true;
  try {
    const text = readFileSync(path.join(directory, 'package.json'), 'utf8');
    return (JSON.parse(text) as { workspaces?: unknown }).workspaces !== undefined;
  } catch {
    return false;
  }
}

/** `settings` for a source that begins at `top`, while they were written for `directory` below it. Pure. */
export function settingsFromTop(settings: Settings, directory: string, top: string): Settings {
  const inside = settings.build.rootDirectory?.value ?? settings.fileBuild.rootDirectory ?? '.';
  const value = path.relative(top, path.join(directory, inside)).split(path.sep).join('/');
  return {
    ...settings,
    build: {
      ...settings.build,
      rootDirectory: { value, from: `the package's place in the workspace ${top}` },
    },
  };
}
