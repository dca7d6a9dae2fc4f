/**
 * Builders as child processes of this machine: they outlive the plane, and are found again by pid and start time. What a
 * builder starts does not outlive it (see `builder/command/run-command.ts`), so that ending the builder ends all of it but
 * what has left its process group, which the clean-up looks for.
 */
import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { removeTree } from '../../files/remove-tree.ts';
import type { Build, BuilderState, BuildRunner, RunnerRef } from '../ports.ts';
import { isRunning, processStart } from '../process-identity.ts';
import { killLeftovers } from './leftover-processes.ts';

/** From SIGTERM to SIGKILL: the builder itself gives its commands 5 s. */
const graceMs = 8_000;
/** How often a process that was asked to end is looked at. */
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
  const directoryOf = (build: Build) => join(options.buildsDirectory, `${build.deployment}-${build.attempt}`);
  /** Exit codes of the builders that this plane started itself. */
  const ended = new Map<string, { exitCode: number | null; signal: string | null }>();
  const keyOf = (ref: ProcessRef) => `${ref.pid} ${ref.startedAt}`;

  async function stateOf(ref: RunnerRef): Promise<BuilderState> {
    const process = asProcess(ref);
    if (await isRunning(process)) return { state: 'running' };
    const { exitCode, signal } = ended.get(keyOf(process)) ?? { exitCode: null, signal: null };
    const how = signal ? `killed by ${signal}` : `gone with exit code ${exitCode ?? 'unknown'}`;
    return {
      state: 'ended',
      reason: 'infrastructure',
      error: {
        code: 'INFRASTRUCTURE',
        message: `the builder was ${how} before it reported a result`,
        hint: 'Deploy again; a builder that is killed often ran out of memory.',
      },
    };
  }

  return {
    // A process whose pid was never noted is not found again.
    startsOnce: false,
    pollMs: 1_000,

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

    states: (refs) => Promise.all(refs.map(stateOf)),

    async stop(ref) {
      const { pid } = asProcess(ref);
      if (await isRunning(asProcess(ref))) {
        signalGroup(pid, 'SIGTERM');
        for (let waited = 0; waited < graceMs && (await isRunning(asProcess(ref))); waited += pollMs)
          await delay(pollMs);
        if (await isRunning(asProcess(ref))) signalGroup(pid, 'SIGKILL');
      }
      ended.delete(keyOf(asProcess(ref)));
      return true;
    },

    async cleanUp(build) {
      const directory = directoryOf(build);
      await killLeftovers(directory);
      await removeTree(directory);
    },

    // A builder that no row names is fenced off, and leaves by itself.
    list: async () => [],
  };
}

type ProcessRef = Extract<RunnerRef, { pid: number }>;

function asProcess(ref: RunnerRef): ProcessRef {
  if ('pid' in ref) return ref;
  throw new Error('the builder does not run on this machine');
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
