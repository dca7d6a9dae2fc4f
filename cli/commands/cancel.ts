/** `sphere cancel` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere cancel', "this project's newest deployment that has not ended"],
    ['sphere cancel dpl_0123456789', 'another one'],
  ],
  notes: `Its build is stopped and what is live stays. Once it has begun to publish it completes; then
\`sphere rollback\` goes back.`,
  define(command) {
    command
      .argument('[id]', 'a deployment; without one, the newest of this project that has not ended')
      .option('--project, --slug <slug>', 'the newest of this project');
  },
  async run(context, [id], options: { slug?: string }) {
    const { findDeployment, openPlane } = await import('../session.ts');
    const plane = await openPlane(context, options);
    // With an id, the plane alone says whether there is such a deployment.
    const wanted = id ?? (await findDeployment(context, plane, { id, flags: options, unfinished: true })).id;
    const deployment = await plane.api.cancelDeployment(wanted);
    context.output.note(`Cancelled ${deployment.id} of ${deployment.project}.`);
    return { json: deployment, text: deployment.id };
  },
};
