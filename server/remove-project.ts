/** Removing a project: its sites serve nothing any more. Its slug stays with its account, its place stays ours. */
import type { RemoveProjectAnswer } from '../contract/api.ts';
import { recordChange } from './audit.ts';
import { sayEnd } from './deployments.ts';
import { databaseNow } from './leases.ts';
import type { Plane } from './plane.ts';
import { removeEnvironment } from './project-environment.ts';
import { findProject } from './projects.ts';
import { emptyTarget, isGone, retireTargets } from './remove-targets.ts';

/**
 * Ends what the project has queued or building, makes its site and its previews serve nothing and takes it out of the
 * list. It may be repeated `removalMs` after an interruption. Throws `NOT_FOUND`, and `PUBLISHING` while a publication
 * or a removal runs.
 */
export async function removeProject(
  plane: Plane,
  account: string,
  slug: string,
): Promise<RemoveProjectAnswer> {
  const project = await findProject(plane, account, slug, { removedToo: true });
  const now = plane.now();
  const { ended, names } = await plane.database.transaction(async (trx) => {
    // Before its targets are looked at: a preview that somebody makes meanwhile is among them, or is refused. Not for its
    // key, which whoever adds a publication refers to: that one may hold a deployment that is waited for here.
    await trx.selectFrom('projects').select('id').where('id', '=', project.id).forNoKeyUpdate().execute();
    const targets = await trx
      .selectFrom('targets')
      .selectAll()
      .where('project_id', '=', project.id)
      .execute();
    const names = targets.filter((target) => !isGone(target)).map(({ name }) => name);
    const ended = await retireTargets(trx, project, names, { message: 'its project was removed', now });
    await trx
      .updateTable('projects')
      .set({ removed_at: databaseNow, updated_at: new Date(now) })
      .where('id', '=', project.id)
      .execute();
    await removeEnvironment(trx, project.id);
    await recordChange(trx, { action: 'removeProject', account, project: slug, object: project.id });
    return { ended, names };
  });
  for (const row of ended)
    await sayEnd(plane, row, row.phase ?? 'queue', 'Cancelled: the project was removed.');
  for (const name of names) await emptyTarget(plane, project, name, now);
  return { slug, kept: 'the slug stays with this account; what is kept of the site is empty' };
}
