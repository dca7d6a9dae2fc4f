/** `sphere promote` */
import type { Promote } from '../../contract/api.ts';
import type { CommandFile, Context, Result } from '../command.ts';
import type { Reports } from '../reports.ts';

type PromoteOptions = { slug?: string };

export const command: CommandFile = {
  examples: [
    ['sphere promote', 'what the preview of this Git branch serves'],
    ['sphere promote feature-x', 'what another one serves'],
    ['sphere rollback', 'takes it back'],
  ],
  notes: `What the preview serves becomes live as it is: nothing is built, so that addresses and values
that were built in are those of the preview. The preview stays. stdout gets the address.`,
  define(command) {
    command
      .argument('[preview]', 'the preview, or the id of a deployment; default: that of the Git branch')
      .option('--project, --slug <slug>', 'the project, where it is not that of this directory');
  },
  async run(context, [named], options: PromoteOptions) {
    const { reporting } = await import('../reports.ts');
    return reporting(context, (reports) => promote(context, named, options, reports));
  },
};

async function promote(
  context: Context,
  named: string | undefined,
  options: PromoteOptions,
  reports: Reports,
): Promise<Result> {
  const { openPlane, projectSlug } = await import('../session.ts');
  const [{ ago }, { sourceText }] = await Promise.all([import('../format.ts'), import('../summary.ts')]);
  const { api } = await openPlane(context, options);
  const isId = named?.startsWith('dpl_') === true;
  // A deployment knows its project, so that an id alone works from anywhere.
  const slug =
    isId && options.slug === undefined
      ? (await api.getDeployment(named)).project
      : await projectSlug(context, options);
  const what: Promote = isId ? { deployment: named } : { target: await previewOf(context, named, slug) };
  const answer = await api.promote(slug, what);
  const { deployment, previous, url } = answer;
  const { note, paint } = context.output;
  const done = paint('green', '✔');
  const describe = (one: typeof deployment) =>
    `${one.id}  ${sourceText(one)}, deployed ${ago(one.createdAt, Date.now())}`;
  if (previous?.id === deployment.id) {
    note(`${done} Nothing has changed: ${deployment.id} is live already.`);
  } else {
    note(`${done} Promoted ${paint('bold', deployment.target)} of ${paint('bold', slug)} to live.`);
    if (previous) note(`  was  ${describe(previous)}`);
    note(`  now  ${describe(deployment)}`);
  }
  reports.done({ ...deployment, url }, `Promoted \`${deployment.id}\`, without a build.`);
  return { json: answer, text: url };
}

async function previewOf(context: Context, named: string | undefined, slug: string): Promise<string> {
  const { nameOfPreview } = await import('../target.ts');
  if (named !== undefined) return nameOfPreview(named, slug);
  const { readGitState } = await import('../git-state.ts');
  const branch = (await readGitState(context.directory))?.git.branch;
  if (branch !== undefined) return nameOfPreview(branch, slug);
  const { SphereError } = await import('../../contract/errors.ts');
  throw new SphereError('INPUT_NEEDED', 'No Git branch is known here that a preview could be named after.', {
    hint: `Name the preview: \`sphere promote NAME\`. To list them: \`sphere previews --slug ${slug}\`.`,
  });
}
