/** `sphere redeploy` */
import type { CommandFile, Context, Result } from '../command.ts';
import type { Reports } from '../reports.ts';

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
    const [{ readTimeout }, { reporting }] = await Promise.all([
      import('../durations.ts'),
      import('../reports.ts'),
    ]);
    const timeoutMs = readTimeout(options.timeout);
    return reporting(context, (reports) => redeploy(context, id, { ...options, timeoutMs }, reports));
  },
};

async function redeploy(
  context: Context,
  id: string | undefined,
  options: RedeployOptions & { timeoutMs: number | undefined },
  reports: Reports,
): Promise<Result> {
  const startedAt = Date.now();
  const [{ findDeployment, openPlane }, { sourceText }, { seeToEnd, untilInterrupted }] = await Promise.all([
    import('../session.ts'),
    import('../summary.ts'),
    import('../created-deployment.ts'),
  ]);
  const plane = await openPlane(context, options);
  const earlier = await findDeployment(context, plane, { id, flags: options });
  const { output, environment } = context;
  output.note(
    `Deploying ${output.paint('bold', earlier.project)} once more, as ${earlier.id} did: ${sourceText(earlier)}`,
  );
  const { SPHERE_GIT_TOKEN: gitToken } = environment.variables;
  return untilInterrupted(context, plane, async (interrupted) => {
    const { deployment } = await plane.api.redeploy(earlier.id, {
      noCache: !options.cache,
      ...(earlier.source.kind === 'git' && gitToken !== undefined ? { gitToken } : {}),
    });
    const { timeoutMs, detach = false } = options;
    return seeToEnd(context, { plane, deployment, reports, interrupted, startedAt, timeoutMs, detach });
  });
}
