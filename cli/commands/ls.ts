/** `sphere ls` */
import type { Deployment, Project } from '../../contract/api.ts';
import type { CommandFile, Result } from '../command.ts';

export const command: CommandFile = {
  define(command) {
    command
      .argument('[slug]', 'a project, to list its deployments')
      .option('-n, --limit <count>', 'how many deployments', '20');
  },
  async run(context, [slug], { limit }: { limit: string }) {
    const { openPlane } = await import('../session.ts');
    const { SphereError } = await import('../../contract/errors.ts');
    const most = Number(limit);
    if (!Number.isInteger(most) || most < 1 || most > 100) {
      throw new SphereError('USAGE', `--limit takes a number from 1 to 100, not "${limit}".`);
    }
    const { api } = await openPlane(context);
    if (slug === undefined) return projectsResult(await api.listProjects());
    return deploymentsResult(await api.listDeployments({ project: slug, limit: most }));
  },
};

async function projectsResult(projects: Project[]): Promise<Result> {
  const { ago, table } = await import('../format.ts');
  const rows = projects.map(({ slug, live, url }) => [
    slug,
    live ? ago(live.createdAt, Date.now()) : 'never',
    url,
  ]);
  return {
    json: { projects },
    text: rows.length === 0 ? null : table([['PROJECT', 'DEPLOYED', 'SITE'], ...rows]),
  };
}

async function deploymentsResult(deployments: Deployment[]): Promise<Result> {
  const { ago, table } = await import('../format.ts');
  const { sourceText, statusText, targetText } = await import('../summary.ts');
  const rows = deployments.map((deployment) => [
    deployment.id,
    targetText(deployment),
    statusText(deployment),
    ago(deployment.createdAt, Date.now()),
    sourceText(deployment),
  ]);
  return {
    json: { deployments },
    text:
      rows.length === 0 ? null : table([['DEPLOYMENT', 'TARGET', 'STATUS', 'CREATED', 'SOURCE'], ...rows]),
  };
}
