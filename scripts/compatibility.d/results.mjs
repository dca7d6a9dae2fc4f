/** What is kept of the trials, as JSON; `scripts/generate/compatibility.ts` says what its fields mean. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

/** Today's run: its date, Sphere's version and the machine. */
export function describeRun() {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8'));
  const system = /^PRETTY_NAME="([^"]+)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  const npm = execFileSync('npm', ['--version'], { encoding: 'utf8' }).trim();
  return {
    date: new Date().toISOString().slice(0, 10),
    sphere: version,
    machine: `${system}, ${cpus().length} cores, Node ${process.versions.node}, npm ${npm}`,
  };
}

/**
 * `kept` with `result` in the place of the earlier one for the same repository, commit and root. A cause that somebody
 * wrote down stays as long as the same failure is seen.
 */
export function withResult(kept, result, about) {
  const at = kept.results.findIndex((other) => isSameTrial(other, result));
  const before = kept.results[at];
  const again =
    before?.error?.code === result.error?.code && before?.error?.message === result.error?.message;
  const next = again && before?.cause !== undefined ? { ...result, cause: before.cause } : result;
  const results = at < 0 ? [...kept.results, next] : kept.results.with(at, next);
  const used = new Set(results.map(({ run }) => run));
  const runs = { ...kept.runs, [result.run]: about };
  return { runs: Object.fromEntries(Object.entries(runs).filter(([date]) => used.has(date))), results };
}

function isSameTrial(one, other) {
  return one.repository === other.repository && one.commit === other.commit && one.root === other.root;
}
