/** Removing a project: its site serves nothing any more. Its slug stays with its account, its place stays ours. */
import type { RemoveProjectAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { recordChange } from './audit.ts';
import { endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import type { Plane } from './plane.ts';
import { findProject, liveSite } from './projects.ts';
import { retainedHistory } from './publication-history.ts';
import { lockTarget } from './publications.ts';

/**
 * Ends what the project has queued or building, makes its site serve nothing and takes it out of the list. It may be
 * repeated after an interruption. Throws `NOT_FOUND`, and `PUBLISHING` while a publication runs.
 */
export async function removeProject(
  plane: Plane,
  account: string,
  slug: string,
): Promise<RemoveProjectAnswer> {
  const project = await findProject(plane, account, slug, { removedToo: true });
  const history = await retainedHistory(plane, { project: project.id, target: LIVE });
  const ended = await plane.database.transaction(async (trx) => {
    await lockTarget(trx, project.id, LIVE);
    const running = await trx
      .selectFrom('publications')
      .select('id')
      .where('project_id', '=', project.id)
      .where('state', '=', 'running')
      .executeTakeFirst();
    if (running) {
      throw new SphereError('PUBLISHING', `"${slug}" is being published just now`, {
        hint: 'Try again in a moment.',
      });
    }
    const unfinished = await trx
      .selectFrom('deployments')
      .select('id')
      .where('project_id', '=', project.id)
      .where('deployment_status', 'in', ['queued', 'building'])
      .execute();
    const rows = [];
    for (const { id } of unfinished) {
      const row = await lockDeployment(trx, id);
      if (row?.deployment_status !== 'queued' && row?.deployment_status !== 'building') continue;
      const error = { code: 'DEPLOYMENT_CANCELLED' as const, message: 'its project was removed' };
      await endDeployment(trx, row, 'cancel', { reason: 'user', error }, plane.now());
      rows.push(row);
    }
    const now = new Date(plane.now());
    await trx
      .updateTable('publications')
      .set({ state: 'cancelled', finished_at: now })
      .where('project_id', '=', project.id)
      .where('state', '=', 'waiting')
      .execute();
    await trx
      .updateTable('targets')
      .set({ live_publication_id: null })
      .where('project_id', '=', project.id)
      .execute();
    await trx
      .updateTable('projects')
      .set({ removed_at: now, updated_at: now })
      .where('id', '=', project.id)
      .execute();
    await recordChange(trx, { action: 'removeProject', account, project: slug, object: project.id });
    return rows;
  });
  for (const row of ended)
    await sayEnd(plane, row, row.phase ?? 'queue', 'Cancelled: the project was removed.');
  await plane.sites.unpublish(liveSite(project), history);
  // Only now: what is published next may count on nothing that lay there before.
  await plane.database.query
    .updateTable('targets')
    .set({ emptied_at: new Date(plane.now()) })
    .where('project_id', '=', project.id)
    .execute();
  return { slug, kept: 'the slug stays with this account; what is kept of the site is empty' };
}
