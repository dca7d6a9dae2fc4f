/** A lock between builds of one machine that a killed build does not leave closed for ever. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

/** Takes the lock, and returns what gives it back; null when another living process has it. Never waits. */
export function takeLock(file: string): (() => void) | null {
  if (!create(file)) {
    if (isHeld(file)) return null;
    rmSync(file, { force: true });
    if (!create(file)) return null;
  }
  return () => rmSync(file, { force: true });
}

function create(file: string): boolean {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Whether the process that is named in the lock still runs. One in doubt is taken to. */
function isHeld(file: string): boolean {
  let pid: number;
  try {
    pid = Number(readFileSync(file, 'utf8'));
  } catch {
    return false;
  }
  // Just made, and not yet written.
  if (!(pid > 0)) return true;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
