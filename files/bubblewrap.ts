/** Finds bubblewrap, the program that isolates commands on Linux, and asks whether it works on this machine. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** Where distributions put it. Looked at first: a PATH may lead into a project's node_modules. */
const usual = ['/usr/bin', '/usr/local/bin', '/bin', '/run/current-system/sw/bin'];

/** The absolute path of the program, or null. `path`: the machine's PATH. */
export function findBubblewrap(path: string | undefined): string | null {
  const own = (path ?? '').split(delimiter).filter((at) => isAbsolute(at) && !at.includes('node_modules'));
  return [...usual, ...own].map((at) => join(at, 'bwrap')).find(isProgram) ?? null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Since bubblewrap 0.8, and not in every container: without it, commands may make namespaces of their own. */
const optional = '--disable-userns';

/**
 * Namespaces of its own for all but the network, no capability, and no way to make further namespaces, in which the
 * kernel would offer more of itself. It ends with the process that started it.
 */
export const bubblewrapNamespaces = [
  ...['--die-with-parent', '--new-session', '--cap-drop', 'ALL', optional],
  ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
  // The name of the machine is nobody's business, and programs that look up their own must find it.
  ...['--hostname', 'localhost'],
];

/** How long a machine may take for what takes 10 ms. */
const patienceMs = 10_000;

export type Tried = { works: string[] } | { why: string };

/**
 * The arguments with which `program` runs a shell, as `args` or with less; else what it said: systems may forbid users to
 * make namespaces (Ubuntu 24.04 does by AppArmor, containers do by seccomp).
 */
export async function tryBubblewrap(program: string, args: readonly string[]): Promise<Tried> {
  const why = await failureOf(program, args);
  if (why === null) return { works: [...args] };
  const fewer = args.filter((argument) => argument !== optional);
  return (await failureOf(program, fewer)) === null ? { works: fewer } : { why };
}

function failureOf(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { env: {}, cwd: '/', timeout: patienceMs };
    execFile(program, [...args, '/bin/sh', '-c', ':'], options, (error, _, stderr) => {
      resolve(error === null ? null : (stderr.trim().split('\n').at(-1) ?? '') || error.message);
    });
  });
}

/** Arguments for `tryBubblewrap` where nothing is to be run yet. */
export const bubblewrapProbe = [
  ...bubblewrapNamespaces,
  ...['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev'],
];
