/** What processes have cost until now, as Linux counts it: CPU in milliseconds and resident bytes. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux's USER_HZ, which is 100 wherever Node runs. */
const tickMs = 10;

function fieldsOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field, a name in parentheses, may hold anything.
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

/** CPU time of `pid`, in milliseconds. */
export function cpuMs(pid) {
  const [, , , , , , , , , , , user, system] = fieldsOf(pid);
  return (user + system) * tickMs;
}

/** CPU time of the parent of `child`, of its children and of those that have ended. */
export function familyCpuMs(child) {
  const parent = fieldsOf(child)[1];
  const own = fieldsOf(parent);
  const ended = (own[13] + own[14]) * tickMs;
  let sum = cpuMs(parent) + ended;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (fieldsOf(name)[1] === parent) sum += cpuMs(name);
    } catch {
      // It has ended meanwhile.
    }
  }
  return sum;
}

/** Resident memory of `pid` in MB. */
export function residentMb(pid) {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kilobytes) * 1024) / 1e6;
}
