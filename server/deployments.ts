/** Deployments as rows: reading them, ending them, and what the API shows of them. */
import { type Selectable, sql, type Transaction } from 'kysely';
import type { Deployment } from '../contract/api.ts';
import { type ErrorBody, SphereError } from '../contract/errors.ts';
import type { Manifest } from '../contract/manifest.ts';
import { type EndReason, isEnded, LIVE, type Phase } from '../contract/words.ts';
import type { DeploymentTable, Tables } from './database/tables.ts';
import { nextStatus } from './deployment-status.ts';
import { endPhases, phaseTimings } from './phases.ts';
import type { Plane, Queries } from './plane.ts';
import type { Site, SiteStore } from './ports.ts';

export type DeploymentRow = Selectable<DeploymentTable>;

/** The site that `row` is published to. */
export function siteOf(
  row: Pick<DeploymentRow, 'project_id' | 'project_slug' | 'bucket_location' | 'target'>,
): Site {
  return {
    project: row.project_id,
    slug: row.project_slug,
    region: row.bucket_location,
    target: row.target,
  };
}

/**
 * What the manifest of an attempt is called in the store. Each has its own: what an attempt that is over still sends must
 * not take the place of what another one has published.
 */
export function manifestName({ id, attempt }: Pick<DeploymentRow, 'id' | 'attempt'>): string {
  return attempt <= 1 ? id : `${id}-${attempt}`;
}

/** The manifest of that name, null where there is none any more. What else fails is thrown: a store that is away is no loss. */
export async function findManifest(
  sites: Pick<SiteStore, 'getManifest'>,
  site: Site,
  name: string,
): Promise<Manifest | null> {
  return sites.getManifest(site, name).catch((error: unknown) => {
    if (error instanceof SphereError && error.code === 'NOT_FOUND') return null;
    throw error;
  });
}

/** `manifestName` of the row of `deployments` that a query has, in SQL. */
export const manifestNameSql = sql<string>`
  case when deployments.attempt <= 1 then deployments.id else deployments.id || '-' || deployments.attempt end`;

/** `manifestName` of a publication's deployment, in SQL. */
export const publishedManifest = sql<string>`(
  select ${manifestNameSql} from deployments where deployments.id = publications.deployment_id)`;

/** The deployment `id` of a project, if it is there. */
export async function deploymentOfProject(
  db: Queries,
  project: string,
  id: string,
): Promise<DeploymentRow | undefined> {
  return db
    .selectFrom('deployments')
    .selectAll()
    .where('project_id', '=', project)
    .where('id', '=', id)
    .executeTakeFirst();
}

/** The deployment `id` of `account`. Throws `NOT_FOUND`, also for another account's. */
export async function findDeployment(db: Queries, account: string, id: string): Promise<DeploymentRow> {
  const row = await db
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', account)
    .executeTakeFirst();
  if (row) return row;
  throw new SphereError('NOT_FOUND', `there is no deployment "${id}"`, { hint: 'See `sphere ls SLUG`.' });
}

