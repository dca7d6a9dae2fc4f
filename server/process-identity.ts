/** Telling one process from another that got the same pid later: the pid and when it started. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export type ProcessIdentity = { pid: number; startedAt: string };

/**
 * When the process `pid` started, in the platform's own words, or null when there is none (or a zombie, which is
 * over). Linux: clock ticks since boot and the boot's id, so that a reboot changes it (proc(5), field 22 of stat);
 * elsewhere what `ps` prints.
 */
export async function processStart(pid: number): Promise<string | null> {
  if (process.platform === 'linux') return linuxStart(pid);
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)]);
    const text = stdout.trim();
    return text === '' || text.startsWith('Z') ? null : text.replace(/^\S+\s+/, '');
  } catch {
    return null;
  }
}

async function linuxStart(pid: number): Promise<string | null> {
  try {
    const [text, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ]);
    // The second field is the program's name in parentheses and may hold anything, spaces and parentheses included.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : `${fields[19]} ${boot.trim()}`;
  } catch {
    return null;
  }
}

/** This process. */
export async function ownIdentity(): Promise<ProcessIdentity> {
  return { pid: process.pid, startedAt: (await processStart(process.pid)) ?? '' };
}

/** Whether exactly this process still runs. */
export async function isRunning({ pid, startedAt }: ProcessIdentity): Promise<boolean> {
  return (await processStart(pid)) === startedAt;
}
