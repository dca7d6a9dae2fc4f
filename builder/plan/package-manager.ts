/** Decides which package manager a source uses, in which version, and how it installs. */
import { resolveCommand } from 'package-manager-detector/commands';
import { LOCKS } from 'package-manager-detector/constants';
import semver from 'semver';
import type { Detection } from '../../contract/api.ts';
import type { PlannedManager } from './build-plan.ts';
import { compareLockfile, type LockfileState } from './lockfile.ts';
import type { PackageJson } from './package-json.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

export const managerNames = ['npm', 'pnpm', 'yarn', 'bun'] as const;
export type ManagerName = (typeof managerNames)[number];

type Lock = { name: string; manager: ManagerName; text: string; state: LockfileState };

/**
 * Lockfiles that are read, in the order in which they are believed when nothing else decides: a package-lock.json comes
 * into being by one stray `npm install`, the others by somebody's choice.
 */
const lockfileNames = Object.entries(LOCKS).filter(
  (entry): entry is [string, ManagerName] =>
    managerNames.includes(entry[1] as ManagerName) && entry[0] !== 'pnpm-workspace.yaml',
);

export type ManagerFindings = {
  manager: PlannedManager;
  installCommand: string;
  detections: Detection[];
  warnings: string[];
};

/** Looks in `directory`, where packages are installed, whose package.json is `packageJson`. */
export async function detectPackageManager(
  files: SourceFiles,
  directory: string,
  packageJson: PackageJson,
): Promise<ManagerFindings> {
  const locks = await readLocks(files, directory, packageJson);
  const choice = await chooseManager(files, directory, packageJson, locks);
  const lock = locks.find((candidate) => candidate.manager === choice.name) ?? null;
  const berry = choice.name === 'yarn' && (await isBerry(files, directory, choice.version, lock));
  const version = choice.version ?? versionFrom(choice.name, berry, lock, packageJson);
  const others = locks.filter((other) => other.manager !== choice.name).map((other) => other.name);
  const warnings: string[] = [];
  if (others.length > 0) {
    const using = lock === null ? choice.name : lock.name;
    warnings.push(`More than one lockfile: using ${using} (${choice.why}), not ${others.join(' or ')}.`);
  }
  if (lock === null && Object.keys(packageJson.dependencies).length > 0) {
    warnings.push('There is no lockfile, so versions may differ from yours, and from build to build.');
  }
  if (lock?.state === 'stale') {
    warnings.push(`${lock.name} does not match package.json, so versions may differ from build to build.`);
  }
  const manager: PlannedManager = {
    name: choice.name,
    ...(choice.name === 'yarn' ? { flavour: berry ? 'berry' : 'classic' } : {}),
    version,
    npmPackage: npmPackageOf(choice.name, berry, version),
    lockfile: lock === null ? null : joinPath(directory, lock.name),
  };
  const shown = choice.name === 'npm' ? 'npm' : `${choice.name} ${version}`;
  return {
    manager,
    installCommand: installCommandOf(manager, lock),
    detections: [{ what: 'package manager', value: shown, why: choice.why }],
    warnings,
  };
}

async function readLocks(files: SourceFiles, directory: string, packageJson: PackageJson): Promise<Lock[]> {
  const found = await Promise.all(
    lockfileNames.map(async ([name, manager]): Promise<Lock[]> => {
      const text = await files.read(joinPath(directory, name));
      return text === null ? [] : [{ name, manager, text, state: compareLockfile(name, text, packageJson) }];
    }),
  );
  // Of `bun.lock` and `bun.lockb` the first is the one that is kept up to date.
  return found.flat().filter((lock, at, all) => all.findIndex((l) => l.manager === lock.manager) === at);
}

type Choice = { name: ManagerName; version: string | null; why: string };

async function chooseManager(
  files: SourceFiles,
  directory: string,
  packageJson: PackageJson,
  locks: Lock[],
): Promise<Choice> {
  const named = /^\^?(npm|pnpm|yarn|bun)@?([^+]*)/.exec(packageJson.packageManager ?? '');
  if (named !== null) {
    const version = semver.validRange(named[2] ?? '') === null || named[2] === '' ? null : (named[2] ?? null);
    return { name: named[1] as ManagerName, version, why: `${packageJson.path} names ${named[0]}` };
  }
  const choose = (name: ManagerName, why: string): Choice => ({ name, version: null, why });
  const [only, second] = locks;
  if (only === undefined) {
    const hint = await managerOfSettings(files, directory);
    if (hint !== null) return choose(hint.name, `found ${hint.file}`);
    const [wanted] = managerNames.filter((name) => name !== 'npm' && packageJson.engines[name] !== undefined);
    if (wanted !== undefined) return choose(wanted, `engines.${wanted} in ${packageJson.path}`);
    const scripts = Object.values(packageJson.scripts).join('\n');
    const [called, another] = managerNames.filter((name) => name !== 'npm' && mentions(scripts, name));
    if (called !== undefined && another === undefined) return choose(called, `the scripts call ${called}`);
    return choose('npm', 'no lockfile and no packageManager field');
  }
  if (second === undefined) return choose(only.manager, `found ${joinPath(directory, only.name)}`);
  return chooseAmong(files, directory, packageJson, locks);
}

