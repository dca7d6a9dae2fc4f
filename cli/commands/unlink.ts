/** `sphere unlink` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [['sphere unlink', 'the directory is bound to no plane and no project any more']],
  notes: 'The project and its site stay as they are; `sphere rm` removes those.',
  define() {},
  async run({ directory, output }) {
    const { removeLink } = await import('../link.ts');
    const removed = removeLink(directory);
    output.note(removed ? `Unlinked ${directory}.` : `${directory} was not linked.`);
    return { json: { removed, directory }, text: null };
  },
};
