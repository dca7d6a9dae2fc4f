/** Decides whether the commands of a source run isolated, prepares what they then see, and says which it is. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { BuildSpec } from '../../contract/builder-api.ts';
import { SphereError } from '../../contract/errors.ts';
import { findBubblewrap, tryBubblewrap } from '../../files/bubblewrap.ts';
import { readPlainFile } from '../../files/plain-file.ts';
import { homeCacheOf } from '../cache/places.ts';
import { homeIn, machineFor } from '../command/build-user.ts';
import type { BuildContext } from '../context.ts';
import type { ManagerName } from '../plan/package-manager.ts';
import { bubblewrapArguments } from './bubblewrap.ts';
import { openHomeCache } from './home-cache.ts';
import { mountsFor } from './machine-view.ts';
import { publicPackageSettings } from './package-settings.ts';

type Machine = Record<string, string | undefined>;

export type Isolation = {
  /** Program and arguments that commands are started through; null: as they are. */
  wrapper: readonly string[] | null;
  /** The machine's environment as the commands see it. */
  machine: Machine;
  /** Set for commands, as the framework's own names are. */
  environment: Record<string, string>;
  /** Keeps what the commands have left in `~/.cache` for the next deployment. */
  keep(): Promise<void>;
};

/** What can isolate here. `why` says, after "because" or a colon, what is missing. */
export type Isolator = { program: string; probe: string | null } | { why: string; hint: string };

export type IsolationChoice =
  | { isolated: boolean; said: string }
  /** It was required and cannot be had. */
  | { refused: string; hint: string };

/** What becomes of `wanted` where `isolator` is what there is. Pure. */
export function chooseIsolation(
  wanted: NonNullable<BuildSpec['isolation']>,
  isolator: Isolator,
): IsolationChoice {
  if (wanted === 'never')
    return { isolated: false, said: 'Commands run as you: --isolation never was given.' };
  const missing =
    'why' in isolator
      ? isolator
      : isolator.probe === null
        ? null
        : {
            why: `bubblewrap does not work on this machine (${isolator.probe})`,
            hint: 'The system must let users make namespaces; on Ubuntu 24.04 an AppArmor profile for bwrap allows it.',
          };
  if (missing === null) {
    return {
      isolated: true,
      said: 'Commands run isolated (bubblewrap): they see the source, its caches and the network, not your home directory.',
    };
  }
  if (wanted === 'auto') return { isolated: false, said: `Commands run as you: ${missing.why}.` };
  return { refused: `The commands cannot run isolated: ${missing.why}.`, hint: missing.hint };
}

/**
 * Call once per attempt, with the source in its place and before any command runs. Throws CONFIGURATION_INVALID when
 * isolation is required and cannot be had.
 */
export async function isolate(
  context: BuildContext,
  source: string,
  manager: ManagerName | null,
): Promise<Isolation> {
  const { config, spec, log, running } = context;
  const { machine, buildUser, workDirectory } = config;
  const plain = { wrapper: null, environment: {}, async keep() {} };
  // In an image that is there for one build alone: that is more than bubblewrap could do.
  if (buildUser !== null) return { ...plain, machine: machineFor(buildUser, machine, workDirectory) };

  const program = running.platform === 'linux' ? findBubblewrap(machine.PATH) : null;
  const wanted = spec.isolation ?? 'auto';
  if (program === null || wanted === 'never') {
    const isolator =
      running.platform === 'linux'
        ? {
            why: 'bubblewrap is not installed',
            hint: 'Install bubblewrap, or leave `--isolation always` out.',
          }
        : { why: 'only Linux can isolate them', hint: 'Leave `--isolation always` out.' };
    log.say(saidOrThrown(chooseIsolation(wanted, isolator)).said);
    return { ...plain, machine };
  }
  const prepared = await prepare(context, source);
  const environment = cacheNames(homeIn(workDirectory), manager);
  const tried = await tryBubblewrap(program, prepared.args);
  const { isolated, said } = saidOrThrown(
    chooseIsolation(wanted, { program, probe: 'why' in tried ? tried.why : null }),
  );
  log.say(said);
  if (!isolated || 'why' in tried) return { ...plain, machine };
  if (prepared.withheld.length > 0) {
    log.say(
      `Your npm credentials for ${prepared.withheld.join(', ')} stay out of them; a private package needs its own in the .npmrc of the source.`,
    );
  }
  return { ...prepared, wrapper: [program, ...tried.works], environment };
}