/** The evidence for one of several lockfiles, strongest first. */
async function chooseAmong(
  files: SourceFiles,
  directory: string,
  packageJson: PackageJson,
  locks: Lock[],
): Promise<Choice> {
  const pick = (lock: Lock, why: string): Choice => ({ name: lock.manager, version: null, why });
  // A lockfile that does not match package.json is one that nobody uses any more.
  const fresh = locks.filter((lock) => lock.state !== 'stale');
  const [first, another] = fresh;
  if (first !== undefined && another === undefined) return pick(first, 'only it matches package.json');
  const left = fresh.length > 0 ? fresh : locks;
  const scripts = Object.values(packageJson.scripts).join('\n');
  const spoken = left.filter((lock) => mentions(scripts, lock.manager));
  if (spoken.length === 1 && spoken[0] !== undefined)
    return pick(spoken[0], `the scripts call ${spoken[0].manager}`);
  const hint = await managerOfSettings(files, directory);
  const configured = left.find((lock) => lock.manager === hint?.name);
  if (configured !== undefined) return pick(configured, `found ${hint?.file}`);
  // What a bun.lockb was made for cannot be read: another that is known to match is the safer one.
  const fitting = left.filter((lock) => lock.state === 'fits');
  if (fitting.length === 1 && fitting[0] !== undefined) {
    return pick(fitting[0], 'only it is known to match package.json');
  }
  const times = await Promise.all(
    left.map(async (lock) => (await files.changedAt?.(joinPath(directory, lock.name))) ?? null),
  );
  const newest = Math.max(...times.map((time) => time ?? Number.NEGATIVE_INFINITY));
  const latest = left.filter((_, index) => times[index] === newest);
  if (latest.length === 1 && latest[0] !== undefined) return pick(latest[0], 'it changed last');
  return pick(left[0] as Lock, 'nothing else tells them apart');
}

function mentions(scripts: string, manager: ManagerName): boolean {
  return new RegExp(`(?:^|[\\s"'&|;(])${manager}x?\\s`, 'm').test(scripts);
}

async function managerOfSettings(
  files: SourceFiles,
  directory: string,
): Promise<{ name: ManagerName; file: string } | null> {
  const settings: [string, ManagerName][] = [
    ['pnpm-workspace.yaml', 'pnpm'],
    ['.yarnrc.yml', 'yarn'],
    ['.yarnrc', 'yarn'],
    ['bunfig.toml', 'bun'],
  ];
  for (const [file, name] of settings) {
    if (await files.exists(joinPath(directory, file))) return { name, file: joinPath(directory, file) };
  }
  return null;
}

async function isBerry(
  files: SourceFiles,
  directory: string,
  version: string | null,
  lock: Lock | null,
): Promise<boolean> {
  if (version !== null) return (semver.minVersion(version)?.major ?? 1) > 1;
  if (lock !== null) return lock.text.includes('__metadata:');
  return files.exists(joinPath(directory, '.yarnrc.yml'));
}

/** The version by which the lockfile was written, within what `engines` allows. */
function versionFrom(name: ManagerName, berry: boolean, lock: Lock | null, packageJson: PackageJson): string {
  const major = majorFrom(name, berry, lock);
  const wanted = packageJson.engines[name];
  if (wanted === undefined || semver.validRange(wanted) === null) return major;
  return semver.intersects(major, wanted) ? major : wanted;
}

function majorFrom(name: ManagerName, berry: boolean, lock: Lock | null): string {
  if (name === 'pnpm') {
    const format = /^lockfileVersion:\s*'?([\d.]+)/m.exec(lock?.text ?? '')?.[1] ?? '9.0';
    if (format.startsWith('5.')) return format === '5.4' ? '7' : '6';
    return format.startsWith('6.') ? '8' : '10';
  }
  if (name === 'yarn') {
    if (!berry) return '1';
    const format = Number(/__metadata:\s+version:\s*(\d+)/.exec(lock?.text ?? '')?.[1] ?? 8);
    return format >= 7 ? '4' : format >= 5 ? '3' : '2';
  }
  return name === 'bun' ? '1' : '*';
}

function npmPackageOf(name: ManagerName, berry: boolean, version: string): string | null {
  if (name === 'npm') return null;
  return `${berry ? '@yarnpkg/cli-dist' : name}@${version}`;
}

function installCommandOf(manager: PlannedManager, lock: Lock | null): string {
  const frozen = lock !== null && lock.state !== 'stale';
  switch (manager.name) {
    case 'npm':
      return `npm ${frozen ? 'ci' : 'install'} --prefer-offline --no-audit --no-fund`;
    case 'pnpm':
      return `pnpm install ${frozen ? '--frozen-lockfile' : '--no-frozen-lockfile'} --prefer-offline`;
    case 'yarn':
      if (manager.flavour === 'berry') return `yarn install ${frozen ? '--immutable' : '--no-immutable'}`;
      return `yarn install ${frozen ? '--frozen-lockfile ' : ''}--prefer-offline --non-interactive`;
    case 'bun':
      return `bun install${frozen ? ' --frozen-lockfile' : ''}`;
  }
}

/** The command that runs a script of package.json. */
export function runScript(manager: PlannedManager, script: string): string {
  return commandOf(manager, 'run', [/^[\w:@./-]+$/.test(script) ? script : `'${script}'`]);
}

/** The command that runs a program from the installed packages. */
export function runProgram(manager: PlannedManager, command: string): string {
  return commandOf(manager, 'execute-local', command.split(' '));
}

function commandOf(manager: PlannedManager, kind: 'run' | 'execute-local', args: string[]): string {
  const agent = manager.flavour === 'berry' ? 'yarn@berry' : manager.name;
  const resolved = resolveCommand(agent, kind, args);
  if (resolved === null) throw new Error(`no way to ${kind} with ${agent}`);
  return [resolved.command, ...resolved.args].join(' ');
}

/** What keeps a package manager from calling home or from replacing itself, which needs a registry with signatures. */
export const managerEnvironment: Record<ManagerName, Record<string, string>> = {
  npm: {},
  pnpm: {
    npm_config_manage_package_manager_versions: 'false',
    pnpm_config_manage_package_manager_versions: 'false',
  },
  yarn: { YARN_ENABLE_TELEMETRY: '0' },
  bun: {},
};
