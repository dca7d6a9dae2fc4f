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
    command.argument('<slug>', 'the project').option('--preview <name>', 'remove this preview alone');
  },
  async run(context, [slug = ''], options: { preview?: string }): Promise<Result> {
    const { openPlane } = await import('../session.ts');
    if (options.preview !== undefined) return removePreview(context, slug, options.preview);
    const { kind, api } = await openPlane(context, { slug });
    const [project, deployments] = await Promise.all([
      api.getProject(slug),
      api.listDeployments({ project: slug, limit: shownDeployments }),
    ]);
    const { note } = context.output;
    note(await describeRemoval(project, deployments, kind === 'hosted'));
    if (!(await confirmed(context, `"${project.slug}"`, project.slug))) {
      note('Nothing was removed.');
      return { json: { removed: false, slug: project.slug }, text: null, failed: true };
    }
    const answer = await api.removeProject(project.slug);
    note(`Removed ${project.slug}. What stays: ${answer.kept.replace(/\.$/, '')}.`);
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

async function removePreview(context: Context, slug: string, named: string): Promise<Result> {
  const [{ openPlane }, { nameOfPreview }, { ago, table }] = await Promise.all([
    import('../session.ts'),
    import('../target.ts'),
    import('../format.ts'),
  ]);
  const { api } = await openPlane(context, { slug });
  const name = nameOfPreview(named, slug);
  const { note } = context.output;
  const preview = (await api.listTargets(slug)).find((target) => target.name === name);
  // One that has ended, or whose removal was cut off, is in no list: the plane says what becomes of it.
  if (preview) {
    const { url, deployment } = preview;
    const serves = deployment
      ? `${deployment.id}, deployed ${ago(deployment.createdAt, Date.now())}`
      : 'nothing';
    const goes = table([
      ['  address', url],
      ['  serves', serves],
    ]);
    note(`Removing the preview "${name}" of "${slug}". What goes:\n${goes}\nWhat stays:\n  the live site`);
  }
  if (!(await confirmed(context, `the preview "${name}" of "${slug}"`, `${slug} --preview ${name}`))) {
    note('Nothing was removed.');
    return { json: { removed: false, slug, target: name }, text: null, failed: true };
  }
  const answer = await api.removeTarget(slug, name);
  note(`Removed the preview ${name} of ${slug}.`);
  return { json: { removed: true, ...answer }, text: answer.target };
}

async function confirmed({ prompts, yes }: Context, what: string, args: string): Promise<boolean> {
  if (yes) return true;
  if (prompts) return prompts.confirm(`Remove ${what} for good?`, false);
  const { SphereError } = await import('../../contract/errors.ts');
  throw new SphereError(
    'INPUT_NEEDED',
    `Removing ${what} cannot be undone, and nobody is here to confirm it.`,
    {
      hint: `To remove it: sphere rm ${args} --yes`,
    },
  );
}
