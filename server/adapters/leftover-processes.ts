/**
 * Processes that a build has left running: daemons of tools, and whatever else made itself a session of its own, which no
 * signal to the build's process group reaches. They are told by what they inherited: a PATH into the attempt's directory.
 * Only Linux shows that; a process that was started with an environment of its own is not found.
 */
import { readdir, readFile } from 'node:fs/promises';

/** A process may start another while they are looked for. */
const rounds = 5;

/** Kills (SIGKILL) every process whose PATH leads into `directory`, an absolute path that is the attempt's alone. */
export async function killLeftovers(directory: string): Promise<void> {
  if (process.platform !== 'linux') return;
  for (let round = 0; round < rounds; round++) {
    const found = await leftovers(directory);
    if (found.length === 0) return;
    for (const pid of found) kill(pid);
  }
}

async function leftovers(directory: string): Promise<number[]> {
  const pids = (await readdir('/proc'))
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const belongs = await Promise.all(pids.map((pid) => hasPathInto(directory, pid)));
  return pids.filter((_, index) => belongs[index]);
}

/** False for processes that have ended, whose environment is empty, and for those of other users. */
async function hasPathInto(directory: string, pid: number): Promise<boolean> {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  const path = environment.split('\0').find((entry) => entry.startsWith('PATH=')) ?? '';
  return path
    .slice('PATH='.length)
    .split(':')
    .some((entry) => entry.startsWith(`${directory}/`));
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
