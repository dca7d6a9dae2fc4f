/**
 * The user as whom the commands of a source run where the builder itself runs as root, as it does in the image of a
 * hosted plane: they can neither read the builder's environment, memory and files nor signal it, and nothing of theirs
 * is left when a command has ended, whatever process group it has put itself into.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SphereError } from '../../contract/errors.ts';
import { runQuiet } from './run-quiet.ts';

export type BuildUser = { uid: number; gid: number };

type Machine = Record<string, string | undefined>;

/** How often leftovers are killed before it is given up: a process may be in a system call that cannot be interrupted. */
const rounds = 200;
const roundMs = 25;

/** Reads `uid:gid`; null for anything else, and for root. */
export function parseBuildUser(text: string): BuildUser | null {
  const match = /^([1-9]\d{0,9}):([1-9]\d{0,9})$/.exec(text);
  return match === null ? null : { uid: Number(match[1]), gid: Number(match[2]) };
}

/** The home of `user`'s commands, for this attempt alone. */
export function homeIn(workDirectory: string): string {
  return join(workDirectory, 'home');
}

/** The machine's environment as the commands see it: the builder's own home is not theirs. */
export function machineFor(user: BuildUser | null, machine: Machine, workDirectory: string): Machine {
  if (user === null) return machine;
  return { ...machine, HOME: homeIn(workDirectory), USER: 'build', LOGNAME: 'build' };
}

/** Gives the source to `user`, and makes its home. Links are given away themselves, not what they point to. */
export async function handOver(
  user: BuildUser,
  { source, workDirectory }: { source: string; workDirectory: string },
  context: { environment: Machine; signal: AbortSignal },
): Promise<void> {
  const home = homeIn(workDirectory);
  mkdirSync(home, { recursive: true });
  const result = await runQuiet(
    'chown',
    ['-R', '-P', '-h', `${user.uid}:${user.gid}`, source, home],
    context,
  );
  if (result.exitCode === 0) return;
  throw new SphereError('INFRASTRUCTURE', 'The source could not be given to the user that builds it.', {
    hint: 'The builder runs as root where SPHERE_BUILD_USER is set, and needs the capabilities that infra/aws/sphere.yaml leaves it.',
    details: result.lastLines,
  });
}

/**
 * Kills every process of `user`. Resolves when none is left. Throws INFRASTRUCTURE when some cannot be killed: what they
 * would change under the builder's eyes must not be published.
 *
 * In two ways, because neither is enough. One by one, as root, ends those that kill whatever comes after them; a chain
 * of processes, each of which starts the next and ends, can be missing from every list. All at once, as the
 * user, ends the chain, if the one who does it is not killed before.
 */
export async function endProcessesOf(user: BuildUser): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const pid of processesOf(user)) kill(pid);
    if ((await killAll(user)) && processesOf(user).length === 0) return;
    await delay(roundMs);
  }
  throw new SphereError('INFRASTRUCTURE', 'Programs that the build has left running could not be ended.');
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The kernel kills all that `user` may signal in one go. Resolves to whether it came to that. */
function killAll({ uid, gid }: BuildUser): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', 'kill -KILL -1'], { uid, gid, cwd: '/', env: {}, stdio: 'ignore' });
    child.once('error', reject);
    // `kill -1` spares its caller: a signal that ended it came from somebody else.
    child.once('exit', (_, signal) => resolve(signal === null));
  });
}

/** The processes that run under any of their user ids as `user`. Ended ones that wait to be collected do nothing more. */
function processesOf({ uid }: BuildUser): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      if (/^State:\s+[ZX]/m.test(status)) return false;
      const ids = /^Uid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
      return ids.includes(String(uid));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // It ended while it was looked at.
      if (code === 'ENOENT' || code === 'ESRCH') return false;
      throw error;
    }
  });
}
