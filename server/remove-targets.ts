/** Taking targets out of use: of a project that is removed, and previews that are removed or have ended. */
import { sql, type Transaction } from 'kysely';
import type { RemoveTargetAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { recordChange } from './audit.ts';
import { removalMs } from './being-removed.ts';
import type { Tables } from './database/tables.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import type { Plane } from './plane.ts';
import { findProject, type ProjectRow, siteOn } from './projects.ts';
import { retainedHistory } from './publication-history.ts';
import { lockTarget } from './publications.ts';
import { noSuchPreview, previewBeingRemoved, siteBeingRemoved, type TargetRow } from './targets.ts';

/** So much before the end of its time who empties a target writes no more, because the clocks of machines differ. */
const marginMs = 20_000;

/**
 * Ends in `trx` what the targets have queued or building, and lets them serve nothing by the records. The caller says
 * the ends and empties the sites once the transaction has been committed. Throws `PUBLISHING` while a publication runs.
 */
export async function retireTargets(
  trx: Transaction<Tables>,
  project: Pick<ProjectRow, 'id' | 'slug'>,
  names: readonly string[],
  { message, now }: { message: string; now: number },
): Promise<DeploymentRow[]> {
  // In one order, so that two who do this wait for each other and not both.
  for (const name of [...names].sort()) await lockTarget(trx, project.id, name);
  await refuseWhileEmptied(trx, project, names);
  const running = await trx
    .selectFrom('publications')
    .select('id')
    .where('project_id', '=', project.id)
    .where('target', 'in', names)
    .where('state', '=', 'running')
    .executeTakeFirst();
  if (running) {
    throw new SphereError('PUBLISHING', `"${project.slug}" is being published just now`, {
      hint: 'Try again in a moment.',
    });
  }
  const unfinished = await trx
    .selectFrom('deployments')
    .select('id')
    .where('project_id', '=', project.id)
    .where('target', 'in', names)
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  const ended: DeploymentRow[] = [];
  for (const { id } of unfinished) {
    const row = await lockDeployment(trx, id);
    if (row?.deployment_status !== 'queued' && row?.deployment_status !== 'building') continue;
    const error = { code: 'DEPLOYMENT_CANCELLED' as const, message };
    await endDeployment(trx, row, 'cancel', { reason: 'user', error }, now);
    ended.push(row);
  }
  const time = new Date(now);
  await trx
    .updateTable('publications')
    .set({ state: 'cancelled', finished_at: time })
    .where('project_id', '=', project.id)
    .where('target', 'in', names)
    .where('state', '=', 'waiting')
    .execute();
  await trx
    .updateTable('targets')
    .set({ live_publication_id: null })
    .where('project_id', '=', project.id)
    .where('name', 'in', names)
    .execute();
  await trx
    .updateTable('targets')
    .set({ removed_at: time, expires_at: null })
    .where('project_id', '=', project.id)
    .where('name', 'in', names)
    .where('name', '<>', LIVE)
    .execute();
  return ended;
}

/**
 * Throws `PUBLISHING` while another process may be emptying one of the targets: it would go on after this one had ended,
 * and take away what was deployed since.
 */
async function refuseWhileEmptied(
  trx: Transaction<Tables>,
  project: Pick<ProjectRow, 'id' | 'slug'>,
  names: readonly string[],
): Promise<void> {
  // The live site goes with its project alone.
  const since = sql<Date>`coalesce(targets.removed_at, projects.removed_at)`;
  const emptying = await trx
    .selectFrom('targets')
    .innerJoin('projects', 'projects.id', 'targets.project_id')
    .select(['targets.name', 'projects.removed_at as project_removed_at'])
    .where('project_id', '=', project.id)
    .where('name', 'in', names)
    .where(sql<boolean>`(emptied_at is null or emptied_at < ${since})`)
    .where(sql<boolean>`${since} > clock_timestamp() - ${removalMs}::integer * interval '1 millisecond'`)
    .executeTakeFirst();
  if (!emptying) return;
  const { name, project_removed_at } = emptying;
  throw name === LIVE || project_removed_at !== null
    ? siteBeingRemoved(project)
    : previewBeingRemoved(project, name);
}

/** Makes the site of a target serve nothing that was retired at `retiredAt`. May be repeated after an interruption, once its time is over. */
export async function emptyTarget(
  plane: Plane,
  project: ProjectRow,
  name: string,
  retiredAt: number,
): Promise<void> {
  const site = siteOn(project, name);
  const history = await retainedHistory(plane, { project: project.id, target: name });
  const until = retiredAt + removalMs - marginMs;
  await plane.sites.unpublish(site, history, { signal: plane.ending, until: () => until });
  if (name !== LIVE) await plane.addresses.close(site);
  // Only now: what is published next may count on nothing that lay there before.
  let emptied = plane.database.query
    .updateTable('targets')
    // By the database's clock, like the starts of publications; `removed_at` is this process's, and names the removal.
    .set({ emptied_at: sql<Date>`greatest(clock_timestamp(), removed_at)` })
    .where('project_id', '=', project.id)
    .where('name', '=', name);
  // Somebody who has retired it again since may still be emptying it, and says when that is done.
  if (name !== LIVE) emptied = emptied.where('removed_at', '=', new Date(retiredAt));
  await emptied.execute();
}

/**
 * Removes a preview, with what it serves. It may be repeated `removalMs` after an interruption. Throws `NOT_FOUND`,
 * `REQUEST_INVALID` for `live`, and `PUBLISHING` while a publication or a removal runs.
 */
export async function removePreview(
  plane: Plane,
  account: string,
  slug: string,
  name: string,
): Promise<RemoveTargetAnswer> {
  const project = await findProject(plane, account, slug);
  if (name === LIVE) {
    throw new SphereError('REQUEST_INVALID', `the live site of "${slug}" goes with its project alone`, {
      hint: `To remove the project: \`sphere rm ${slug}\`.`,
    });
  }
  const target = await plane.database.query
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (!target || isGone(target)) throw noSuchPreview(slug, name);
  await retireAndEmpty(plane, project, name, () => true);
  return { slug, target: name, url: plane.addresses.site(siteOn(project, name)) };
}

/** Whether a preview was removed, and nothing of it is left. */
export const isGone = ({ removed_at, emptied_at }: TargetRow) =>
  removed_at !== null && emptied_at !== null && emptied_at >= removed_at;

/** Removes the target if it is still as `holds` says once it is locked. */
async function retireAndEmpty(
  plane: Plane,
  project: ProjectRow,
  name: string,
  holds: (target: TargetRow) => boolean,
): Promise<void> {
  const now = plane.now();
  const ended = await plane.database.transaction(async (trx) => {
    if (!holds(await lockTarget(trx, project.id, name))) return null;
    const change = {
      action: 'removeTarget',
      account: project.account_id,
      project: project.slug,
      object: name,
    };
    await recordChange(trx, change);
    return retireTargets(trx, project, [name], { message: 'its preview was removed', now });
  });
  if (ended === null) return;
  for (const row of ended)
    await sayEnd(plane, row, row.phase ?? 'queue', 'Cancelled: the preview was removed.');
  await emptyTarget(plane, project, name, now);
}

/** Removes the previews that have ended, and finishes removals that were cut off. */
export async function removeEndedPreviews(plane: Plane): Promise<void> {
  const now = plane.now();
  const cutOff = new Date(now - removalMs);
  const hasEnded = (target: TargetRow) =>
    target.removed_at === null
      ? target.expires_at !== null && target.expires_at.getTime() <= now
      : !isGone(target) && target.removed_at <= cutOff;
  const rows = await plane.database.query
    .selectFrom('targets')
    .selectAll()
    .where('name', '<>', LIVE)
    .where((eb) =>
      eb.or([
        eb('expires_at', '<=', new Date(now)),
        eb.and([
          eb('removed_at', '<=', cutOff),
          eb.or([eb('emptied_at', 'is', null), eb('emptied_at', '<', eb.ref('removed_at'))]),
        ]),
      ]),
    )
    .execute();
  for (const { project_id, name } of rows.filter(hasEnded)) {
    if (plane.ending.aborted) return;
    const project = await plane.database.query
      .selectFrom('projects')
      .selectAll()
      .where('id', '=', project_id)
      .executeTakeFirstOrThrow();
    try {
      await retireAndEmpty(plane, project, name, hasEnded);
    } catch (error) {
      // One that is being published goes the next time, and the others do not wait for it.
      const publishing = error instanceof SphereError && error.code === 'PUBLISHING';
      if (!publishing) plane.report(`the preview ${name} of ${project.slug} could not be removed`, error);
    }
  }
}
