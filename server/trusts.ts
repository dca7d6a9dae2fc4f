/** Trusts: jobs of which repository may deploy to which project, and the tokens that such jobs get. */
import { createHash } from 'node:crypto';
import { type Selectable, sql, type Transaction } from 'kysely';
import type { CreateTrust, Exchange, ExchangeAnswer, Trust } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';
import { slugRefusal } from '../contract/words.ts';
import { checkRef } from '../files/repository-url.ts';
import { accountId } from './accounts.ts';
import { recordChange } from './audit.ts';
import type { Tables, TrustTable } from './database/tables.ts';
import type { IdTokens, Job } from './id-tokens.ts';
import { hashToken, newId } from './keys.ts';
import type { Plane, Queries } from './plane.ts';
import { checkCredentials } from './quotas.ts';
import { newToken } from './token-text.ts';
import { tokensRemoved } from './tokens.ts';

type TrustRow = Selectable<TrustTable>;
type Trusting = Pick<Plane, 'database' | 'now'>;

/** So long a job's token works; longer while what it deploys has not ended (`tokens.ts`). */
const jobTokenMs = 15 * 60_000;

/** Trusts the jobs of a repository. Throws `NOT_FOUND`, `SLUG_IN_USE`, `REQUEST_INVALID`, `SOURCE_REFUSED`. */
export async function createTrust(
  { database, now }: Trusting,
  { issuers }: Pick<IdTokens, 'issuers'>,
  account: string,
  request: CreateTrust,
): Promise<Trust> {
  const ofProvider = issuers.filter(({ provider }) => provider === request.provider);
  const issuer = ofProvider.find(({ url }) => request.issuer === undefined || url === request.issuer);
  if (!issuer) {
    throw new SphereError('REQUEST_INVALID', `this plane takes no ID tokens of ${request.issuer}`, {
      hint: `It takes those of ${ofProvider.map(({ url }) => url).join(', ')}; SPHERE_OIDC_ISSUERS adds others.`,
    });
  }
  return database.transaction(async (trx) => {
    const owner = await accountId(trx, account);
    const project = await trx
      .selectFrom('projects')
      .select('account_id')
      .where('slug', '=', request.project)
      .executeTakeFirst();
    if (project && project.account_id !== owner) {
      throw new SphereError('SLUG_IN_USE', `the slug "${request.project}" is another account's`, {
        hint: 'Choose another.',
      });
    }
    if (!project) await checkFreeSlug(trx, owner, request.project);
    await checkCredentials(trx, owner, 'trusts');
    const row = await trx
      .insertInto('trusts')
      .values({
        id: newId('trs'),
        account_id: owner,
        provider: request.provider,
        issuer: issuer.url,
        repository: request.repository.toLowerCase(),
        repository_id: request.repositoryId ?? null,
        ref: request.ref === undefined ? null : fullRef(request.ref),
        environment: request.environment ?? null,
        project: request.project,
        created_at: new Date(now()),
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await recordChange(trx, {
      action: 'createTrust',
      account: owner,
      project: row.project,
      object: row.id,
    });
    return viewTrust(row);
  });
}

/** A branch by its short name, or any ref by its full one. */
function fullRef(ref: string): string {
  const full = ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
  return checkRef(full);
}

/** The trusts of the account, newest first. Throws `NOT_FOUND`. */
export async function listTrusts({ database }: Trusting, account: string): Promise<Trust[]> {
  const rows = await database.query
    .selectFrom('trusts')
    .selectAll()
    .where('account_id', '=', await accountId(database.query, account))
    .orderBy('created_at', 'desc')
    .execute();
  return rows.map(viewTrust);
}

/** Trusts it no more, and ends the tokens that its jobs have got. Throws `NOT_FOUND`. */
export async function removeTrust({ database }: Trusting, account: string, id: string): Promise<void> {
  await database.transaction(async (trx) => {
    const owner = await accountId(trx, account);
    const removed = await trx
      .deleteFrom('trusts')
      .where('id', '=', id)
      .where('account_id', '=', owner)
      .returning('project')
      .executeTakeFirst();
    if (!removed) {
      throw new SphereError('NOT_FOUND', `"${account}" has no trust "${id}"`, {
        hint: 'See `sphere trust ls`.',
      });
    }
    const tokens = await trx.deleteFrom('tokens').where('trust_id', '=', id).returning('id').execute();
    await tokensRemoved(
      trx,
      tokens.map((token) => token.id),
    );
    await recordChange(trx, { action: 'removeTrust', account: owner, project: removed.project, object: id });
  });
}

const viewTrust = (row: TrustRow): Trust => ({
  id: row.id,
  provider: row.provider,
  issuer: row.issuer,
  repository: row.repository,
  repositoryId: row.repository_id,
  ref: row.ref,
  environment: row.environment,
  project: row.project,
  createdAt: row.created_at.toISOString(),
  lastUsedAt: row.last_used_at?.toISOString() ?? null,
});

/** Gives a job a token for its ID token. Throws `NOT_SIGNED_IN`, `NOT_ALLOWED`. */
export async function exchangeIdToken(
  { database, now }: Trusting,
  idTokens: IdTokens,
  { idToken, project }: Exchange,
): Promise<ExchangeAnswer> {
  const job = await idTokens.verify(idToken);
  return database.transaction(async (trx) => {
    const trust = await findTrust(trx, job, project);
    await useOnce(trx, job);
    await trx
      .updateTable('trusts')
      .set({ repository_id: job.repositoryId, last_used_at: new Date(now()) })
      .where('id', '=', trust.id)
      .execute();
    const token = newToken();
    const expiresAt = new Date(now() + jobTokenMs);
    const id = newId('tok');
    await trx
      .insertInto('tokens')
      .values({
        id,
        account_id: trust.account_id,
        name: 'job',
        hash: hashToken(token),
        created_at: new Date(now()),
        expires_at: expiresAt,
        scope: 'deploy',
        project: trust.project,
        trust_id: trust.id,
        subject: job.subject,
      })
      .execute();
    await recordChange(trx, {
      action: 'exchangeIdToken',
      actor: { kind: 'job', id: job.subject },
      account: trust.account_id,
      project: trust.project,
      object: id,
    });
    const { name } = await trx
      .selectFrom('accounts')
      .select('name')
      .where('id', '=', trust.account_id)
      .executeTakeFirstOrThrow();
    return { token, account: name, project: trust.project, expiresAt: expiresAt.toISOString() };
  });
}

/**
 * A project that is not made yet is for the account that trusts a job with it first: else the jobs of one account would
 * get a token of another, and leave their source there. Throws `REQUEST_INVALID`, `SLUG_IN_USE`.
 */
async function checkFreeSlug(trx: Transaction<Tables>, owner: string, slug: string): Promise<void> {
  const refusal = slugRefusal(slug);
  if (refusal !== null) throw new SphereError('REQUEST_INVALID', refusal, { hint: 'Choose another.' });
  // Two accounts that ask at once take turns.
  await sql`select pg_advisory_xact_lock(hashtext(${`trust ${slug}`}))`.execute(trx);
  const other = await trx
    .selectFrom('trusts')
    .select('id')
    .where('project', '=', slug)
    .where('account_id', '<>', owner)
    .executeTakeFirst();
  if (!other) return;
  throw new SphereError('SLUG_IN_USE', `another account trusts jobs with the project "${slug}"`, {
    hint: 'Choose another, or deploy to it once with a token, which makes it yours.',
  });
}

/**
 * A trust that fits the job, locked. Any account can write down that it trusts any repository: which of them a job
 * means, it says by the project, which belongs to one account.
 */
async function findTrust(trx: Queries, job: Job, project: string): Promise<TrustRow> {
  const rows = await trx
    .selectFrom('trusts')
    .leftJoin('projects', 'projects.slug', 'trusts.project')
    .selectAll('trusts')
    .select('projects.account_id as owner')
    .where('issuer', '=', job.issuer)
    .where('repository', '=', job.repository)
    .where('trusts.project', '=', project)
    .orderBy('trusts.id')
    .forUpdate('trusts')
    .execute();
  const trust = rows.find((row) => fits(row, job));
  if (trust) return trust;
  throw notTrusted(job, project);
}

/** Whether `row` is about `job`. Another repository of the same name has another id. */
function fits(row: TrustRow & { owner: string | null }, job: Job): boolean {
  return (
    (row.owner === null || row.owner === row.account_id) &&
    (row.repository_id === null || row.repository_id === job.repositoryId) &&
    (row.ref === null || row.ref === job.ref) &&
    (row.environment === null || row.environment === job.environment)
  );
}

/** Says what was seen, and nothing of what any account trusts. */
function notTrusted({ repository, repositoryId, ref, environment }: Job, project: string): SphereError {
  return new SphereError('NOT_ALLOWED', `no account trusts this job to deploy to "${project}"`, {
    details: [
      `repository ${repository}, number ${repositoryId}`,
      `ref ${ref}`,
      `environment ${environment ?? 'none'}`,
    ],
    hint: 'See `sphere trust ls`: repository, ref and environment must be these. After a repository was renamed or made anew, trust it anew.',
  });
}

/** Takes the ID token's id for used, on every replica. Throws `NOT_SIGNED_IN` when it is already. */
async function useOnce(trx: Queries, job: Job): Promise<void> {
  const id = createHash('sha256').update(`${job.issuer} ${job.tokenId}`).digest('hex');
  const first = await trx
    .insertInto('used_id_tokens')
    .values({ id, expires_at: job.expiresAt })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (first) return;
  throw new SphereError('NOT_SIGNED_IN', 'the ID token is refused: it has been used already', {
    hint: 'Each is taken once. On GitLab, give every command that deploys an ID token of its own, under `id_tokens`.',
  });
}
