/** `sphere previews` */
import type { Target } from '../../contract/api.ts';
import type { CommandFile, Result } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere previews', 'the previews of this project, and when each ends'],
    ['sphere deploy --preview', 'publish beside the live site, named after the Git branch'],
    ['sphere promote feature-x', 'make what that preview serves live, without a build'],
    ['sphere rm my-site --preview feature-x', 'remove it before it ends'],
  ],
  define(command) {
    command.option('--project, --slug <slug>', 'the project, where it is not that of this directory');
  },
  async run(context, _args, options: { slug?: string }) {
    const { openPlane, projectSlug } = await import('../session.ts');
    const { LIVE } = await import('../../contract/words.ts');
    const { api } = await openPlane(context, options);
    const slug = await projectSlug(context, options);
    const previews = (await api.listTargets(slug)).filter(({ name }) => name !== LIVE);
    if (previews.length === 0)
      context.output.note(`"${slug}" has no preview; \`sphere deploy --preview\` makes one.`);
    return previewsResult(previews);
  },
};

async function previewsResult(previews: Target[]): Promise<Result> {
  const { ago, table } = await import('../format.ts');
  const { sourceText } = await import('../summary.ts');
  const rows = previews.map(({ name, url, deployment, expiresAt }) => [
    name,
    deployment ? ago(deployment.createdAt, Date.now()) : 'nothing yet',
    deployment ? sourceText(deployment) : '',
    expiresAt?.slice(0, 10) ?? '',
    url,
  ]);
  return {
    json: { previews },
    text: rows.length === 0 ? null : table([['PREVIEW', 'DEPLOYED', 'SOURCE', 'ENDS', 'SITE'], ...rows]),
  };
}
