/** `sphere inspect` */
import type { Deployment } from '../../contract/api.ts';
import type { CommandFile, Context } from '../command.ts';
import type { Plane } from '../plane.ts';

type InspectOptions = { slug?: string; wait?: true; timeout?: string };

export const command: CommandFile = {
  examples: [
    ['sphere inspect', 'the newest deployment of this project'],
    [
      'sphere inspect dpl_0123456789 --wait',
      'wait until it has ended; the exit code says how, as for deploy',
    ],
    ['sphere inspect --json', 'everything that the plane knows of it'],
  ],
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project')
      .option('--project, --slug <slug>', 'the newest of this project')
      .option('-w, --wait', 'wait for its end, and end with the exit code that deploy would')
      .option('--timeout <duration>', 'wait no longer, such as 10m; the deployment goes on (exit code 6)');
  },
  async run(context, [id], options: InspectOptions) {
    const [{ findDeployment, openPlane }, { readTimeout }] = await Promise.all([
      import('../session.ts'),
      import('../durations.ts'),
    ]);
    const timeoutMs = readTimeout(options.timeout);
    if (timeoutMs !== undefined && !options.wait) {
      const { SphereError } = await import('../../contract/errors.ts');
      throw new SphereError('USAGE', '--timeout says how long --wait waits.', { hint: 'Add --wait.' });
    }
    const plane = await openPlane(context, options);
    const found = await findDeployment(context, plane, { id, flags: options });
    const deployment = options.wait ? await ended(context, plane, found, timeoutMs) : found;
    return { json: deployment, text: await describe(deployment, context.output.columns) };
  },
};

/** The deployment once it is ready, or was not needed. Throws what it ended with otherwise. */
async function ended(
  { output }: Context,
  plane: Plane,
  found: Deployment,
  timeoutMs: number | undefined,
): Promise<Deployment> {
  const [{ waitForEnd }, { endError }] = await Promise.all([
    import('../wait.ts'),
    import('../deployment-end.ts'),
  ]);
  const deployment = await waitForEnd(plane, found, output, timeoutMs);
  if (deployment.status === 'ready' || deployment.reason === 'ignored') return deployment;
  throw endError(deployment);
}

async function describe(deployment: Deployment, columns: number | null): Promise<string> {
  const [{ duration, table }, { publishedLine, sourceRows, statusText, targetText }] = await Promise.all([
    import('../format.ts'),
    import('../summary.ts'),
  ]);
  const { error, detections, warnings, phases } = deployment;
  const rows: string[][] = [
    ['id', deployment.id],
    ['project', deployment.project],
    [
      'status',
      deployment.status === 'ready' && !deployment.live ? 'ready, not live' : statusText(deployment),
    ],
    ['target', targetText(deployment)],
    ['site', deployment.url],
    ['address', deployment.address],
    ...sourceRows(deployment),
    ['region', deployment.region],
    ['created', deployment.createdAt],
    ...(deployment.finishedAt ? [['ended', deployment.finishedAt]] : []),
    ...(deployment.attempt > 1 ? [['attempts', String(deployment.attempt)]] : []),
    ...phases.map(({ phase, durationMs }) => [phase, durationMs === null ? 'running' : duration(durationMs)]),
    ...detections.map(({ what, value, why }) => [what, `${value} (${why})`]),
    ...warnings.map((warning) => ['warning', warning]),
    ...(error ? [['error', error.message]] : []),
    ...(error?.hint ? [['hint', error.hint]] : []),
  ];
  const published = publishedLine(deployment);
  return [
    table(rows, columns),
    ...(published ? ['', published] : []),
    ...(error?.details ?? []).map((line) => `  ${line}`),
  ].join('\n');
}
