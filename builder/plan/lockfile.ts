/** Tells whether a lockfile belongs to the package.json beside it, because stale second ones are common. */
import { parse as parseJsonc } from 'jsonc-parser';
import type { PackageJson } from './package-json.ts';

/** `stale`: a dependency is missing in it or has another range, so that a frozen install would refuse it. */
export type LockfileState = 'fits' | 'stale' | 'unknown';

/** Compares the dependencies that package.json names with those that the lockfile was made for. */
export function compareLockfile(name: string, text: string, packageJson: PackageJson): LockfileState {
  const isLocked = lockedIn(name, text);
  if (isLocked === null) return 'unknown';
  const missing = Object.entries(packageJson.dependencies).filter((dependency) => !isLocked(dependency));
  if (missing.length === 0) return 'fits';
  // Overrides are written into the locks of yarn and pnpm in place of the ranges.
  return packageJson.overrides || text.includes('\noverrides:') ? 'unknown' : 'stale';
}

type Dependency = [name: string, range: string];

function lockedIn(name: string, text: string): ((dependency: Dependency) => boolean) | null {
  if (name === 'bun.lockb') return null;
  if (name === 'yarn.lock') return (dependency) => inYarnLock(text, dependency);
  if (name === 'pnpm-lock.yaml') return (dependency) => inPnpmLock(text, dependency);
  const root = name === 'bun.lock' ? bunRoot(text) : npmRoot(text);
  if (root === null) return null;
  const locked = Object.assign({}, ...dependencyFields.map((field) => root[field] ?? {}));
  return ([key, range]) => locked[key] === range;
}

const dependencyFields = ['optionalDependencies', 'devDependencies', 'dependencies'];

type Locked = Record<string, Record<string, string> | undefined>;

/** Version 1, up to npm 6, keeps no ranges. */
function npmRoot(text: string): Locked | null {
  return readJson(text)?.packages?.[''] ?? null;
}

function bunRoot(text: string): Locked | null {
  return readJson(text)?.workspaces?.[''] ?? null;
}

function readJson(text: string): Record<string, Record<string, Locked>> | null {
  return parseJsonc(text, [], { allowTrailingComma: true }) ?? null;
}

function inYarnLock(text: string, [key, range]: Dependency): boolean {
  // Only the registry's ranges are written alike by every version of yarn.
  if (!/^[\d^~<>=*xX|. -]+$/.test(range)) return text.includes(`${key}@`);
  return text.includes(`${key}@${range}`) || text.includes(`${key}@npm:${range}`);
}

function inPnpmLock(text: string, [key, range]: Dependency): boolean {
  // `catalog:`, `workspace:` and overrides are resolved by pnpm; for these the name has to do.
  const named = text.includes(`\n      ${key}:`) || text.includes(`'${key}':`) || text.includes(`  ${key}:`);
  if (!named || !/^[\d^~.]+$/.test(range)) return named;
  return (
    text.includes(`specifier: ${range}`) || text.includes(`specifier: '${range}'`) || isOld(text, key, range)
  );
}

/** Up to pnpm 7 the ranges are in a mapping of their own. */
function isOld(text: string, key: string, range: string): boolean {
  return text.includes(`  ${key}: ${range}`) || text.includes(`  '${key}': ${range}`);
}
