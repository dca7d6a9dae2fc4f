/** The built CLI on a data directory of the benchmark's own, which is gone afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { timed } from './measure.mjs';

export const cli = join(import.meta.dirname, '..', '..', 'dist', 'cli', 'main.cjs');

/** Calls `use` with a directory that is removed when it ends. */
export async function inTemporaryDirectory(use) {
  const directory = mkdtempSync(join(tmpdir(), 'sphere-bench-'));
  try {
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The environment for `sphere` on `home`. `bare` leaves out what makes every start of this Node slower. */
export function environmentFor(home, { bare = false } = {}) {
  const { NODE_EXTRA_CA_CERTS, ...rest } = process.env;
  // The machine's own settings for Sphere are not part of the figures.
  const ours = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('SPHERE_')));
  return {
    ...ours,
    ...(bare || NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }),
    SPHERE_HOME: home,
  };
}

/** Starts a plane on `home` and waits until it answers: how long that took, its resident bytes, and how to end it. */
export async function startPlane(home, options) {
  const file = join(home, 'plane.json');
  const env = environmentFor(home, options);
  const started = performance.now();
  const child = spawn(process.execPath, [cli, 'server'], { env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (!existsSync(file) || !(await answers(file))) {
    if (child.exitCode !== null) throw new Error(`the plane ended with exit code ${child.exitCode}`);
    await sleep(5);
  }
  const ms = performance.now() - started;
  return {
    ms,
    async residentBytes() {
      const { stdout } = await timed(process.execPath, [cli, 'server', 'status', '--json'], { env });
      return JSON.parse(stdout).memory;
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function answers(file) {
  try {
    const { url } = JSON.parse(readFileSync(file, 'utf8'));
    return (await fetch(`${url}/v1/health`)).ok;
  } catch {
    return false;
  }
}
