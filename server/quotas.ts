/**
 * What one account may have on a hosted plane: its accounts share buckets (10,000 in an AWS account), queue and tables.
 * Counted before something is made, in its transaction; a few that are made at the same moment may be too many.
 */
import { sql } from 'kysely';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import type { Plane, Queries } from './plane.ts';

/** Deployments of an account that have not ended. */
const mostUnfinished = 1_000;
/** Tokens of an account, and trusts. */
const mostTokens = 500;

/** Throws `LIMIT_REACHED` when the account has as many projects as it may. Those that were removed keep their bucket. */
export async function checkProjects({ settings }: Plane, db: Queries, account: string): Promise<void> {
  const { quotas } = settings;
  if (quotas === null) return;
  const { count } = await db
    .selectFrom('projects')
    .select(sql<number>`count(*)::integer`.as('count'))
    .where('account_id', '=', account)
    .executeTakeFirstOrThrow();
  if (count < quotas.projects) return;
  throw limitReached(`this account has ${count} projects, with those that were removed`, {
    setting: 'SPHERE_MAX_PROJECTS_PER_ACCOUNT',
  });
}

/**
 * Throws `LIMIT_REACHED` when the project has as many previews beside `target` as it may, or the account as many
 * deployments that have not ended.
 */
export async function checkDeployments(
  { settings }: Plane,
  db: Queries,
  { account, project, target }: { account: string; project: string; target: string },
): Promise<void> {
  const { quotas } = settings;
  if (quotas === null) return;
  const unfinished = await db
    .selectFrom('deployments')
    .select('id')
    .where('account_id', '=', account)
    .where('deployment_status', 'in', ['queued', 'building'])
    .limit(mostUnfinished)
    .execute();
  if (unfinished.length >= mostUnfinished) {
    throw limitReached(`${mostUnfinished} deployments of this account have not ended`, {
      hint: 'Cancel some, or wait for them.',
    });
  }
  if (target === LIVE) return;
  const { count } = await db
    .selectFrom('targets')
    .select(sql<number>`count(*)::integer`.as('count'))
    .where('project_id', '=', project)
    .where('name', 'not in', [LIVE, target])
    .where('removed_at', 'is', null)
    .executeTakeFirstOrThrow();
  if (count < quotas.previews) return;
  throw limitReached(`this project has ${count} previews`, {
    hint: 'Remove some: `sphere previews`, then `sphere rm SLUG --preview NAME`.',
    setting: 'SPHERE_MAX_PREVIEWS_PER_PROJECT',
  });
}

/** Throws `LIMIT_REACHED` when the account has as many rows of `table` as it may. Job's tokens are not counted. */
export async function checkCredentials(
  db: Queries,
  account: string,
  table: 'tokens' | 'trusts',
): Promise<void> {
  let query = db
    .selectFrom(table)
    .select(sql<number>`count(*)::integer`.as('count'))
    .where('account_id', '=', account);
  if (table === 'tokens') query = query.where(sql<boolean>`trust_id is null`);
  const { count } = await query.executeTakeFirstOrThrow();
  if (count < mostTokens) return;
  throw limitReached(`this account has ${count} ${table}`, {
    hint: `Remove those that nobody uses: \`sphere ${table === 'tokens' ? 'token' : 'trust'} ls\`.`,
  });
}

function limitReached(what: string, { hint, setting }: { hint?: string; setting?: string }): SphereError {
  const runs = setting === undefined ? [] : [`Whoever runs the plane sets how many: ${setting}.`];
  return new SphereError('LIMIT_REACHED', `${what}, which is as many as it may have`, {
    hint: [...(hint === undefined ? [] : [hint]), ...runs].join(' '),
  });
}
