/** Accounts, for the admin of a hosted plane; their tokens, for those of the account who may. */
import { createAccountSchema, createTokenSchema } from '../../contract/accounts-api.ts';
import { SphereError } from '../../contract/errors.ts';
import { createAccount, listAccounts } from '../accounts.ts';
import type { Plane } from '../plane.ts';
import { createToken, listTokens, removeToken } from '../tokens.ts';
import { parse, type RouteTable } from './mount.ts';

/** The routes of accounts. A plane that is its one user's own has one account, and no others. */
export function accountRoutes(plane: Plane): RouteTable {
  const several = () => {
    if (!plane.settings.exclusive) return;
    throw new SphereError('NOT_ALLOWED', 'an embedded plane has one account, and makes its token itself', {
      hint: 'Accounts are for hosted planes: set SPHERE_URL to one, and SPHERE_TOKEN to its admin token.',
    });
  };
  return {
    createAccount: {
      async answer({ request, response }) {
        several();
        const { name } = parse(createAccountSchema, request.body);
        response.status(201);
        return { account: await createAccount(plane, name) };
      },
    },
    listAccounts: {
      async answer() {
        several();
        return { accounts: await listAccounts(plane) };
      },
    },
    createToken: {
      async answer({ request, response, parameter }) {
        several();
        const body = parse(createTokenSchema, request.body);
        const answer = await createToken(plane, parameter('account'), body);
        response.status(201);
        return answer;
      },
    },
    listTokens: {
      async answer({ parameter }) {
        several();
        return { tokens: await listTokens(plane, parameter('account')) };
      },
    },
    removeToken: {
      async answer({ parameter }) {
        several();
        await removeToken(plane, parameter('account'), parameter('id'));
        return { id: parameter('id') };
      },
    },
  };
}
