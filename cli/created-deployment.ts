/** What follows once the plane has taken a deployment: it is left running, or seen to its end. */
import type { Deployment } from '../contract/api.ts';
import type { Context, Result } from './command.ts';
import { conclude, resultObject } from './deployment-end.ts';
import { followDeployment } from './follow.ts';
import type { Plane } from './plane.ts';
import type { Reports } from './reports.ts';

export type CreatedDeployment = {
  plane: Plane;
  deployment: Deployment;
  reports: Reports;
  /** Aborted by Ctrl-C. */
  interrupted: AbortSignal;
  /** When the command began, in milliseconds since 1970. */
  startedAt: number;
  /** `--timeout`, in milliseconds. */
  timeoutMs: number | undefined;
  detach: boolean;
  /** Work of this machine's without which the deployment does not go on; it rejects where that work has failed. */
  beside?(): { failed: Promise<never>; stop(): void };
};

/** Runs `work` with a signal that Ctrl-C aborts; the connection to the plane is closed after it. */
export async function untilInterrupted<Outcome>(
  { interrupt }: Context,
  plane: Plane,
  work: (interrupted: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const interrupted = new AbortController();
  const release = interrupt.hold(() => interrupted.abort());
  try {
    return await work(interrupted.signal);
  } finally {
    release();
    plane.api.close();
  }
}

/** The result of the command. Throws `DeploymentEnded` where the deployment ended otherwise than it should. */
export async function seeToEnd(context: Context, created: CreatedDeployment): Promise<Result> {
  const { deployment, reports, startedAt, interrupted } = created;
  reports.created(deployment);
  if (created.detach) {
    context.output.note(`Left running; see \`sphere logs ${deployment.id} -f\`.`);
    reports.done(deployment);
    return { json: resultObject('created', deployment), text: deployment.id };
  }
  const ended = await follow(context, created);
  reports.ended(ended);
  const result = conclude(context, ended, Date.now() - startedAt, interrupted.aborted);
  reports.done(ended);
  return result;
}

async function follow({ output }: Context, created: CreatedDeployment): Promise<Deployment> {
  const { plane, deployment, reports, interrupted, timeoutMs, startedAt } = created;
  const beside = created.beside?.();
  const followed = followDeployment({
    plane,
    deployment,
    output,
    interrupted,
    ...(timeoutMs === undefined ? {} : { timeout: { ms: timeoutMs, from: startedAt } }),
    onState: reports.state,
  });
  try {
    return await (beside ? Promise.race([followed, beside.failed]) : followed);
  } finally {
    beside?.stop();
  }
}
