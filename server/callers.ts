/** Who calls: the one place where tokens are checked. */
import { SphereError } from '../contract/errors.ts';
import type { Principal } from '../contract/routes.ts';
import { equalStrings, hashToken } from './keys.ts';
import type { Plane } from './plane.ts';

/** The account of an embedded plane. */
export const EMBEDDED_ACCOUNT = 'embedded';

export type Caller =
  | { kind: 'account'; account: string }
  | { kind: 'builder'; token: string }
  | { kind: 'bootstrap' }
  | { kind: 'nobody' };

export type Callers = {
  /** Who the bearer of `authorization` is on a route for `principal`. Throws `NOT_SIGNED_IN`, `ATTEMPT_STALE`. */
  identify(
    principal: Principal,
    authorization: string | undefined,
    attempt?: { deployment: string; attempt: number },
  ): Promise<Caller>;
  /** The account of a token, or null. */
  accountOf(token: string): string | null;
};

/** For how long a builder's token is believed without asking the database again, in milliseconds. */
const believeMs = 1_000;

/** Checks tokens against `plane`. */
export function createCallers(plane: Plane): Callers {
  const believed = new Map<string, number>();

  const accountOf = (token: string) =>
    equalStrings(token, plane.keys.accountToken) ? EMBEDDED_ACCOUNT : null;

  /** Logs come hundreds of times a second: what the database said a moment ago is good enough for them. */
  async function checkBuilder(
    token: string,
    attempt: { deployment: string; attempt: number },
  ): Promise<void> {
    const hash = hashToken(token);
    const key = `${hash} ${attempt.deployment} ${attempt.attempt}`;
    const now = plane.now();
    if ((believed.get(key) ?? 0) > now) return;
    const row = await plane.database.query
      .selectFrom('deployments')
      .select(['attempt', 'deployment_status', 'builder_token_hash'])
      .where('id', '=', attempt.deployment)
      .executeTakeFirst();
    believed.delete(key);
    const current = row?.attempt === attempt.attempt && row.deployment_status === 'building';
    if (!row || !current) {
      throw new SphereError('ATTEMPT_STALE', `attempt ${attempt.attempt} of ${attempt.deployment} is over`);
    }
    if (row.builder_token_hash === null || !equalStrings(row.builder_token_hash, hash)) throw notSignedIn();
    if (believed.size > 1_000) believed.clear();
    believed.set(key, now + believeMs);
  }

  return {
    accountOf,
    async identify(principal, authorization, attempt) {
      if (principal === 'nobody') return { kind: 'nobody' };
      const token = /^Bearer ([\x21-\x7e]{1,512})$/.exec(authorization ?? '')?.[1];
      if (token === undefined) throw notSignedIn();
      if (principal === 'account') {
        const account = accountOf(token);
        if (account === null) throw notSignedIn();
        return { kind: 'account', account };
      }
      if (!attempt) throw new Error('a builder route without an attempt');
      if (principal === 'bootstrap') {
        if (!equalStrings(token, plane.keys.bootstrapToken(attempt.deployment, attempt.attempt)))
          throw notSignedIn();
        return { kind: 'bootstrap' };
      }
      await checkBuilder(token, attempt);
      return { kind: 'builder', token };
    },
  };
}

const notSignedIn = () =>
  new SphereError('NOT_SIGNED_IN', 'the token is missing or wrong', {
    hint: 'Send `Authorization: Bearer TOKEN`.',
  });
