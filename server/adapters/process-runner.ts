/**
 * Builders as child processes of this machine: they outlive the plane, and are found again by pid and start time. What a
 * builder starts does not outlive it (see `builder/command/run-command.ts`), so that ending the builder ends all of it but
 * what has left its process group, which the clean-up looks for.
 */
import { spawn } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BuildRunner, RunnerRef } from '../ports.ts';
import { isRunning, processStart } from '../process-identity.ts';
import { killLeftovers } from './leftover-processes.ts';

/** From SIGTERM to SIGKILL: the builder itself gives its commands 5 s. */
const graceMs = 8_000;
const pollMs = 50;

export type ProcessRunnerOptions = {
  /** The builder's entry file. */
  builderFile: string;
  /** Each attempt gets a directory of its own in here. */
  buildsDirectory: string;
  cacheDirectory: string;
  planeUrl: string;
  /** What builders inherit of the plane's environment. */
  environment: NodeJS.ProcessEnv;
};

/** Runs `builderFile` with this Node, one process group per attempt. */
export function createProcessRunner(options: ProcessRunnerOptions): BuildRunner {
  const directoryOf = (build: { deployment: string; attempt: number }) =>
    join(options.buildsDirectory, `${build.deployment}-${build.attempt}`);
  /** Exit codes of the builders that this plane started itself. */
  const ended = new Map<string, { exitCode: number | null; signal: string | null }>();
  const keyOf = (ref: RunnerRef) => `${ref.pid} ${ref.startedAt}`;

  return {
    async start(build) {
      const directory = directoryOf(build);
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const output = await open(join(directory, 'builder.log'), 'a', 0o600);
      try {
        const child = spawn(process.execPath, [options.builderFile], {
          cwd: directory,
          detached: true,
          stdio: ['ignore', output.fd, output.fd],
          env: {
            ...options.environment,
            SPHERE_PLANE_URL: options.planeUrl,
            SPHERE_DEPLOYMENT: build.deployment,
            SPHERE_ATTEMPT: String(build.attempt),
            SPHERE_BOOTSTRAP_TOKEN: build.bootstrapToken,
            SPHERE_WORK_DIRECTORY: join(directory, 'work'),
            SPHERE_CACHE_DIRECTORY: options.cacheDirectory,
          },
        });
        await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
        child.unref();
        const pid = child.pid as number;
        const ref = { pid, startedAt: (await processStart(pid)) ?? 'ended' };
        child.once('exit', (exitCode, signal) => ended.set(keyOf(ref), { exitCode, signal }));
        return ref;
      } finally {
        await output.close();
      }
    },

    async state(ref) {
      if (await isRunning(ref)) return { running: true };
      return { running: false, ...(ended.get(keyOf(ref)) ?? { exitCode: null, signal: null }) };
    },

    async stop(ref) {
      if (await isRunning(ref)) {
        signalGroup(ref.pid, 'SIGTERM');
        for (let waited = 0; waited < graceMs && (await isRunning(ref)); waited += pollMs)
          await delay(pollMs);
        if (await isRunning(ref)) signalGroup(ref.pid, 'SIGKILL');
      }
      ended.delete(keyOf(ref));
    },

    async cleanUp(build) {
      const directory = directoryOf(build);
      await killLeftovers(directory);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
