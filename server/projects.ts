/** Projects as the API shows them. */
import type { Selectable } from 'kysely';
import type { Project, ProjectList } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import type { ProjectTable } from './database/tables.ts';
import { liveDeployments, shownColumns, viewDeployment } from './deployments.ts';
import type { Plane } from './plane.ts';
import type { Site } from './ports.ts';

export type ProjectRow = Selectable<ProjectTable>;

type Place = Pick<ProjectRow, 'id' | 'slug' | 'bucket_location'>;

/** The site that a target of a project serves. */
export function siteOn(row: Place, target: string): Site {
  return { project: row.id, slug: row.slug, region: row.bucket_location, target };
}

/** The site that a project's `live` target serves. */
export const liveSite = (row: Place): Site => siteOn(row, LIVE);

/** The project `slug` of `account`. Throws `NOT_FOUND`, also for another account's and for one that was removed. */
export async function findProject(
  plane: Plane,
  account: string,
  slug: string,
  { removedToo = false } = {},
): Promise<ProjectRow> {
  const row = await plane.database.query
    .selectFrom('projects')
    .selectAll()
    .where('slug', '=', slug)
    .where('account_id', '=', account)
    .executeTakeFirst();
  if (row && (removedToo || row.removed_at === null)) return row;
  throw noSuchProject(slug);
}

export const noSuchProject = (slug: string) =>
  new SphereError('NOT_FOUND', `there is no project "${slug}"`, {
    hint: 'See `sphere ls`; `sphere deploy` makes one.',
  });

/** The account's projects by slug, from after `after` on: `limit` of them, or all. */
export async function listProjects(
  plane: Plane,
  account: string,
  { limit, after, only }: { limit: number | undefined; after: string | undefined; only: string | null },
): Promise<ProjectList> {
  let query = plane.database.query
    .selectFrom('projects')
    .selectAll()
    .where('account_id', '=', account)
    .where('removed_at', 'is', null)
    .orderBy('slug');
  if (only !== null) query = query.where('slug', '=', only);
  if (after !== undefined) query = query.where('slug', '>', after);
  // One more than is shown: whether there is another page.
  if (limit !== undefined) query = query.limit(limit + 1);
  const rows = await query.execute();
  const page = rows.slice(0, limit);
  const next = page.length < rows.length ? (page.at(-1)?.slug ?? null) : null;
  return { projects: await showProjects(plane, page), next };
}

/** `rows` with what is live of each, in two queries. */
export async function showProjects(plane: Plane, rows: readonly ProjectRow[]): Promise<Project[]> {
  const { query } = plane.database;
  const live = await liveDeployments(
    query,
    rows.map((row) => row.id),
  );
  const ids = rows.flatMap((row) => live.get(`${row.id} ${LIVE}`) ?? []);
  const deployments =
    ids.length === 0
      ? []
      : await query.selectFrom('deployments').select(shownColumns).where('id', 'in', ids).execute();
  const byId = new Map(deployments.map((row) => [row.id, row]));
  return rows.map((row) => {
    const deployment = byId.get(live.get(`${row.id} ${LIVE}`) ?? '');
    return {
      slug: row.slug,
      region: row.bucket_location,
      origin: row.origin,
      url: plane.addresses.site(liveSite(row)),
      address: plane.addresses.direct(liveSite(row)),
      live: deployment ? viewDeployment(plane, deployment, live) : null,
      createdAt: row.created_at.toISOString(),
    };
  });
}
