/** `sphere env ls`, `add`, `rm`, `pull` and `import` */
import type { Command } from 'commander';
import type { EnvironmentEntry } from '../../contract/environment-api.ts';
import type { EnvironmentScope } from '../../contract/environment-values.ts';
import { SphereError } from '../../contract/errors.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type ProjectOption = { slug?: string };
type ScopeOption = ProjectOption & { scope?: string };
type AddOptions = ProjectOption & { scope: string; plain?: true; allowEmpty?: true };

const withProject = (command: Command) =>
  command.option('--project, --slug <slug>', 'the project, where it is not that of this directory');
const forBuilds = (command: Command) =>
  withProject(command)
    .option('--scope <scope>', 'which builds get it: live, previews or live,previews', 'live')
    .option('--plain', 'it is no secret: it may be listed, pulled and published');

export const command: CommandFile = {
  examples: [
    ['sphere env add API_KEY', 'asks for the value, without showing it'],
    ['sphere env add SIGNING_KEY < key.pem', 'or takes it from stdin'],
    ['printf %s "$URL" | sphere env add API_URL --plain --scope live,previews', 'no secret'],
    ['sphere env import .env.production', 'all values of a file'],
  ],
  notes: `A value is a secret unless --plain says otherwise: kept encrypted, given to builds alone, never
shown again, hidden in logs; a site that holds it is not published. --scope live is the default.`,
  define() {},
  async run() {
    throw new SphereError('USAGE', '`sphere env` needs to know what to do.', {
      hint: 'Name one of ls, add, rm, pull and import: sphere env add NAME',
    });
  },
  subcommands: [
    {
      name: 'ls',
      summary: 'list the environment values of a project; of secrets the names',
      define: (command) => {
        withProject(command).option('--scope <scope>', 'those for live or for previews');
      },
      run: list,
    },
    {
      name: 'add',
      summary: 'store a value, which is read from stdin or asked for',
      define: (command) => {
        // A second word would be a value: what is wrong with that is said without repeating it.
        forBuilds(command)
          .argument('[name...]', 'its name, such as API_KEY')
          .option('--allow-empty', 'store an empty value');
      },
      run: add,
    },
    {
      name: 'rm',
      summary: 'remove a value',
      define: (command) => {
        withProject(command)
          .argument('<name>', 'its name')
          .option('--scope <scope>', 'for live or for previews; default: both');
      },
      run: remove,
    },
    {
      name: 'pull',
      summary: 'write the values that are no secrets into a file, beside what is there',
      define: (command) => {
        withProject(command)
          .argument('[file]', 'default: .env.local')
          .option('--scope <scope>', 'those for live or for previews', 'live');
      },
      run: pull,
    },
    {
      name: 'import',
      summary: 'store all values of a file in the format of .env',
      define: (command) => {
        forBuilds(command).argument('<file>', 'the file; - is stdin');
      },
      run: importFile,
    },
  ],
};

/** The plane's interface, and the project that is meant. */
async function open(context: Context, options: ProjectOption) {
  const { openPlane, projectSlug } = await import('../session.ts');
  const slug = await projectSlug(context, options);
  const { api } = await openPlane(context, options);
  return { api, slug };
}

async function list(context: Context, _args: string[], options: ScopeOption): Promise<Result> {
  const { readScope } = await import('../environment-value.ts');
  const scope = options.scope === undefined ? undefined : readScope(options.scope);
  const { api, slug } = await open(context, options);
  const values = await api.listEnvironment(slug, scope);
  const [{ ago, table }, { cleanText }] = await Promise.all([
    import('../format.ts'),
    import('../terminal-text.ts'),
  ]);
  const now = Date.now();
  const rows = values.map((entry) => [
    entry.name,
    entry.scope,
    cleanText(shownValue(entry), false),
    ago(entry.updatedAt, now),
  ]);
  if (rows.length === 0) context.output.note(`${slug} has no environment values.`);
  return {
    json: { project: slug, values },
    text: rows.length === 0 ? null : table([['NAME', 'SCOPE', 'VALUE', 'SET'], ...rows]),
  };
}

const longestShown = 60;

function shownValue({ sensitive, value }: EnvironmentEntry): string {
  if (sensitive) return '(secret)';
  if (value === undefined) return '(no key of the plane opens it)';
  const text = /^[!-~](?:[ -~]*[!-~])?$/.test(value) ? value : JSON.stringify(value);
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text;
}

