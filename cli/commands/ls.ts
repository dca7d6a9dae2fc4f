/** `sphere ls` */
import type { DeploymentList, ProjectList } from '../../contract/api.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type LsOptions = { limit: string; before?: string; status?: string; branch?: string };

export const command: CommandFile = {
  examples: [
    ['sphere ls', 'your projects'],
    ['sphere ls my-site', 'the deployments of one, newest first'],
    ['sphere ls my-site --status error,cancelled --branch main', 'only those'],
    ['sphere ls my-site --json --limit 1', 'for scripts'],
  ],
  notes: `Where there are more, the line that shows them is printed below (with --json it is "next").`,
  define(command) {
    command
      .argument('[slug]', 'a project, to list its deployments')
      .option('-n, --limit <count>', 'how many at most, 1 to 100', '20')
      .option('--next, --before <cursor>', 'go on where an earlier list ended')
      .option(
        '--status <statuses>',
        'only deployments with one of these: queued,building,ready,error,cancelled',
      )
      .option('--branch <branch>', 'only deployments of this branch')
      .option('--project, --slug <slug>', 'the same as [slug]');
  },
  async run(context, [named], options: LsOptions & { slug?: string }) {
    const { SphereError } = await import('../../contract/errors.ts');
    const limit = Number(options.limit);
    if (!Number.isInteger(limit) || limit < 1 || limit > 100) {
      throw new SphereError('USAGE', `--limit takes a number from 1 to 100, not "${options.limit}".`);
    }
    const slug = named ?? options.slug;
    const filtered = options.status !== undefined || options.branch !== undefined;
    if (slug === undefined && filtered) {
      throw new SphereError('USAGE', '--status and --branch are for the deployments of a project.', {
        hint: 'Name it: `sphere ls SLUG --status error`.',
      });
    }
    const { openPlane } = await import('../session.ts');
    const { api } = await openPlane(context, { slug });
    const { before, status, branch } = options;
    if (slug === undefined)
      return projectsResult(context, await api.pageProjects({ limit, after: before }), limit);
    const query = { project: slug, limit, before, status, branch };
    const list = await api.pageDeployments(query).catch((error: unknown) => {
      if (!(error instanceof SphereError) || error.code !== 'REQUEST_INVALID') throw error;
      // What is "before" in the request is --next here.
      const message = error.message.replaceAll('"before"', '--next');
      throw SphereError.fromBody({ ...error.toBody(), message }, error);
    });
    return deploymentsResult(context, list, slug, options);
  },
};

async function projectsResult(
  context: Context,
  { projects, next }: ProjectList,
  limit: number,
): Promise<Result> {
  const { ago, table } = await import('../format.ts');
  const rows = projects.map(({ slug, live, url }) => [
    slug,
    live ? ago(live.createdAt, Date.now()) : 'never',
    url,
  ]);
  if (projects.length === 0) context.output.note('There is no project yet; `sphere deploy` makes one.');
  sayNext(context, next, ['sphere ls', ...(limit === 20 ? [] : [`--limit ${limit}`])]);
  return {
    json: { projects, next },
    text:
      rows.length === 0 ? null : table([['PROJECT', 'DEPLOYED', 'SITE'], ...rows], context.output.columns),
  };
}

async function deploymentsResult(
  context: Context,
  { deployments, next }: DeploymentList,
  slug: string,
  { limit, status, branch }: LsOptions,
): Promise<Result> {
  const { ago, table } = await import('../format.ts');
  const { sourceText, statusText, targetText } = await import('../summary.ts');
  const rows = deployments.map((deployment) => [
    deployment.id,
    targetText(deployment),
    statusText(deployment),
    ago(deployment.createdAt, Date.now()),
    sourceText(deployment),
  ]);
  if (deployments.length === 0) {
    const which = status === undefined && branch === undefined ? '' : ' like that';
    context.output.note(`"${slug}" has no deployment${which}.`);
  }
  sayNext(context, next, [
    `sphere ls ${slug}`,
    ...(limit === '20' ? [] : [`--limit ${limit}`]),
    ...(status === undefined ? [] : [`--status ${status}`]),
    ...(branch === undefined ? [] : [`--branch ${branch}`]),
  ]);
  return {
    json: { deployments, next },
    text:
      rows.length === 0
        ? null
        : table([['DEPLOYMENT', 'TARGET', 'STATUS', 'CREATED', 'SOURCE'], ...rows], context.output.columns),
  };
}

function sayNext({ output }: Context, next: string | null, command: readonly string[]): void {
  if (next && !output.json) output.note(`There are more: ${command.join(' ')} --next ${next}`);
}
