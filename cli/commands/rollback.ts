/** `sphere rollback` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  define(command) {
    command
      .argument('[id]', 'the deployment to go back to; without one, what was live before')
      .option('--project, --slug <slug>', 'the project, where it is not that of this directory')
      .addHelpText('after', '\nNothing is built: it takes a moment. stdout gets the address of the site.');
  },
  async run(context, [id], options: { slug?: string }) {
    const { openPlane, projectSlug } = await import('../session.ts');
    const [{ ago }, { sourceText }] = await Promise.all([import('../format.ts'), import('../summary.ts')]);
    const plane = await openPlane(context);
    const { api } = plane;
    // A deployment knows its project, so that an id alone works from anywhere.
    const named = options.slug !== undefined || id === undefined;
    const slug = named ? await projectSlug(context, options) : (await api.getDeployment(id)).project;
    const answer = await api.rollback(slug, id);
    const { deployment, previous, url } = answer;
    const { note, paint } = context.output;
    const describe = (one: typeof deployment) =>
      `${one.id}  ${sourceText(one)}, deployed ${ago(one.createdAt, Date.now())}`;
    note(`${paint('green', '✔')} Rolled ${paint('bold', slug)} back.`);
    if (previous) note(`  was  ${describe(previous)}`);
    note(`  now  ${describe(deployment)}`);
    return { json: answer, text: url };
  },
};
