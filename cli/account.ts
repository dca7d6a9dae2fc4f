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
export async function withHostedPlane<T>(
  { environment }: Context,
  call: (api: Api) => Promise<T>,
): Promise<T> {
  const [{ choosePlane }, { createApi }] = await Promise.all([import('./plane.ts'), import('./api.ts')]);
  const choice = choosePlane(environment, false);
  if (choice.kind !== 'hosted') {
    throw new SphereError('USAGE', 'Accounts and tokens are for hosted planes, and SPHERE_URL names none.', {
      hint: 'Set SPHERE_URL to the address of the plane and SPHERE_TOKEN to its admin token.',
    });
  }
  const api = createApi(choice.address);
  try {
    return await call(api);
  } catch (error) {
    if (!(error instanceof SphereError) || error.code !== 'NOT_SIGNED_IN') throw error;
    throw new SphereError(error.code, `The plane refuses SPHERE_TOKEN: ${error.message}.`, {
      hint: 'Set SPHERE_TOKEN to the admin token of the plane: its SPHERE_ADMIN_TOKEN, or what its first start printed.',
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
