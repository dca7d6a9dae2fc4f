/** Waiting for the end of a deployment without its log, and the end of patience. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../contract/api.ts';
import { isEnded } from '../contract/words.ts';
import { DeploymentEnded } from './deployment-end.ts';
import { duration } from './format.ts';
import type { Output } from './output.ts';
import type { Plane } from './plane.ts';

const lookEveryMs = 1_000;

/** The error of a wait that took longer than `--timeout` allows. */
export function waitedTooLong(deployment: Deployment, timeoutMs: number): DeploymentEnded {
  const { id, project, status, phase } = deployment;
  return new DeploymentEnded(
    deployment,
    'WAIT_TIMED_OUT',
    `${id} of ${project} has not ended after ${duration(timeoutMs)}: it has come to ${phase ?? status}. It goes on.`,
    { hint: `To wait on: \`sphere inspect ${id} --wait\`. To stop it: \`sphere cancel ${id}\`.` },
  );
}

/** Resolves with the deployment as it ended. Throws `WAIT_TIMED_OUT`; the deployment goes on. */
export async function waitForEnd(
  plane: Plane,
  first: Deployment,
  output: Output,
  timeoutMs: number | undefined,
): Promise<Deployment> {
  const startedAt = Date.now();
  let seen = first;
  try {
    while (!isEnded(seen.status)) {
      output.busy(`${seen.id}: ${seen.phase ?? seen.status}`, Date.parse(seen.createdAt));
      const left = timeoutMs === undefined ? lookEveryMs : startedAt + timeoutMs - Date.now();
      if (left <= 0) throw waitedTooLong(seen, timeoutMs as number);
      await sleep(Math.min(left, lookEveryMs));
      seen = await plane.api.getDeployment(seen.id);
    }
    return seen;
  } finally {
    output.idle();
  }
}
