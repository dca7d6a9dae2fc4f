/** What a store has to know of what was published before, from the records: names of manifests. */
import { sql } from 'kysely';
import { manifestName, publishedManifest } from './deployments.ts';
import type { Plane } from './plane.ts';
import type { SitePublication } from './ports.ts';
import { recentlyLive } from './publication-plan.ts';
import type { PublicationRow } from './publications.ts';

export type PublicationHistory = Pick<SitePublication, 'live' | 'recent' | 'unfinished'>;

/** More publications than can have been live within the time for which files are retained. */
const historyLength = 50;

type Target = { project: string; target: string };

/** Whether a publication of the target was begun since its site was last emptied. */
export const begunSinceEmptied = (project: string, target: string) =>
  sql<boolean>`publications.started_at > coalesce(
    (select emptied_at from targets where targets.project_id = ${project} and targets.name = ${target}), '-infinity')`;

const ofTarget = (plane: Plane, { project, target }: Target) =>
  plane.database.query
    .selectFrom('publications')
    .where('project_id', '=', project)
    .where('target', '=', target)
    .where(begunSinceEmptied(project, target));

/** Those that made something live, newest first. */
const doneOf = (plane: Plane, target: Target) =>
  ofTarget(plane, target)
    .select(['id', 'started_at', 'finished_at', publishedManifest.as('deployment_id')])
    .where('state', '=', 'done')
    .orderBy('order', 'desc')
    .limit(historyLength)
    .execute();

/** What the manifest that `publication` publishes is called. */
export async function manifestOf(plane: Plane, publication: PublicationRow): Promise<string> {
  const row = await plane.database.query
    .selectFrom('deployments')
    .select(['id', 'attempt'])
    .where('id', '=', publication.deployment_id)
    .executeTakeFirstOrThrow();
  return manifestName(row);
}

/** What was published before `publication`, which is being carried out. */
export async function historyBefore(plane: Plane, publication: PublicationRow): Promise<PublicationHistory> {
  const target = { project: publication.project_id, target: publication.target };
  const done = await doneOf(plane, target);
  const own = await manifestOf(plane, publication);
  return {
    live: done[0]?.deployment_id ?? null,
    recent: recentlyLive(done, plane.now()).filter((name) => name !== own),
    unfinished: await unfinishedSince(plane, target, done[0]?.started_at, publication.id),
  };
}

/** Everything that may lie about, for taking it all away. */
export async function retainedHistory(plane: Plane, target: Target): Promise<PublicationHistory> {
  const done = await doneOf(plane, target);
  const [live = null, ...recent] = new Set(done.map((row) => row.deployment_id));
  return { live, recent, unfinished: await unfinishedSince(plane, target, done[0]?.started_at, '') };
}

/** One publication runs per target at a time: what began after the last success did not finish, or is `own`. */
async function unfinishedSince(
  plane: Plane,
  target: Target,
  since: Date | null | undefined,
  own: string,
): Promise<string[]> {
  const rows = await ofTarget(plane, target)
    .select(publishedManifest.as('deployment_id'))
    .distinct()
    .where('state', 'in', ['failed', 'running'])
    .where('id', '<>', own)
    .where('started_at', '>=', since ?? new Date(0))
    .execute();
  return rows.map((row) => row.deployment_id);
}
