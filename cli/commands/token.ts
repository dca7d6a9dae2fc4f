/** `sphere token create`, `ls` and `rm` */
import { SphereError } from '../../contract/errors.ts';
import type { Scope } from '../../contract/words.ts';
import { readAccount, withAccount, withHostedPlane } from '../account.ts';
import type { Api } from '../api.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type AccountOption = { account?: string };
type CreateOptions = AccountOption & { name: string; expires?: string; scope?: string; slug?: string };

export const command: CommandFile = {
  examples: [
    ['sphere token create --account acme --name ci --expires 90', 'the token, on stdout, this once'],
    ['sphere token ls --account acme', 'which there are, and when each was used'],
  ],
  notes:
    'SPHERE_URL names the plane. SPHERE_TOKEN is its admin token, or one of the account with the scope admin; or sign in with that.',
  define() {},
  async run() {
    throw new SphereError('USAGE', '`sphere token` needs to know what to do.', {
      hint: 'Name one of create, ls and rm: sphere token create --account NAME',
    });
  },
  subcommands: [
    {
      name: 'create',
      summary: 'make a token, which is printed this once',
      define: (command) => {
        withAccount(command)
          .option('--name <name>', 'what it is for', 'ci')
          .option(
            '--scope <scope>',
            'read, deploy (and roll back, cancel), or admin (and remove, store environment values, make tokens)',
            'deploy',
          )
          .option('--project, --slug <slug>', 'the only project that it reaches; default: every one')
          .option('--expires <days>', 'after how many days it works no more; default: never');
      },
      run: create,
    },
    { name: 'ls', summary: "list an account's tokens", define: withAccount, run: list },
    {
      name: 'rm',
      summary: 'remove a token, which then works no more',
      define: (command) => {
        withAccount(command).argument('<id>', 'the token, as `sphere token ls` shows it');
      },
      run: remove,
    },
  ],
};

async function create(context: Context, _args: string[], options: CreateOptions): Promise<Result> {
  const account = readAccount(options);
  const expiresInDays = options.expires === undefined ? undefined : readDays(options.expires);
  const scope = readScope(options.scope ?? 'deploy');
  const { output } = context;
  const made = await withHostedPlane(context, async (api) => {
    await ensureAccount(context, api, account);
    return api.createToken(account, {
      name: options.name,
      scope,
      ...(options.slug === undefined ? {} : { project: options.slug }),
      ...(expiresInDays === undefined ? {} : { expiresInDays }),
    });
  });
  const end = made.expiresAt === null ? 'does not expire' : `expires on ${day(made.expiresAt)}`;
  const reach = made.project === null ? made.account : `${made.account}, for ${made.project} alone,`;
  output.note(
    `Token ${made.id} ("${made.name}", scope ${made.scope}) of ${reach} ${end}. It is not shown again.`,
  );
  return { json: made, text: made.token };
}

/** Makes the account if it is missing and that is wanted. */
async function ensureAccount({ prompts, yes, output }: Context, api: Api, account: string): Promise<void> {
  const accounts = await api.listAccounts().catch((error: unknown) => {
    // A token of an account sees its own alone, which is there.
    if (error instanceof SphereError && error.code === 'NOT_ALLOWED') return null;
    throw error;
  });
  if (accounts === null) return;
  if (accounts.some(({ name }) => name === account)) return;
  const known =
    accounts.length === 0 ? 'There is none yet' : `There are ${accounts.map(({ name }) => name).join(', ')}`;
  if (!yes && !prompts) {
    throw new SphereError('INPUT_NEEDED', `There is no account "${account}".`, {
      hint: `${known}. To make this one, add --yes.`,
    });
  }
  if (!yes && !(await prompts?.confirm(`There is no account "${account}". Make it?`))) {
    throw new SphereError('NOT_FOUND', `There is no account "${account}", and none was made.`, {
      hint: `${known}.`,
    });
  }
  await api.createAccount(account);
  output.note(`Made the account ${account}.`);
}

async function list(context: Context, _args: string[], options: AccountOption): Promise<Result> {
  const account = readAccount(options);
  const tokens = await withHostedPlane(context, (api) => api.listTokens(account));
  const { ago, table } = await import('../format.ts');
  const now = Date.now();
  const rows = tokens.map(({ id, name, scope, project, createdAt, expiresAt, lastUsedAt }) => [
    id,
    name,
    scope,
    project ?? 'all',
    ago(createdAt, now),
    expiresAt === null ? 'never' : day(expiresAt),
    lastUsedAt === null ? 'never' : ago(lastUsedAt, now),
  ]);
  return {
    json: { tokens },
    text:
      rows.length === 0
        ? null
        : table([['TOKEN', 'NAME', 'SCOPE', 'PROJECT', 'CREATED', 'EXPIRES', 'LAST USED'], ...rows]),
  };
}

async function remove(context: Context, [id = '']: string[], options: AccountOption): Promise<Result> {
  const account = readAccount(options);
  const answer = await withHostedPlane(context, (api) => api.removeToken(account, id));
  context.output.note(`Removed ${answer.id} of ${account}: it works no more.`);
  return { json: answer, text: answer.id };
}

function readScope(text: string): Scope {
  if (text === 'read' || text === 'deploy' || text === 'admin') return text;
  throw new SphereError('USAGE', `--scope takes read, deploy or admin, not "${text}".`);
}

function readDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 3650) return days;
  throw new SphereError('USAGE', `--expires takes a number of days from 1 to 3650, not "${text}".`);
}

/** The day of an instant, as `2026-03-01`. */
const day = (iso: string) => iso.slice(0, 10);