async function add(context: Context, args: string[], options: AddOptions): Promise<Result> {
  const { confirmPublic, readName, readScopes, readValue, storeValue } = await import(
    '../environment-value.ts'
  );
  const { clientPrefixOf } = await import('../../contract/environment-values.ts');
  const name = readName(args);
  const scopes = readScopes(options.scope);
  const published = clientPrefixOf(name) !== null;
  if (published && !options.plain) await confirmPublic(context, [name]);
  const value = await readValue(context, name, options.allowEmpty === true);
  const { api, slug } = await open(context, options);
  const sensitive = !options.plain && !published;
  const answer = await storeValue(context, api, slug, { name, value, sensitive, scopes });
  const replaced = answer.scopes.flatMap((one) => (one.replaced ? [one.scope] : []));
  const { output } = context;
  const before = replaced.length === 0 ? '' : `, in place of what was there for ${replaced.join(' and ')}`;
  output.note(
    `${output.paint('green', '✔')} Stored ${name} of ${slug} for ${scopes.join(' and ')}, ${kind(sensitive)}${before}. The next deploy gets it.`,
  );
  return { json: { project: slug, name, scopes, sensitive, replaced }, text: null };
}

const kind = (sensitive: boolean) => (sensitive ? 'as a secret' : 'as plain');

async function remove(context: Context, [name = '']: string[], options: ScopeOption): Promise<Result> {
  const { readScope } = await import('../environment-value.ts');
  const scope = options.scope === undefined ? undefined : readScope(options.scope);
  const { api, slug } = await open(context, options);
  const values = await api.listEnvironment(slug, scope);
  const going = values.filter((entry) => entry.name === name);
  if (going.length > 0 && !(await confirmRemoval(context, slug, going))) {
    context.output.note('Nothing was removed.');
    return { json: { project: slug, name, removed: [] }, text: null, failed: true };
  }
  const { scopes } = await api.removeEnvironmentValue(slug, name, scope);
  context.output.note(`Removed ${name} of ${slug} for ${scopes.join(' and ')}.`);
  return { json: { project: slug, name, removed: scopes }, text: null };
}

async function confirmRemoval(
  { prompts, yes }: Context,
  slug: string,
  going: readonly EnvironmentEntry[],
): Promise<boolean> {
  if (yes) return true;
  const name = going[0]?.name;
  const what = `${name} of ${slug} for ${going.map(({ scope }) => scope).join(' and ')}`;
  const lost = going.some(({ sensitive }) => sensitive) ? ' Its value cannot be shown any more.' : '';
  if (prompts) return prompts.confirm(`Remove ${what}?${lost}`, false);
  throw new SphereError('INPUT_NEEDED', `Removing ${what} is not confirmed.`, {
    hint: `To remove it: sphere env rm ${name} --yes`,
  });
}

async function pull(
  context: Context,
  [file = '.env.local']: string[],
  options: ScopeOption,
): Promise<Result> {
  const { readScope } = await import('../environment-value.ts');
  const { pullIntoFile } = await import('../environment-pull.ts');
  const scope = readScope(options.scope ?? 'live');
  const { api, slug } = await open(context, options);
  return pullIntoFile(context, file, {
    project: slug,
    scope,
    values: await api.listEnvironment(slug, scope),
  });
}

async function importFile(context: Context, [file = '']: string[], options: AddOptions): Promise<Result> {
  const { readScopes, storeValue } = await import('../environment-value.ts');
  const { readImport } = await import('../environment-import.ts');
  const scopes: EnvironmentScope[] = readScopes(options.scope);
  const entries = await readImport(context, file, options.plain === true);
  const { api, slug } = await open(context, options);
  const done: string[] = [];
  const { output } = context;
  for (const entry of entries) {
    try {
      await storeValue(context, api, slug, { ...entry, scopes });
    } catch (error) {
      if (done.length > 0) output.note(`Stored before that: ${done.join(', ')}.`);
      throw error;
    }
    done.push(entry.name);
  }
  const secrets = entries.filter(({ sensitive }) => sensitive).length;
  const { count } = await import('../format.ts');
  output.note(
    `${output.paint('green', '✔')} Stored ${count(entries.length, 'value')} of ${slug} for ${scopes.join(' and ')}, ${secrets} as ${secrets === 1 ? 'a secret' : 'secrets'}. The next deploy gets ${entries.length === 1 ? 'it' : 'them'}.`,
  );
  const values = entries.map(({ name, sensitive }) => ({ name, sensitive }));
  return { json: { project: slug, scopes, values }, text: null };
}