function saidOrThrown(choice: IsolationChoice): Exclude<IsolationChoice, { refused: string }> {
  if (!('refused' in choice)) return choice;
  throw new SphereError('CONFIGURATION_INVALID', choice.refused, { hint: choice.hint });
}

async function prepare(context: BuildContext, source: string) {
  const { config, running, spec } = context;
  const { machine, workDirectory: work, cacheDirectory: cache } = config;
  const home = homeIn(work);
  // Tools are fetched later, into what must be there to be seen.
  for (const directory of [home, join(home, '.cache'), join(work, 'tmp'), join(cache, 'tools')]) {
    mkdirSync(directory, { recursive: true });
  }
  const settings = packageSettings(machine);
  writeFileSync(join(home, '.npmrc'), settings.text);
  // Programs behave otherwise for root, and have no right of root's here.
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const ids = { uid: own.uid || ordinaryId, gid: own.gid || ordinaryId };
  const fresh = spec.noCache ? join(home, '.cache') : null;
  const homeCache = await openHomeCache(homeCacheOf(context), fresh);
  const mounts = mountsFor(machine, running.program, {
    work,
    cache,
    home,
    homeCache: homeCache.directory,
    objects: borrowedObjects(source).filter((path) => path.startsWith(`${cache}/git/`)),
    named: settings.paths,
    accounts: writeAccounts(work, home, ids),
  });
  return {
    args: bubblewrapArguments({ mounts, ...ids }),
    machine: isolatedMachine(machine, home),
    withheld: settings.withheld,
    keep: homeCache.keep,
  };
}

const ordinaryId = 1000;

function packageSettings(machine: Machine) {
  const file = machine.npm_config_userconfig ?? join(machine.HOME ?? homedir(), '.npmrc');
  return publicPackageSettings(existsSync(file) ? readFileSync(file, 'utf8') : '');
}

/** The user alone: the names of a machine's accounts are nobody's business. */
function writeAccounts(work: string, home: string, { uid, gid }: { uid: number; gid: number }) {
  const accounts = { passwd: join(work, 'passwd'), group: join(work, 'group') };
  writeFileSync(
    accounts.passwd,
    `build:x:${uid}:${gid}:build:${home}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n`,
  );
  writeFileSync(accounts.group, `build:x:${gid}:\nnogroup:x:65534:\n`);
  return accounts;
}

/** Where git finds the objects that are not in the source's own repository. */
function borrowedObjects(source: string): string[] {
  try {
    const text = readPlainFile(join(source, '.git', 'objects', 'info', 'alternates'))?.toString('utf8') ?? '';
    return text.split('\n').filter((line) => line === resolve(line));
  } catch {
    return [];
  }
}

/** Names that lead into the user's home. */
const homeNames =
  /^(?:XDG_\w+|TMPDIR|SHELL|npm_config_(?:cache|userconfig|globalconfig|store_dir)|yarn_(?:cache_folder|global_folder)|bun_install_cache_dir)$/i;

/** The machine's environment for isolated commands. */
export function isolatedMachine(machine: Machine, home: string): Machine {
  const kept = Object.entries(machine).filter(([name]) => !homeNames.test(name));
  return { ...Object.fromEntries(kept), HOME: home, USER: 'build', LOGNAME: 'build', TMPDIR: '/tmp' };
}

/** Downloads of package managers that would not be kept in `~/.cache` by themselves. */
function cacheNames(home: string, manager: ManagerName | null): Record<string, string> {
  const at = (name: string) => join(home, '.cache', name);
  return {
    npm_config_cache: at('npm'),
    // npm warns of what it does not know, and pnpm 11 reads its own names only.
    ...(manager === 'pnpm'
      ? { npm_config_store_dir: at('pnpm-store'), pnpm_config_store_dir: at('pnpm-store') }
      : {}),
    YARN_GLOBAL_FOLDER: at('yarn-berry'),
    BUN_INSTALL_CACHE_DIR: at('bun'),
  };
}
