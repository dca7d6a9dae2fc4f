/** `sphere init` */
import type { CommandFile } from '../command.ts';

export const command: CommandFile = {
  examples: [['sphere init', 'a sphere.json with the name of the site']],
  notes: 'A sphere.json that is there is not overwritten without asking, or --yes.',
  define(command) {
    command.option('--project, --slug <slug>', 'the name of the site and of its host');
  },
  async run(context, _args, options: { slug?: string }) {
    const { existsSync, writeFileSync } = await import('node:fs');
    const { join } = await import('node:path');
    const { SphereError } = await import('../../contract/errors.ts');
    const { withFile } = await import('../../files/file-error.ts');
    const { slugify, slugProblem } = await import('../slug.ts');
    const { configurationName, readFacts } = await import('../directory.ts');

    const file = join(context.directory, configurationName);
    if (existsSync(file) && !context.yes) {
      const overwrite = await context.prompts?.confirm(
        `${configurationName} is there already. Overwrite it?`,
      );
      if (!overwrite) {
        throw new SphereError('INPUT_NEEDED', `${file} is there already, and was left as it is.`, {
          hint: 'Overwrite it with --yes.',
        });
      }
    }
    const facts = readFacts(context.directory);
    const derived = slugify(facts.packageName ?? '') ?? slugify(facts.directoryName);
    const slug =
      options.slug ??
      (context.prompts ? await context.prompts.slug('What should the site be called?', derived) : derived);
    const problem = slug === null ? null : slugProblem(slug);
    if (problem !== null) throw new SphereError('USAGE', `--slug: ${problem}.`);
    // A path that leads nowhere would be a broken link in everybody's editor.
    const known = existsSync(join(context.directory, schemaPath));
    const configuration = { ...(known ? { $schema: schemaPath } : {}), ...(slug === null ? {} : { slug }) };
    withFile({ what: file, done: 'written' }, () =>
      writeFileSync(file, `${JSON.stringify(configuration, null, 2)}\n`),
    );
    context.output.note(
      known
        ? `Wrote ${file}. Your editor knows its keys by "$schema".`
        : `Wrote ${file}, without "$schema": the package @deploy-sphere/cli is not in node_modules here.`,
    );
    return { json: { file, configuration }, text: file };
  },
};

/** Where editors find the schema of the version that the project uses. */
const schemaPath = './node_modules/@deploy-sphere/cli/schema/sphere.schema.json';
