/** Decides whether an install may be skipped, and what must be equal for that. */
import { createHash } from 'node:crypto';
import { join, relative } from 'node:path';
import { readPlainFile } from '../../files/plain-file.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { realPathInside } from './inside.ts';

export type ModulesKey = {
  key: string;
  /** What went into the key, named for people: "package-lock.json" -> a digest of it. */
  parts: Record<string, string>;
};

export type Machine = { nodeVersion: string; managerVersion: string; platform: string; arch: string };

/**
 * The key of the node_modules that `plan` installs from the source at `top`, or why there is none.
 * Throws SOURCE_REFUSED where a file that goes into it is too large to be read.
 */
export function modulesKey(plan: BuildPlan, top: string, machine: Machine): ModulesKey | { why: string } {
  const { install, packageManager } = plan;
  if (install === null || packageManager === null)
    return { why: 'nothing is installed by a package manager' };
  if (packageManager.lockfile === null) return { why: 'there is no lockfile' };
  if (install.kind === 'given' && !isPlainInstall(install.command)) {
    return { why: 'the install command may do more than install' };
  }
  const scripted = memberWithScripts(plan, top);
  if (scripted !== null) return { why: `${scripted} has install scripts` };

  const parts: Record<string, string> = {
    'the install command': `${install.directory}: ${install.command}`,
    'the package manager': `${packageManager.name} ${machine.managerVersion}`,
    'the Node version': machine.nodeVersion,
    'the machine': `${machine.platform} ${machine.arch}`,
  };
  for (const path of plan.installInputs) {
    parts[path] = contentDigest(top, path);
  }
  const key = createHash('sha256')
    .update(JSON.stringify([1, parts]))
    .digest('hex')
    .slice(0, 32);
  return { key, parts };
}

/** The lockfile, relative to where packages are installed, if an install has changed it since `key` was made. */
export function rewrittenLockfile(plan: BuildPlan, top: string, key: ModulesKey): string[] {
  const lockfile = plan.packageManager?.lockfile ?? null;
  if (lockfile === null || plan.install === null) return [];
  const same = key.parts[lockfile] === contentDigest(top, lockfile);
  return same ? [] : [relative(plan.install.directory, lockfile)];
}

function contentDigest(top: string, path: string): string {
  const content = contentOf(top, path);
  return content === null ? 'no file' : createHash('sha256').update(content).digest('hex');
}

/** Null where there is no file: commands of the source may have put a link, a pipe or a device in its place. */
function contentOf(top: string, path: string): Buffer | null {
  const real = realPathInside(top, path);
  return real === null ? null : readPlainFile(real);
}

/** One call of a package manager's install, with options at most. */
export function isPlainInstall(command: string): boolean {
  return /^(?:npm (?:ci|i|install|clean-install)|(?:pnpm|bun|yarn) (?:install|i)|yarn)(?: --?[\w-]+(?:=[\w./-]+)?)*$/.test(
    command.trim(),
  );
}

/**
 * A workspace member whose own scripts run in an install, such as `prepare` with a build: what they make is outside of
 * node_modules. (Those of the top and of the built package run again by the plan's `afterReuse`.)
 */
function memberWithScripts(plan: BuildPlan, top: string): string | null {
  const rerun = [plan.install?.directory, plan.rootDirectory].map((directory) =>
    join(directory ?? '.', 'package.json'),
  );
  const members = plan.installInputs.filter(
    (path) => /(?:^|\/)package\.json$/.test(path) && !rerun.includes(path),
  );
  return members.find((path) => runsInInstall(contentOf(top, path)?.toString('utf8') ?? '')) ?? null;
}

function runsInInstall(text: string): boolean {
  try {
    const { scripts } = JSON.parse(text) as { scripts?: Record<string, string> };
    return ['preinstall', 'install', 'postinstall', 'prepare'].some((name) => scripts?.[name] !== undefined);
  } catch {
    // What cannot be read may do anything.
    return true;
  }
}
