/** A project's targets: `live`, and previews, which are made on first use and end by themselves. */
import type { Selectable, Transaction } from 'kysely';
import type { Target } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { previewDays, previewProblem } from '../contract/preview.ts';
import { LIVE } from '../contract/words.ts';
import { beingRemoved } from './being-removed.ts';
import type { Tables, TargetTable } from './database/tables.ts';
import { liveDeployments, shownColumns, viewDeployment } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import { type ProjectRow, siteOn } from './projects.ts';
import { lockTarget } from './publications.ts';

export type TargetRow = Selectable<TargetTable>;

const dayMs = 24 * 3600_000;

/** Throws `REQUEST_INVALID` for a name that no preview of the project `slug` can have, and for days that end nothing. */
export function checkTarget(slug: string, target: string, expireAfterDays: number | undefined): void {
  if (target === LIVE) {
    if (expireAfterDays === undefined) return;
    throw new SphereError('REQUEST_INVALID', 'only a preview ends: "expireAfterDays" goes with a "target"');
  }
  const problem = previewProblem(target, slug);
  if (problem === null) return;
  throw new SphereError('REQUEST_INVALID', `the preview's name "${target}" ${problem}`, {
    hint: 'Choose another with `--preview NAME`.',
  });
}

/**
 * Throws `PUBLISHING` for a project that was removed since it was read, and sees to it that it is not until the transaction
 * ends. To be called before a target of it is locked, as a removal does.
 */
export async function refuseRemoved(
  trx: Transaction<Tables>,
  project: Pick<ProjectRow, 'id' | 'slug'>,
): Promise<void> {
  const { removed_at } = await trx
    .selectFrom('projects')
    .select('removed_at')
    .where('id', '=', project.id)
    .forShare()
    .executeTakeFirstOrThrow();
  if (removed_at === null) return;
  throw new SphereError('PUBLISHING', `"${project.slug}" is being removed just now`, {
    hint: 'Try again in a moment.',
  });
}

/**
 * The target `name`, made on first use and locked until the transaction ends: everybody who asks for it takes turns. A
 * preview ends `expireAfterDays` days from now. Throws `PUBLISHING` for one that is being removed.
 */
export async function takeTarget(
  trx: Transaction<Tables>,
  project: Pick<ProjectRow, 'id' | 'slug'>,
  name: string,
  { expireAfterDays, now }: { expireAfterDays: number | undefined; now: number },
): Promise<TargetRow> {
  await refuseRemoved(trx, project);
  if (name === LIVE) return lockTarget(trx, project.id, LIVE);
  await trx
    .insertInto('targets')
    .values({ project_id: project.id, name, live_publication_id: null })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const { removed_at, emptied_at, expires_at } = await lockTarget(trx, project.id, name);
  if (removed_at !== null && (emptied_at === null || emptied_at < removed_at)) {
    throw previewBeingRemoved(project, name);
  }
  const days = expireAfterDays ?? previewDays.default;
  // Who names no days renews the preview, and takes nothing of what was asked for before.
  const least = expireAfterDays === undefined && removed_at === null ? (expires_at?.getTime() ?? 0) : 0;
  return trx
    .updateTable('targets')
    .set({ removed_at: null, expires_at: new Date(Math.max(least, now + days * dayMs)) })
    .where('project_id', '=', project.id)
    .where('name', '=', name)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Makes sure that the site of a preview answers, until it ends. */
export async function openPreview(plane: Plane, project: ProjectRow, target: TargetRow): Promise<void> {
  const { name, port: before } = target;
  const port = await plane.addresses.open(siteOn(project, name), before, target.expires_at);
  if (port === before) return;
  await plane.database.query
    .updateTable('targets')
    .set({ port })
    .where('project_id', '=', project.id)
    .where('name', '=', name)
    .execute();
}

/** Whether somebody may still count on the target: it was not removed and has not ended. */
export function isInUse({ removed_at, expires_at }: TargetRow, now: number): boolean {
  return removed_at === null && (expires_at === null || expires_at.getTime() > now);
}

/** The preview `name`. Throws `NOT_FOUND`, also for one that has ended. */
export async function findPreview(
  db: Queries,
  project: Pick<ProjectRow, 'id' | 'slug'>,
  name: string,
  now: number,
): Promise<TargetRow> {
  const row = await db
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project.id)
    .where('name', '=', name)
    .executeTakeFirst();
  if (row && name !== LIVE && isInUse(row, now)) return row;
  throw noSuchPreview(project.slug, name);
}

/** Somebody removes the whole site, with its previews. */
export const siteBeingRemoved = ({ slug }: Pick<ProjectRow, 'slug'>) =>
  beingRemoved(`the site "${slug}"`, `sphere rm ${slug}`);

/** Somebody removes the preview `name`. */
export const previewBeingRemoved = ({ slug }: Pick<ProjectRow, 'slug'>, name: string) =>
  beingRemoved(`the preview "${name}" of "${slug}"`, `sphere rm ${slug} --preview ${name}`);

/** There is no preview `name`, or no longer. */
export function noSuchPreview(slug: string, name: string): SphereError {
  return new SphereError('NOT_FOUND', `"${slug}" has no preview "${name}"`, {
    hint: `See \`sphere previews --slug ${slug}\`.`,
  });
}

/** The targets of the project that are in use: `live` first, then the previews by name. */
export async function showTargets(plane: Plane, project: ProjectRow): Promise<Target[]> {
  const { query } = plane.database;
  const rows = await query
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project.id)
    .orderBy('name')
    .execute();
  const live = await liveDeployments(query, [project.id]);
  const ids = [...live.values()];
  const deployments =
    ids.length === 0
      ? []
      : await query.selectFrom('deployments').select(shownColumns).where('id', 'in', ids).execute();
  const inUse = rows.filter((row) => isInUse(row, plane.now()));
  const sorted = [...inUse.filter(({ name }) => name === LIVE), ...inUse.filter(({ name }) => name !== LIVE)];
  return sorted.map(({ name, expires_at }) => {
    const site = siteOn(project, name);
    const deployment = deployments.find((row) => row.id === live.get(`${project.id} ${name}`));
    return {
      name,
      url: plane.addresses.site(site),
      address: plane.addresses.direct(site),
      deployment: deployment ? viewDeployment(plane, deployment, live) : null,
      expiresAt: expires_at?.toISOString() ?? null,
    };
  });
}