/** The row `id`, locked until the transaction ends, or undefined. */
export async function lockDeployment(
  trx: Transaction<Tables>,
  id: string,
): Promise<DeploymentRow | undefined> {
  return trx.selectFrom('deployments').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/**
 * Ends `row` in `trx`: status, reason, the freed slot and the stop request in one write. The caller calls `sayEnd`
 * once the transaction has been committed.
 */
export async function endDeployment(
  trx: Transaction<Tables>,
  row: DeploymentRow,
  event: 'fail' | 'cancel',
  end: { reason: EndReason; error: ErrorBody | null },
  now: number,
): Promise<void> {
  const time = new Date(now);
  await trx
    .updateTable('deployments')
    .set({
      deployment_status: nextStatus(row.deployment_status, event),
      reason: end.reason,
      error: end.error && JSON.stringify(end.error),
      phases: JSON.stringify(endPhases(row.phases, now)),
      finished_at: time,
      updated_at: time,
      git_token: null,
      lease_owner: null,
      lease_expires_at: null,
      ...(row.runner && !row.stopped_at ? { stop_requested_at: time } : {}),
    })
    .where('id', '=', row.id)
    .execute();
  await trx
    .updateTable('publications')
    .set({ state: 'cancelled', finished_at: time })
    .where('deployment_id', '=', row.id)
    .where('state', '=', 'waiting')
    .where('kind', '=', 'deploy')
    .execute();
}

/** Says in the log how a deployment ended, and ends the log. Safe to repeat: an ended log takes nothing more. */
export async function sayEnd(
  plane: Plane,
  row: Pick<DeploymentRow, 'id'>,
  phase: Phase,
  text: string,
): Promise<void> {
  try {
    await plane.logs.appendOwn(row.id, [[plane.now(), phase, 'sphere', text]]);
    await plane.logs.end(row.id);
  } catch (error) {
    // What has happened has happened, also when the disk is full; a log without an end gets it when it is read.
    plane.report(`the log of ${row.id} could not be ended`, error);
  }
  plane.wake();
}

/** So long whoever has ended a deployment may take to say so in its log, in milliseconds. */
const lastLineMs = 15_000;

/**
 * Ends the log of a deployment that has ended, for somebody who reads it: whoever ended the deployment may have been gone
 * before it could. Not at once, because its last line may be on its way.
 */
export async function endLeftLog(
  plane: Plane,
  { id, finished_at }: Pick<DeploymentRow, 'id' | 'finished_at'>,
): Promise<void> {
  const leftMs = (finished_at?.getTime() ?? 0) + lastLineMs - plane.now();
  if (leftMs <= 0) return plane.logs.end(id);
  const end = () =>
    plane.logs.end(id).catch((error: unknown) => plane.report(`the log of ${id} could not be ended`, error));
  setTimeout(end, Math.min(leftMs, lastLineMs)).unref();
}

/** The ids of what is live, of `projects` or of all, by `PROJECT TARGET`. A preview that has ended serves nothing. */
export async function liveDeployments(
  db: Queries,
  projects?: readonly string[],
): Promise<Map<string, string>> {
  if (projects?.length === 0) return new Map();
  let query = db
    .selectFrom('targets')
    .innerJoin('publications', 'publications.id', 'targets.live_publication_id')
    .select(['targets.project_id', 'targets.name', 'publications.deployment_id'])
    .where(sql<boolean>`(targets.expires_at is null or targets.expires_at > now())`);
  if (projects) query = query.where('targets.project_id', 'in', projects);
  const rows = await query.execute();
  return new Map(rows.map((row) => [`${row.project_id} ${row.name}`, row.deployment_id]));
}

/** What of a row the API shows: lists read no more, because parsing what nobody sees costs more than finding it. */
export const shownColumns = [
  'id',
  'project_id',
  'target',
  'project_slug',
  'bucket_location',
  'deployment_status',
  'reason',
  'error',
  'phase',
  'phases',
  'detections',
  'warnings',
  'figures',
  'source',
  'attempt',
  'created_at',
  'started_at',
  'finished_at',
] as const satisfies (keyof DeploymentRow)[];

export type ShownRow = Pick<DeploymentRow, (typeof shownColumns)[number]>;

/** What the API shows of `row`. */
export function viewDeployment(plane: Plane, row: ShownRow, live: ReadonlyMap<string, string>): Deployment {
  const liveOn = targetsThatServe(row, live);
  return {
    id: row.id,
    project: row.project_slug,
    region: row.bucket_location,
    target: row.target,
    status: row.deployment_status,
    reason: row.reason,
    error: row.error,
    phase: isEnded(row.deployment_status) ? null : row.phase,
    phases: phaseTimings(row.phases),
    detections: row.detections,
    warnings: row.warnings,
    source: row.source,
    attempt: row.attempt,
    url: plane.addresses.site(siteOf(row)),
    address: plane.addresses.direct(siteOf(row)),
    live: liveOn.length > 0,
    liveOn,
    figures: row.figures,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}

/** The targets of its project that serve `row` now: its own, and `live` when it was promoted. */
function targetsThatServe(row: ShownRow, live: ReadonlyMap<string, string>): string[] {
  return [...new Set([LIVE, row.target])].filter(
    (target) => live.get(`${row.project_id} ${target}`) === row.id,
  );
}

/** `row` as the API shows it, looked up whole. */
export async function showDeployment(plane: Plane, row: ShownRow): Promise<Deployment> {
  return viewDeployment(plane, row, await liveDeployments(plane.database.query, [row.project_id]));
}
