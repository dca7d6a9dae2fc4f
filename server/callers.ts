/** Who calls, and whether they may: the one place where tokens are checked and the table of the contract is applied. */
import { SphereError } from '../contract/errors.ts';
import type { Access } from '../contract/routes.ts';
import { type Scope, scopes } from '../contract/words.ts';
import { equalStrings, hashToken } from './keys.ts';
import type { Plane } from './plane.ts';
import { noSuchProject } from './projects.ts';
import { findToken } from './tokens.ts';

/** The account of an embedded plane. */
export const EMBEDDED_ACCOUNT = 'embedded';

/** What an account's token, or the admin's, opens. An embedded plane has one token for everything. */
export type Holder = {
  /** Null: the token is no account's. */
  account: string | null;
  admin: boolean;
  scope: Scope;
  /** The slug of the only project that the token reaches. */
  project: string | null;
  /** The id of the token; null for that of an embedded plane, which is in no table. */
  token: string | null;
  /** The job that has got the token for its ID token. */
  subject: string | null;
};

/** Whose token it is, or null. */
export type FindHolder = (token: string) => Promise<Holder | null>;

export type Caller =
  | { kind: 'account'; account: string; holder: Holder }
  | { kind: 'admin'; holder: Holder }
  | { kind: 'holder'; holder: Holder; token: string }
  | ({ kind: 'builder' } & BuilderPlace)
  | { kind: 'bootstrap' }
  | { kind: 'nobody' };

/** Whose deployment it is that a builder works on, and the slug of its project. */
export type BuilderPlace = { account: string; project: string };

/** The parameters of a path, or what an event names in their place. */
export type Named = Readonly<Record<string, string>>;

export type Callers = {
  /**
   * Who the bearer of `authorization` is, where `access` is asked for and `named` is named. Throws `NOT_SIGNED_IN`,
   * `NOT_ALLOWED`, `ATTEMPT_STALE`, and `NOT_FOUND` for what the token does not reach.
   */
  identify(access: Access, authorization: string | undefined, named: Named): Promise<Caller>;
  /** As `identify`, for a token of which the holder is known. */
  admit(access: Access, holder: Holder, named: Named): Promise<void>;
  findHolder: FindHolder;
};

/** For how long a builder's token is believed without asking the database again, in milliseconds. */
const believeMs = 1_000;
/** Tokens of builders that are believed at a time. */
const mostBelieved = 1_000;

/** The holder of the one token of an embedded plane. */
export function embeddedHolder(plane: Pick<Plane, 'keys'>): FindHolder {
  const holder: Holder = {
    account: EMBEDDED_ACCOUNT,
    admin: true,
    scope: 'admin',
    project: null,
    token: null,
    subject: null,
  };
  return async (token) => (equalStrings(token, plane.keys.accountToken) ? holder : null);
}

/** The holders of a hosted plane's tokens. The database is asked every time: a token that is removed ends at once. */
export function hostedHolders(plane: Pick<Plane, 'database' | 'now'>): FindHolder {
  return async (token) => {
    const row = await findToken(plane, token);
    if (!row) return null;
    return {
      account: row.account_id,
      admin: row.account_id === null,
      scope: row.scope,
      project: row.project,
      token: row.id,
      subject: row.subject,
    };
  };
}

