/** Which deployments' files are kept, by their ids and the names of their manifests: what is live, what is under way, and what may be rolled back to or promoted. */
import { sql } from 'kysely';
import { manifestName, manifestNameSql } from './deployments.ts';
import type { Plane } from './plane.ts';

/** Deployments per target that were live and stay ready for a rollback. */
const keptPerTarget = 20;

/**
 * Per project (or of `project` alone), by id: live, the last that were live of each target, and everything that has not
 * ended. Of a target that was emptied nothing is kept that was published before.
 */
export async function keptDeployments(plane: Plane, project?: string): Promise<Map<string, Set<string>>> {
  const { query } = plane.database;
  const kept = new Map<string, Set<string>>();
  const keep = (project: string, deployment: string) => {
    const set = kept.get(project) ?? new Set<string>();
    kept.set(project, set.add(deployment));
  };
  // Not all that was ever live: of each target only what is kept leaves the database. What waits to be promoted is about
  // to be live, whatever becomes of its preview; what failed half-way may lie about, and its manifest says where.
  const { rows: done } = await sql<{ project: string; deployment: string; manifest: string }>`
    select targets.project_id as project, last.deployment_id as deployment, ${manifestNameSql} as manifest from targets
    cross join lateral (
      (select deployment_id from publications where id = targets.live_publication_id)
      union
      (select deployment_id from publications
        where publications.project_id = targets.project_id and publications.target = targets.name and state = 'done'
          and (targets.emptied_at is null or started_at > targets.emptied_at)
        group by deployment_id order by max("order") desc limit ${keptPerTarget})
      union
      (select deployment_id from publications
        where publications.project_id = targets.project_id and publications.target = targets.name
          and state in ('waiting', 'running', 'failed')
          and (started_at is null or targets.emptied_at is null or started_at > targets.emptied_at)
        group by deployment_id order by max("order") desc limit ${keptPerTarget})) last
    join deployments on deployments.id = last.deployment_id
    where ${project ?? null}::text is null or targets.project_id = ${project ?? null}::text`.execute(query);
  for (const { project, deployment, manifest } of done) {
    keep(project, deployment);
    keep(project, manifest);
  }
  const unfinished = await query
    .selectFrom('deployments')
    .select(['id', 'project_id', 'attempt'])
    .where('deployment_status', 'in', ['queued', 'building'])
    .$if(project !== undefined, (rows) => rows.where('project_id', '=', project as string))
    .execute();
  for (const row of unfinished) {
    keep(row.project_id, row.id);
    keep(row.project_id, manifestName(row));
  }
  return kept;
}
