/** `sphere import` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [
    ['sphere import --print', 'look first'],
    ['sphere import', 'write sphere.json'],
  ],
  notes: `Reads vercel.json, netlify.toml, _redirects and _headers (also in public/ and static/), and says of every line
whether it carries over, and why not where it does not. A sphere.json that is there stays without --yes.`,
  define(command) {
    command.option('--print', 'print the sphere.json instead of writing it');
  },
  async run(context, _args, options: { print?: true }) {
    const { existsSync, writeFileSync } = await import('node:fs');
    const { join } = await import('node:path');
    const { SphereError } = await import('../../contract/errors.ts');
    const { withFile } = await import('../../files/file-error.ts');
    const { configurationName } = await import('../directory.ts');
    const { importedFiles, importSettings } = await import('../import/import.ts');
    const { directory, output, prompts, yes } = context;

    const { configuration, findings, files } = importSettings(directory);
    if (files.length === 0) {
      throw new SphereError('NOT_FOUND', `There are no settings of another tool in ${directory}.`, {
        hint: `Looked for ${importedFiles.join(', ')}. \`sphere init\` writes a sphere.json from nothing.`,
      });
    }
    for (const { from, to, text } of findings) {
      const mark = to === null ? output.paint('yellow', 'left out') : output.paint('green', 'taken');
      const what = to === null ? text : [`"${to}"`, text].filter(Boolean).join(': ');
      output.note(`${mark}  ${from}  ${what}`);
    }
    const content = `${JSON.stringify(configuration, null, 2)}\n`;
    if (options.print) return { json: { configuration, findings }, text: content.trimEnd() };
    const file = join(directory, configurationName);
    if (existsSync(file) && !yes) {
      const overwrite = await prompts?.confirm(`${configurationName} is there already. Overwrite it?`, false);
      if (!overwrite) {
        throw new SphereError('INPUT_NEEDED', `${file} is there already, and was left as it is.`, {
          hint: 'Overwrite it with --yes, or look at what would be written with --print.',
        });
      }
    }
    withFile({ what: file, done: 'written' }, () => writeFileSync(file, content));
    output.note(`Wrote ${file}. The files that it was made from are not read by Sphere, and can go.`);
    return { json: { file, configuration, findings }, text: file };
  },
};
