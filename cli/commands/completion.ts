/** `sphere completion` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['source <(sphere completion bash)', 'bash, in ~/.bashrc'],
    ['source <(sphere completion zsh)', 'zsh, in ~/.zshrc after compinit'],
    ['sphere completion fish > ~/.config/fish/completions/sphere.fish', 'fish, once'],
  ],
  notes: 'The script knows commands and flags, and starts no program while you type.',
  define(command) {
    command.argument('<shell>', 'bash, zsh or fish');
  },
  async run(_context, [shell = '']) {
    const [{ readCommandTree }, { completionScript, shells }] = await Promise.all([
      import('../command-tree.ts'),
      import('../completion.ts'),
    ]);
    if (!shells.some((known) => known === shell)) {
      const { SphereError } = await import('../../contract/errors.ts');
      throw new SphereError('USAGE', `There is no completion for "${shell}".`, {
        hint: 'There is one for bash, zsh and fish: sphere completion bash',
      });
    }
    const script = completionScript(shell as (typeof shells)[number], await readCommandTree());
    return { json: { shell, script }, text: script };
  },
};
