/** `sphere open` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere open', 'the site of this project'],
    ['sphere open --slug my-site', 'another one'],
  ],
  notes: 'stdout gets the address; a browser is opened on a terminal only.',
  define(command) {
    command.option('--project, --slug <slug>', 'the project, where it is not that of this directory');
  },
  async run(context, _args, options: { slug?: string }) {
    const { openPlane, projectSlug } = await import('../session.ts');
    const { SphereError } = await import('../../contract/errors.ts');
    const { api } = await openPlane(context, options);
    const slug = await projectSlug(context, options);
    const project = await api.getProject(slug);
    if (!project.live) {
      throw new SphereError('NOT_PUBLISHED', `"${slug}" has no deployment that is live.`, {
        hint: `See \`sphere ls ${slug}\`.`,
      });
    }
    const { output } = context;
    if (output.live && output.resultSeen && !output.json) await openBrowser(project.url);
    return { json: project, text: project.url };
  },
};

/** Asks the desktop to open `url`. Where it cannot, the address has been printed. */
async function openBrowser(url: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const child = spawn(opener, [url], { detached: true, stdio: 'ignore' });
  await new Promise<void>((resolve) => {
    child.on('spawn', resolve).on('error', () => resolve());
  });
  child.unref();
}
