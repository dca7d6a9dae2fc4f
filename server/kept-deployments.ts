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
  // Not all that was ever live: of each target only what is kept leaves the database. What waits to be promoted is about
  // to be live, whatever becomes of its preview.
  const { rows: done } = await sql<{ project: string; deployment: string }>`
    select targets.project_id as project, last.deployment_id as deployment from targets
    cross join lateral (
      select deployment_id from publications
      where publications.project_id = targets.project_id and publications.target = targets.name
        and state in ('done', 'waiting', 'running')
        and (started_at is null or targets.emptied_at is null or started_at > targets.emptied_at)
      group by deployment_id order by max("order") desc limit ${keptPerTarget}) last`.execute(query);
  for (const row of done) keep(row.project, row.deployment);
  const unfinished = await query
    .selectFrom('deployments')
    .select(['id', 'project_id'])
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  for (const row of unfinished) keep(row.project_id, row.id);
  return kept;
}
