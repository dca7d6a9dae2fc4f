/** Trusts in jobs of GitHub and GitLab, and the exchange of such a job's ID token for a token of ours. */
import { createTrustSchema, exchangeSchema } from '../../contract/accounts-api.ts';
import { SphereError } from '../../contract/errors.ts';
import type { IdTokens } from '../id-tokens.ts';
import type { Plane } from '../plane.ts';
import { createTrust, exchangeIdToken, listTrusts, removeTrust } from '../trusts.ts';
import { parse, type RouteTable } from './mount.ts';

/** The routes of trusts. A plane that nobody reaches but its own machine has no issuers to trust. */
export function trustRoutes(plane: Plane, idTokens: IdTokens | null): RouteTable {
  const trusting = (): IdTokens => {
    if (idTokens !== null) return idTokens;
    throw new SphereError(
      'NOT_ALLOWED',
      'an embedded plane takes no ID tokens: jobs elsewhere cannot reach it',
      {
        hint: 'Trusts are for hosted planes: set SPHERE_URL to one.',
      },
    );
  };
  return {
    createTrust: {
      async answer({ request, response, parameter }) {
        const idTokens = trusting();
        const trust = await createTrust(
          plane,
          idTokens,
          parameter('account'),
          parse(createTrustSchema, request.body),
        );
        response.status(201);
        return trust;
      },
    },
    listTrusts: {
      async answer({ parameter }) {
        trusting();
        return { trusts: await listTrusts(plane, parameter('account')) };
      },
    },
    removeTrust: {
      async answer({ parameter }) {
        trusting();
        await removeTrust(plane, parameter('account'), parameter('id'));
        return { id: parameter('id') };
      },
    },
    exchangeIdToken: {
      async answer({ request, response }) {
        const answer = await exchangeIdToken(plane, trusting(), parse(exchangeSchema, request.body));
        response.status(201);
        return answer;
      },
    },
  };
}
