/** Which deployments' files are kept: what is live, what is under way, and what may be rolled back to or promoted. */
import { sql } from 'kysely';
import type { Plane } from './plane.ts';

/** Deployments per target that were live and stay ready for a rollback. */
const keptPerTarget = 20;

/**
 * Per project, by id: live, the last that were live of each target, and everything that has not ended. Of a target that
 * was emptied nothing is kept that was published before.
 */
export async function keptDeployments(plane: Plane): Promise<Map<string, Set<string>>> {
  const { query } = plane.database;
  const kept = new Map<string, Set<string>>();
  const keep = (project: string, deployment: string) => {
    const set = kept.get(project) ?? new Set<string>();
    kept.set(project, set.add(deployment));
  };
  const done = await query
    .selectFrom('publications')
    .innerJoin('targets', (join) =>
      join
        .onRef('targets.project_id', '=', 'publications.project_id')
        .onRef('targets.name', '=', 'publications.target'),
    )
    .select(['publications.project_id', 'publications.target', 'publications.deployment_id'])
    // What waits to be promoted is about to be live, whatever becomes of its preview.
    .where('publications.state', 'in', ['done', 'waiting', 'running'])
    .where(
      sql<boolean>`(publications.started_at is null or targets.emptied_at is null
        or publications.started_at > targets.emptied_at)`,
    )
    .orderBy('publications.order', 'desc')
    .execute();
  const perTarget = new Map<string, Set<string>>();
  for (const row of done) {
    const key = `${row.project_id} ${row.target}`;
    const set = perTarget.get(key) ?? new Set<string>();
    perTarget.set(key, set);
    if (set.size >= keptPerTarget) continue;
    set.add(row.deployment_id);
    keep(row.project_id, row.deployment_id);
  }
  const unfinished = await query
    .selectFrom('deployments')
    .select(['id', 'project_id'])
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  for (const row of unfinished) keep(row.project_id, row.id);
  return kept;
}
