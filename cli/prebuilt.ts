/** `--prebuilt`: the builder runs here, beside the CLI, and publishes a directory as it is. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateDeploymentAnswer } from '../contract/api.ts';
import type { builderEnvironment } from '../contract/environment.ts';
import { packageRoot } from '../files/package-root.ts';
import type { CreatedDeployment } from './created-deployment.ts';
import { DeploymentEnded } from './deployment-end.ts';
import type { Plane } from './plane.ts';

type PrebuiltBuilder = {
  /** Resolves with its exit code (null when a signal ended it) and the last of what it printed. */
  ended: Promise<{ exitCode: number | null; printed: string }>;
  /** Ends it and removes what it left. Safe to repeat. */
  stop(): void;
};

/** How much of what the builder prints is kept: it says all that matters to the plane. */
const keptCharacters = 4_000;

export type PrebuiltWork = {
  plane: Plane;
  answer: CreateDeploymentAnswer & { builder: NonNullable<CreateDeploymentAnswer['builder']> };
  directory: string;
  environment: NodeJS.ProcessEnv;
};

/** Starts the builder on `directory`. `failed` rejects when it has ended without telling the plane how; else it stays pending. */
export function publishPrebuilt(work: PrebuiltWork): ReturnType<NonNullable<CreatedDeployment['beside']>> {
  const { plane, answer } = work;
  const builder = startBuilder(work);
  return { failed: brokenBuilder(builder, plane, answer), stop: builder.stop };
}

async function brokenBuilder(
  builder: PrebuiltBuilder,
  { api }: Plane,
  { deployment }: CreateDeploymentAnswer,
): Promise<never> {
  const { exitCode, printed } = await builder.ended;
  await sleep(2_000);
  const { status } = await api.getDeployment(deployment.id);
  if (exitCode === 0 || status !== 'building') return new Promise(() => {});
  await api.cancelDeployment(deployment.id);
  const how = exitCode === null ? 'was killed' : `ended with exit code ${exitCode}`;
  throw new DeploymentEnded(deployment, 'INFRASTRUCTURE', `The program that publishes ${how}.`, {
    details: printed.trim().split('\n').slice(-20),
    hint: 'Try again; the deployment was cancelled.',
  });
}

/** Starts the builder's program, as the plane's answer says. */
function startBuilder({ plane, answer, directory, environment }: PrebuiltWork): PrebuiltBuilder {
  const { deployment, builder } = answer;
  const workDirectory = mkdtempSync(path.join(tmpdir(), 'sphere-prebuilt-'));
  const names: Record<Exclude<keyof typeof builderEnvironment, 'SPHERE_BUILD_USER'>, string> = {
    SPHERE_PLANE_URL: plane.address.url,
    SPHERE_DEPLOYMENT: deployment.id,
    SPHERE_ATTEMPT: String(builder.attempt),
    SPHERE_BOOTSTRAP_TOKEN: builder.bootstrapToken,
    SPHERE_WORK_DIRECTORY: path.join(workDirectory, 'work'),
    SPHERE_CACHE_DIRECTORY: path.join(workDirectory, 'cache'),
    SPHERE_PREBUILT_DIRECTORY: directory,
  };
  // A group of its own: Ctrl-C is for the CLI, which cancels the deployment first.
  const child = spawn(process.execPath, [path.join(packageRoot(), 'dist', 'builder', 'main.cjs')], {
    detached: true,
    env: { ...environment, ...names },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed = `${printed}${text}`.slice(-keptCharacters);
    });
  }
  const stop = () => {
    process.off('exit', stop);
    if (child.exitCode === null && child.signalCode === null) child.kill();
    rmSync(workDirectory, { recursive: true, force: true });
  };
  process.once('exit', stop);
  return {
    ended: once(child, 'close').then(([exitCode]) => ({ exitCode: exitCode as number | null, printed })),
    stop,
  };
}
