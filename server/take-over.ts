/** Deployments whose process is gone: their builders are adopted, what it left half-way is finished. */
import { sql } from 'kysely';
import { loseAttempt } from './attempts.ts';
import { finishSettling } from './carry-out.ts';
import { noteBuilder, startBuilder } from './claims.ts';
import type { DeploymentRow } from './deployments.ts';
import { databaseNow, leaseIsFree, leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';
import { takeOverPublications } from './publication-claims.ts';

/**
 * What an earlier process of this data directory left behind. It holds the directory's lock no longer, so that its
 * leases are void: builders that run are adopted, publications that had begun are carried out again.
 */
export async function takeOverAll(plane: Plane): Promise<void> {
  const adopted = await adopt(plane, true);
  await takeOverPublications(plane);
  for (const row of adopted) await settleAdopted(plane, row);
}

/** What other processes no longer look after: their leases have run out. */
export async function takeOverExpired(plane: Plane): Promise<DeploymentRow[]> {
  return adopt(plane, false);
}

async function adopt(plane: Plane, anybodys: boolean): Promise<DeploymentRow[]> {
  const { leaseMs } = plane.settings;
  const query = plane.database.query
    .updateTable('deployments')
    .set({
      lease_owner: plane.id,
      lease_expires_at: leaseUntil(leaseMs),
      // Nobody may have answered the builder meanwhile.
      seen_at: databaseNow,
    })
    .where('deployment_status', '=', 'building');
  return (anybodys ? query : query.where(leaseIsFree)).returningAll().execute();
}

/** Goes on where the process that claimed `row` stopped. Never throws. */
export async function settleAdopted(plane: Plane, row: DeploymentRow): Promise<void> {
  try {
    if (row.phase === 'publish') await settleDone(plane, row);
    else if (!row.runner && row.source.kind !== 'prebuilt') await startAgain(plane, row);
  } catch (error) {
    plane.reportUnlessStale(row.id, error);
  }
}

/** Claimed, and the process was gone before it could note the builder. */
async function startAgain(plane: Plane, row: DeploymentRow): Promise<void> {
  if (plane.builds.startsOnce) {
    const runs = await plane.builds.list();
    const builder = runs.find((one) => one.deployment === row.id && one.attempt === row.attempt);
    return builder ? noteBuilder(plane, row, builder.ref) : startBuilder(plane, row);
  }
  // Whatever was started is fenced off.
  await loseAttempt(plane, { deployment: row.id, attempt: row.attempt, heldBy: plane.id }, 'infrastructure', {
    code: 'INFRASTRUCTURE',
    message: 'the plane was stopped while it started the builder',
  });
}

/** Live had moved to this deployment when its process was gone: what is left is to say so. */
async function settleDone(plane: Plane, row: DeploymentRow): Promise<void> {
  const publication = await plane.database.query
    .selectFrom('publications')
    .selectAll()
    .where('deployment_id', '=', row.id)
    .where('state', '=', 'done')
    .executeTakeFirst();
  if (publication) await finishSettling(plane, publication);
}

/** How long a process may take from "live has moved" to "ready" before another one says it, in milliseconds. */
const settleWithinMs = 20_000;

/**
 * Deployments that are live and were never said to be ready: whoever carried out their publication is gone, while
 * another process looks after the deployment itself.
 */
export async function settleLeft(plane: Plane): Promise<void> {
  const left = await plane.database.query
    .selectFrom('publications')
    .innerJoin('deployments', 'deployments.id', 'publications.deployment_id')
    .selectAll('publications')
    .where('deployments.deployment_status', '=', 'building')
    .where('deployments.phase', '=', 'publish')
    .where('publications.state', '=', 'done')
    .where('publications.kind', '=', 'deploy')
    .where(
      sql<boolean>`publications.finished_at < now() - ${settleWithinMs}::integer * interval '1 millisecond'`,
    )
    .execute();
  for (const publication of left) {
    await finishSettling(plane, publication).catch((error: unknown) =>
      plane.report(`${publication.deployment_id} is live, and could not be settled yet`, error),
    );
  }
}

/** Gives everything back at an orderly end, so that others need not wait for the leases to run out. */
export async function giveBack(plane: Plane): Promise<void> {
  await plane.database.query
    .updateTable('deployments')
    .set({ lease_expires_at: sql<Date>`now()` })
    .where('lease_owner', '=', plane.id)
    .execute();
}
