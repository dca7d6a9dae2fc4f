/** Who calls: the one place where tokens are checked. */
import { SphereError } from '../contract/errors.ts';
import type { Principal } from '../contract/routes.ts';
import { ownerOfToken } from './accounts.ts';
import { equalStrings, hashToken } from './keys.ts';
import type { Plane } from './plane.ts';

/** The account of an embedded plane. */
export const EMBEDDED_ACCOUNT = 'embedded';

/** What an account's token, or the admin's, opens. An embedded plane has one token for everything. */
export type Holder = {
  /** Null: the token is no account's. */
  account: string | null;
  admin: boolean;
};

/** Whose token it is, or null. */
export type FindHolder = (token: string) => Promise<Holder | null>;

export type Caller =
  | { kind: 'account'; account: string }
  | { kind: 'admin' }
  | { kind: 'holder'; holder: Holder; token: string }
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
  accountOf(token: string): Promise<string | null>;
};

/** For how long a token is believed without asking the database again, in milliseconds. */
const believeMs = 1_000;
/** Tokens that are believed at a time. */
const mostBelieved = 1_000;

/** The holder of the one token of an embedded plane. */
export function embeddedHolder(plane: Pick<Plane, 'keys'>): FindHolder {
  return async (token) =>
    equalStrings(token, plane.keys.accountToken) ? { account: EMBEDDED_ACCOUNT, admin: true } : null;
}

/** The holders of a hosted plane's tokens. A token that has been removed is believed for a second more. */
export function hostedHolders(plane: Pick<Plane, 'database' | 'now'>): FindHolder {
  const known = new Map<string, { until: number; holder: Promise<Holder | null> }>();
  const find = async (token: string): Promise<Holder | null> => {
    const owner = await ownerOfToken(plane, token);
    if (owner === null) return null;
    return owner.kind === 'admin' ? { account: null, admin: true } : { account: owner.account, admin: false };
  };
  return (token) => {
    const key = hashToken(token);
    const entry = known.get(key);
    if (entry && entry.until > plane.now()) return entry.holder;
    if (known.size >= mostBelieved) known.clear();
    const holder = find(token);
    known.set(key, { until: plane.now() + believeMs, holder });
    holder.catch(() => known.delete(key));
    return holder;
  };
}

/** Checks tokens against `plane` and `findHolder`. */
export function createCallers(plane: Plane, findHolder: FindHolder): Callers {
  const believed = new Map<string, number>();

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
    if (believed.size >= mostBelieved) believed.clear();
    believed.set(key, now + believeMs);
  }

  return {
    accountOf: async (token) => (await findHolder(token))?.account ?? null,
    async identify(principal, authorization, attempt) {
      if (principal === 'nobody') return { kind: 'nobody' };
      const token = /^Bearer ([\x21-\x7e]{1,512})$/.exec(authorization ?? '')?.[1];
      if (token === undefined) throw notSignedIn();
      if (principal === 'account' || principal === 'admin' || principal === 'holder') {
        const holder = await findHolder(token);
        if (holder === null) throw notSignedIn();
        if (principal === 'holder') return { kind: 'holder', holder, token };
        if (principal === 'admin') {
          if (!holder.admin) throw notForAccounts();
          return { kind: 'admin' };
        }
        if (holder.account === null) throw notForAdmin();
        return { kind: 'account', account: holder.account };
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

const notForAccounts = () =>
  new SphereError('NOT_ALLOWED', 'this needs the admin token of the plane', {
    hint: 'Set SPHERE_TOKEN to the token that the plane showed at its first start, or to its SPHERE_ADMIN_TOKEN.',
  });

const notForAdmin = () =>
  new SphereError('NOT_ALLOWED', 'the admin token makes accounts and tokens, and deploys nothing', {
    hint: 'Make a token for an account: `sphere token create --account NAME`, and set SPHERE_TOKEN to that.',
  });

const notSignedIn = () =>
  new SphereError('NOT_SIGNED_IN', 'the token is missing or wrong', {
    hint: 'Send `Authorization: Bearer TOKEN`.',
  });
