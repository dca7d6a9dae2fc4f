/** Which deployments' files are kept: what is live, what is under way, and what may be rolled back to. */
import type { Plane } from './plane.ts';

/** Deployments per target that were live and stay ready for a rollback. */
const keptPerTarget = 20;

/**
 * Per project, by id: live, the last that were live of each target, everything that has not ended, and what publications
 * have begun to write that did not finish since: its manifest says what may lie about.
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
    .select(['project_id', 'target', 'deployment_id'])
    .where('state', '=', 'done')
    .orderBy('order', 'desc')
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
  const begun = await query
    .selectFrom('publications')
    .select(['project_id', 'deployment_id'])
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['waiting', 'running']),
        eb.and([
          eb('state', '=', 'failed'),
          eb.not(
            eb.exists(
              eb
                .selectFrom('publications as later')
                .select('later.id')
                .whereRef('later.project_id', '=', 'publications.project_id')
                .whereRef('later.target', '=', 'publications.target')
                .where('later.state', '=', 'done')
                .whereRef('later.started_at', '>', 'publications.started_at'),
            ),
          ),
        ]),
      ]),
    )
    .execute();
  for (const row of begun) keep(row.project_id, row.deployment_id);
  const unfinished = await query
    .selectFrom('deployments')
    .select(['id', 'project_id'])
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  for (const row of unfinished) keep(row.project_id, row.id);
  return kept;
}
