/** `sphere token create`, `ls` and `rm` */
import type { Command } from 'commander';
import { SphereError } from '../../contract/errors.ts';
import { accountNamePattern } from '../../contract/words.ts';
import type { Api } from '../api.ts';
import type { CommandFile, Context, Result } from '../command.ts';

type AccountOption = { account?: string };
type CreateOptions = AccountOption & { name: string; expires?: string };

const withAccount = (command: Command) =>
  command.option('--account <name>', 'the account that it belongs to');

export const command: CommandFile = {
  examples: [
    ['sphere token create --account acme --name ci --expires 90', 'the token, on stdout, this once'],
    ['sphere token ls --account acme', 'which there are, and when each was used'],
  ],
  notes: 'SPHERE_URL names the plane, and SPHERE_TOKEN is its admin token; or sign in with that.',
  define(command) {
    command;
  },
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
  const { output } = context;
  const made = await asAdmin(context, async (api) => {
    await ensureAccount(context, api, account);
    return api.createToken(account, {
      name: options.name,
      ...(expiresInDays === undefined ? {} : { expiresInDays }),
    });
  });
  const end = made.expiresAt === null ? 'does not expire' : `expires on ${day(made.expiresAt)}`;
  output.note(`Token ${made.id} ("${made.name}") of ${made.account} ${end}. It is not shown again.`);
  return { json: made, text: made.token };
}

/** Makes the account if it is missing and that is wanted. */
async function ensureAccount({ prompts, yes, output }: Context, api: Api, account: string): Promise<void> {
  const accounts = await api.listAccounts();
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
  const tokens = await asAdmin(context, (api) => api.listTokens(account));
  const { ago, table } = await import('../format.ts');
  const now = Date.now();
  const rows = tokens.map(({ id, name, createdAt, expiresAt, lastUsedAt }) => [
    id,
    name,
    ago(createdAt, now),
    expiresAt === null ? 'never' : day(expiresAt),
    lastUsedAt === null ? 'never' : ago(lastUsedAt, now),
  ]);
  return {
    json: { tokens },
    text: rows.length === 0 ? null : table([['TOKEN', 'NAME', 'CREATED', 'EXPIRES', 'LAST USED'], ...rows]),
  };
}

async function remove(context: Context, [id = '']: string[], options: AccountOption): Promise<Result> {
  const account = readAccount(options);
  const answer = await asAdmin(context, (api) => api.removeToken(account, id));
  context.output.note(`Removed ${answer.id} of ${account}: it works no more.`);
  return { json: answer, text: answer.id };
}

/** Calls a hosted plane, and says which token it takes where the one that there is does not do. */
async function asAdmin<T>(context: Context, call: (api: Api) => Promise<T>): Promise<T> {
  const [{ choosePlane }, { createApi }] = await Promise.all([
    import('../plane-choice.ts'),
    import('../api.ts'),
  ]);
  const choice = choosePlane(context);
  if (choice.kind !== 'hosted') {
    throw new SphereError('USAGE', 'Accounts and tokens are for hosted planes, and no such plane is named.', {
      hint: 'Set SPHERE_URL to the address of the plane and SPHERE_TOKEN to its admin token, or sign in with it: `sphere login`.',
    });
  }
  const { url, token } = choice.address;
  const api = createApi({ url, token });
  try {
    return await call(api);
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'NOT_SIGNED_IN') throw error;
    throw new SphereError(error.code, `The plane refuses ${tokenName(choice.tokenFrom)}: ${error.message}.`, {
      hint: 'It takes the admin token of the plane, in SPHERE_TOKEN: its SPHERE_ADMIN_TOKEN, or what its first start printed.',
      requestId: error.requestId,
      cause: error,
    });
  } finally {
    api.close();
  }
}

function readAccount({ account }: AccountOption): string {
  if (account === undefined) {
    throw new SphereError('INPUT_NEEDED', 'No account is named.', { hint: 'Name it with --account.' });
  }
  if (accountNamePattern.test(account)) return account;
  throw new SphereError('USAGE', `--account: "${account}" is not the name of an account.`, {
    hint: 'It takes 1 to 63 of a-z, 0-9 and single inner hyphens, such as acme.',
  });
}

function readDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 1 && days <= 3650) return days;
  throw new SphereError('USAGE', `--expires takes a number of days from 1 to 3650, not "${text}".`);
}

/** The day of an instant, as `2026-03-01`. */
const day = (iso: string) => iso.slice(0, 10);

const tokenName = (from: string) => (from === 'sphere login' ? 'the token of your sign-in' : from);
