/** A command in bubblewrap: how it is started, and how nothing of it is left once it has ended. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { SphereError } from '../../contract/errors.ts';

/** Where bubblewrap writes which process is the first of the command's own. */
export const statusDescriptor = 4;

/**
 * The most processes and threads of a command: a big build on a big machine has a thousand. Since Linux 5.14 the kernel
 * counts them per user namespace (commit 21d1c5e386bc), so that this one's are not those of the user; before, a desktop
 * alone could be above it. It does not hold for a plane that runs as root.
 */
const mostProcesses = 4096;

/** Program and arguments that run `command` in `directory` through `wrapper`. */
export function isolatedCommand(
  wrapper: readonly string[],
  { command, directory }: { command: string; directory: string },
): string[] {
  // dash calls the limit of processes -p, bash calls it -u.
  const limit = countsPerNamespace(release())
    ? `ulimit -u ${mostProcesses} 2>/dev/null || ulimit -p ${mostProcesses} 2>/dev/null\n`
    : '';
  return [
    ...wrapper,
    ...['--json-status-fd', String(statusDescriptor), '--chdir', directory],
    ...['/bin/sh', '-c', `${limit}exec /bin/sh -c "$1"`, 'sh', command],
  ];
}

/** Whether a Linux of this release counts processes per user namespace. */
export function countsPerNamespace(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 14);
}

/** How long the kernel may take to end what it was told to end, and how often is looked. */
const patienceMs = 5_000;
const lookMs = 2;

/**
 * Follows the first process of a sandbox. It is the init of the sandbox's processes: when it is gone, so are they all,
 * whatever session they are in. `end` kills it and resolves then; throws INFRASTRUCTURE when it stays.
 */
export function watchSandbox(status: Readable): { end(): Promise<void> } {
  let text = '';
  let first: { pid: number; startedAt: string } | null = null;
  status.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    const pid = /"child-pid":\s*(\d+)/.exec(text)?.[1];
    if (pid === undefined || first !== null) return;
    const startedAt = startOf(Number(pid));
    if (startedAt !== null) first = { pid: Number(pid), startedAt };
  });
  status.on('error', () => {});
  return {
    async end() {
      for (let waited = 0; first !== null && startOf(first.pid) === first.startedAt; waited += lookMs) {
        if (waited > patienceMs) {
          throw new SphereError(
            'INFRASTRUCTURE',
            'Programs that a command has left running could not be ended.',
          );
        }
        kill(first.pid);
        await delay(lookMs);
      }
      status.destroy();
    },
  };
}

/** When the process started; null when it is none, or has ended and waits to be collected. */
function startOf(pid: number): string | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\)\s/s, '')
      .split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
