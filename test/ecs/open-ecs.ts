/** An emulated ECS and the plane's runner on it, for one test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createEcsRunner, type EcsRunnerOptions } from '../../server/adapters/ecs/ecs-runner.ts';
import type { EcsSettings } from '../../server/adapters/ecs/run-task-input.ts';
import { createProcessLauncher, type Launcher } from '../peers/ecs/launchers.ts';
import { type Ecs, type EcsOptions, ecsNames, startEcs } from '../peers/ecs.ts';

export const settings: EcsSettings = {
  ...ecsNames,
  plane: 'pln_test',
  planeUrl: 'http://127.0.0.1:1',
  assignPublicIp: true,
  capacityProviders: ['FARGATE_SPOT', 'FARGATE'],
};

export const build = (deployment: string, attempt = 1, lost = 0) => ({
  deployment,
  attempt,
  lost,
  bootstrapToken: 'f'.repeat(64),
});

/** Programs that stand for a builder: each is the text of a script. */
export const programs = {
  /** Works until it is told to end. */
  working: `process.on('SIGTERM', () => process.exit(143)); setInterval(() => {}, 1000); console.log('working')`,
  /** Does not hear SIGTERM. */
  deaf: `process.on('SIGTERM', () => console.log('heard')); setInterval(() => {}, 1000); console.log('working')`,
  failing: `process.exit(6)`,
  /** Says what it was told. */
  telling: `console.log(JSON.stringify(process.env))`,
};

/** Runs `program` as the builder. */
export async function launcherOf(program: string): Promise<Launcher> {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-program-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'builder.cjs');
  await writeFile(file, program);
  return createProcessLauncher({ file });
}

/** Containers in which nothing runs until they are stopped, where a test needs hundreds. */
export const idleContainers: Launcher = async () => {
  let resolve = (_: { exitCode: number }) => {};
  const exited = new Promise<{ exitCode: number }>((done) => {
    resolve = done;
  });
  return {
    stop: (signal) => resolve({ exitCode: signal === 'SIGTERM' ? 143 : 137 }),
    exited,
    output: () => '',
  };
};

export async function openEcs(options: Partial<EcsOptions> = {}): Promise<Ecs> {
  const ecs = await startEcs({ launch: options.launch ?? (await launcherOf(programs.working)), ...options });
  onTestFinished(() => ecs.stop());
  return ecs;
}

/** A runner as one process of the plane has it, with a clock that the test moves. */
export function openRunner(ecs: Pick<Ecs, 'connection'>, options: Partial<EcsRunnerOptions> = {}) {
  let now = 1_000_000;
  const runner = createEcsRunner({
    connection: ecs.connection,
    settings,
    backoffMs: 5,
    startWithinMs: 10_000,
    gatherMs: 1,
    now: () => now,
    ...options,
  });
  return {
    ...runner,
    pass(ms: number) {
      now += ms;
    },
  };
}
