/** `sphere rm` */
import type { Deployment, Project } from '../../contract/api.ts';
import type { CommandFile, Context, Result } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere rm my-site', 'shows what goes and what stays, and asks'],
    ['sphere rm my-site --yes', 'without asking'],
  ],
  notes: 'It cannot be undone. What goes and what stays is shown before it asks.',
  define(command) {
    command.argument('<slug>', 'the project');
  },
  async run(context, [slug = '']): Promise<Result> {
    const { openPlane } = await import('../session.ts');
    const { bytes } = await import('../format.ts');
    const { kind, api } = await openPlane(context);
    const [project, deployments] = await Promise.all([
      api.getProject(slug),
      api.listDeployments({ project: slug, limit: shownDeployments }),
    ]);
    const { note } = context.output;
    note(await describeRemoval(project, deployments, kind === 'hosted'));
    if (!(await confirmed(context, project.slug))) {
      note('Nothing was removed.');
      return { json: { removed: false, slug: project.slug }, text: null };
    }
    const answer = await api.removeProject(project.slug);
    const freed = answer.freedBytes === undefined ? '' : `, which frees ${bytes(answer.freedBytes)}`;
    note(`Removed ${project.slug}${freed}. What stays: ${answer.kept.replace(/\.$/, '')}.`);
    return { json: { removed: true, ...answer }, text: answer.slug };
  },
};

/** So many deployments are asked for; that there are more is said, not how many. */
const shownDeployments = 100;

async function describeRemoval(
  { slug, url, live }: Project,
  deployments: readonly Deployment[],
  hosted: boolean,
): Promise<string> {
  const { ago, table } = await import('../format.ts');
  const more = deployments.length === shownDeployments ? ' or more' : '';
  const rows = [
    ['  address', url],
    ['  live', live ? `${live.id}, deployed ${ago(live.createdAt, Date.now())}` : 'nothing'],
    [
      '  deployments',
      `${deployments.length}${more}, with what to roll back to; one that has not ended is cancelled`,
    ],
  ];
  const stays = hosted
    ? '  its bucket, empty, and its slug, for this account: a name that is given up could be taken over by anybody'
    : '  its slug';
  return [`Removing "${slug}". What goes:`, table(rows), 'What stays:', stays].join('\n');
}

async function confirmed({ prompts, yes }: Context, slug: string): Promise<boolean> {
  if (yes) return true;
  if (prompts) return prompts.confirm(`Remove "${slug}" for good?`, false);
  const { SphereError } = await import('../../contract/errors.ts');
  throw new SphereError(
    'INPUT_NEEDED',
    `Removing "${slug}" cannot be undone, and nobody is here to confirm it.`,
    {
      hint: `To remove it: sphere rm ${slug} --yes`,
    },
  );
}
