/** What the commands about an account begin with: which one, and the hosted plane that has it. */
import type { Command } from 'commander';
import { SphereError } from '../contract/errors.ts';
import { accountNamePattern } from '../contract/words.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';

/** Adds `--account`. */
export const withAccount = (command: Command) =>
  command.option('--account <name>', 'the account that it belongs to');

/** Calls a hosted plane, and says which token it takes where the one that there is does not do. */
export async function withHostedPlane<T>(context: Context, call: (api: Api) => Promise<T>): Promise<T> {
  const [{ choosePlane }, { createApi }] = await Promise.all([
    import('./plane-choice.ts'),
    import('./api.ts'),
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
      hint: 'It takes the admin token of the plane, in SPHERE_TOKEN: its SPHERE_ADMIN_TOKEN, or what its first start printed; or a token of the account with the scope admin.',
      requestId: error.requestId,
      cause: error,
    });
  } finally {
    api.close();
  }
}

/** The account that is named. Throws `INPUT_NEEDED`, `USAGE`. */
export function readAccount({ account }: { account?: string }): string {
  if (account === undefined) {
    throw new SphereError('INPUT_NEEDED', 'No account is named.', { hint: 'Name it with --account.' });
  }
  if (accountNamePattern.test(account)) return account;
  throw new SphereError('USAGE', `--account: "${account}" is not the name of an account.`, {
    hint: 'It takes 1 to 63 of a-z, 0-9 and single inner hyphens, such as acme.',
  });
}

const tokenName = (from: string) => (from === 'sphere login' ? 'the token of your sign-in' : from);
