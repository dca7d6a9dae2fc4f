/** `sphere redeploy` */
import type { CommandFile, Context, Result } from '../command.ts';
import type { Plane } from '../plane.ts';

type RedeployOptions = { slug?: string; cache: boolean; detach?: true; timeout?: string };

export const command: CommandFile = {
  examples: [
    ['sphere redeploy', 'the newest deployment of this project once more'],
    ['sphere redeploy dpl_0123456789 --no-cache', 'an earlier one, without any cache'],
  ],
  notes: `The same commit or uploaded directory is built with the same settings as a new deployment, also
when it is live. To make an earlier deployment live without building: \`sphere rollback\`.`,
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project')
      .option('--project, --slug <slug>', 'the newest of this project')
      .option('--no-cache', 'ignore every cache')
      .option('--detach', 'print the id and leave the deployment running')
      .option('--timeout <duration>', 'wait no longer, such as 10m; the deployment goes on (exit code 6)');
  },
  async run(context, [id], options: RedeployOptions) {
    const { readTimeout } = await import('../durations.ts');
    const timeoutMs = readTimeout(options.timeout);
    const startedAt = Date.now();
    const [{ findDeployment, openPlane }, { sourceText }] = await Promise.all([
      import('../session.ts'),
      import('../summary.ts'),
    ]);
    const plane = await openPlane(context);
    const earlier = await findDeployment(context, plane, { id, flags: options });
    const { output, environment } = context;
    output.note(
      `Deploying ${output.paint('bold', earlier.project)} once more, as ${earlier.id} did: ${sourceText(earlier)}`,
    );
    const { SPHERE_GIT_TOKEN: gitToken } = environment.variables;
    const answer = await plane.api.redeploy(earlier.id, {
      noCache: !options.cache,
      ...(earlier.source.kind === 'git' && gitToken !== undefined ? { gitToken } : {}),
    });
    return followToEnd(context, plane, answer, { detach: options.detach === true, timeoutMs, startedAt });
  },
};

async function followToEnd(
  context: Context,
  plane: Plane,
  { deployment }: { deployment: import('../../contract/api.ts').Deployment },
  wait: { detach: boolean; timeoutMs: number | undefined; startedAt: number },
): Promise<Result> {
  const [{ conclude, resultObject }, { followDeployment }, { openEventFile }] = await Promise.all([
    import('../deployment-end.ts'),
    import('../follow.ts'),
    import('../event-file.ts'),
  ]);
  const { environment, output, interrupt } = context;
  const { id, project, target, url } = deployment;
  const events = openEventFile(environment.variables.SPHERE_OUTPUT_FILE ?? null, output.warn);
  events.write({ type: 'created', id, project, target, url });
  if (wait.detach) {
    output.note(`Left running; see \`sphere logs ${id} -f\`.`);
    return { json: resultObject('created', deployment), text: id };
  }
  const interrupted = new AbortController();
  const release = interrupt.hold(() => interrupted.abort());
  try {
    const ended = await followDeployment({
      plane,
      deployment,
      output,
      interrupted: interrupted.signal,
      ...(wait.timeoutMs === undefined ? {} : { timeout: { ms: wait.timeoutMs, from: wait.startedAt } }),
    });
    events.write({
      type: 'ended',
      id,
      project,
      target,
      url: ended.url,
      status: ended.status,
      reason: ended.reason,
    });
    return conclude(context, ended, Date.now() - wait.startedAt, interrupted.signal.aborted);
  } finally {
    release();
    plane.api.close();
  }
}
