/** `sphere inspect` */
import type { Deployment } from '../../contract/api.ts';
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project')
      .option('--project, --slug <slug>', 'the newest of this project');
  },
  async run(context, [id], options: { slug?: string }) {
    const { findDeployment, openPlane } = await import('../session.ts');
    const plane = await openPlane(context);
    const deployment = await findDeployment(context, plane, { id, flags: options });
    return { json: deployment, text: await describe(deployment) };
  },
};

async function describe(deployment: Deployment): Promise<string> {
  const [{ duration, table }, { publishedLine, sourceText, statusText, targetText }] = await Promise.all([
    import('../format.ts'),
    import('../summary.ts'),
  ]);
  const { source, error, detections, warnings, phases } = deployment;
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
    [
      'source',
      source.kind === 'git' ? `${source.repository} ${sourceText(deployment)}` : sourceText(deployment),
    ],
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
    table(rows),
    ...(published ? ['', published] : []),
    ...(error?.details ?? []).map((line) => `  ${line}`),
  ].join('\n');
}
