/** `sphere prune` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [['sphere prune', 'remove what no site and no build needs']],
  notes: 'What is live, what can be rolled back to and what is being built are kept.',
  define() {},
  async run(context) {
    const { openPlane } = await import('../session.ts');
    const { bytes, table } = await import('../format.ts');
    const { api } = await openPlane(context);
    const answer = await api.prune();
    const parts = answer.parts.filter(({ freedBytes }) => freedBytes > 0);
    if (parts.length > 0)
      context.output.note(table(parts.map((part) => [part.what, bytes(part.freedBytes)])));
    return { json: answer, text: `Freed ${bytes(answer.freedBytes)}.` };
  },
};