/** Checks tokens against `plane` and `findHolder`. */
export function createCallers(plane: Plane, findHolder: FindHolder): Callers {
  const checkBuilder = createBuilderCheck(plane);

  async function admit(access: Access, holder: Holder, named: Named): Promise<void> {
    if (access.principal !== 'account' && access.principal !== 'holder') return;
    if (holder.account === null) {
      if (access.principal === 'account') throw notForAdmin();
      return;
    }
    if (scopes.indexOf(holder.scope) < scopes.indexOf(access.scope))
      throw scopeTooSmall(holder.scope, access.scope);
    if (access.about === 'account') {
      if (holder.project !== null) throw onlyForOneProject(holder.project);
      await checkAccount(plane, holder, named.account);
    }
    if (holder.project === null) return;
    if (access.about === 'project' && named.slug !== holder.project) throw noSuchProject(named.slug ?? '');
    if (access.about === 'deployment') await checkDeployment(plane, holder, named.id);
  }

  return {
    findHolder,
    admit,
    async identify(access, authorization, named) {
      const { principal } = access;
      if (principal === 'nobody') return { kind: 'nobody' };
      const token = /^Bearer ([\x21-\x7e]{1,512})$/.exec(authorization ?? '')?.[1];
      if (token === undefined) throw notSignedIn();
      if (principal === 'builder' || principal === 'bootstrap') {
        const attempt = attemptOf(named);
        if (principal === 'builder') {
          return { kind: 'builder', ...(await checkBuilder(token, attempt)) };
        }
        if (!plane.keys.isBootstrapToken(token, attempt.deployment, attempt.attempt)) throw notSignedIn();
        return { kind: 'bootstrap' };
      }
      const holder = await findHolder(token);
      if (holder === null) throw notSignedIn();
      if (principal === 'admin') {
        if (!holder.admin) throw notForAccounts();
        return { kind: 'admin', holder };
      }
      await admit(access, holder, named);
      if (principal === 'holder') return { kind: 'holder', holder, token };
      return { kind: 'account', account: holder.account as string, holder };
    },
  };
}

/** The attempt that the parameters of a builder's route name. Throws `REQUEST_INVALID`. */
export function attemptOf({ deployment, attempt }: Named): { deployment: string; attempt: number } {
  if (deployment && attempt && /^[1-9]\d{0,8}$/.test(attempt))
    return { deployment, attempt: Number(attempt) };
  throw new SphereError('REQUEST_INVALID', 'the path names no attempt');
}

function createBuilderCheck(plane: Plane) {
  const believed = new Map<string, { until: number; place: BuilderPlace }>();

  /** Logs come hundreds of times a second: what the database said a moment ago is good enough for them. */
  return async (token: string, attempt: { deployment: string; attempt: number }): Promise<BuilderPlace> => {
    const hash = hashToken(token);
    const key = `${hash} ${attempt.deployment} ${attempt.attempt}`;
    const now = plane.now();
    const known = believed.get(key);
    if (known && known.until > now) return known.place;
    const row = await plane.database.query
      .selectFrom('deployments')
      .select(['attempt', 'deployment_status', 'builder_token_hash', 'account_id', 'project_slug'])
      .where('id', '=', attempt.deployment)
      .executeTakeFirst();
    believed.delete(key);
    const current = row?.attempt === attempt.attempt && row.deployment_status === 'building';
    if (!row || !current) {
      throw new SphereError('ATTEMPT_STALE', `attempt ${attempt.attempt} of ${attempt.deployment} is over`);
    }
    if (row.builder_token_hash === null || !equalStrings(row.builder_token_hash, hash)) throw notSignedIn();
    if (believed.size >= mostBelieved) believed.clear();
    const place = { account: row.account_id, project: row.project_slug };
    believed.set(key, { until: now + believeMs, place });
    return place;
  };
}

/** An account looks after its own tokens alone. */
async function checkAccount(plane: Plane, holder: Holder, name: string | undefined): Promise<void> {
  if (holder.admin || name === undefined) return;
  const row = await plane.database.query
    .selectFrom('accounts')
    .select('name')
    .where('id', '=', holder.account)
    .executeTakeFirst();
  if (row?.name !== name) throw new SphereError('NOT_FOUND', `there is no account "${name}"`);
}

async function checkDeployment(plane: Plane, holder: Holder, id: string | undefined): Promise<void> {
  const row = await plane.database.query
    .selectFrom('deployments')
    .select('project_slug')
    .where('id', '=', id ?? '')
    .where('account_id', '=', holder.account)
    .executeTakeFirst();
  if (row?.project_slug === holder.project) return;
  throw new SphereError('NOT_FOUND', `there is no deployment "${id}"`, { hint: 'See `sphere ls SLUG`.' });
}

const scopeTooSmall = (has: Scope, needs: Scope) =>
  new SphereError('NOT_ALLOWED', `this needs a token with the scope "${needs}"; this one has "${has}"`, {
    hint: `Make one: \`sphere token create --scope ${needs}\`, with the admin token of the plane, or a token of the account that has the scope "admin".`,
  });

const onlyForOneProject = (project: string) =>
  new SphereError('NOT_ALLOWED', `this token is for the project "${project}" alone`, {
    hint: 'Use a token of the whole account.',
  });

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
