/** Which publications this process may carry out: claimed one per target, or taken over from a process that is gone. */
import type { Transaction } from 'kysely';
import { carryOut } from './carry-out.ts';
import type { Tables } from './database/tables.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import { leaseIsFreeFor, leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';
import { nextPublication } from './publication-plan.ts';
import { finishPublication, lockTarget, type PublicationRow } from './publications.ts';

type Claimed = { publication: PublicationRow | undefined; outrun: DeploymentRow[] };

/** Runs every publication that may run now. Returns when none is left that this process could claim. */
export async function runPublications(plane: Plane): Promise<void> {
  const targets = await plane.database.query
    .selectFrom('publications')
    .select(['project_id', 'target'])
    .distinct()
    .where('state', '=', 'waiting')
    .execute();
  await Promise.all([
    ...targets.map(async (target) => {
      const claimed = await plane.database.transaction((trx) => claimPublication(plane, trx, target));
      for (const row of claimed.outrun) {
        await sayEnd(plane, row, 'publish', 'Not published: what is live now was asked for later.');
      }
      if (claimed.publication) await carryOut(plane, claimed.publication);
    }),
    takeOverPublications(plane),
  ]);
}

/**
 * Carries out what is marked as running and is in nobody's hands: its process is gone, or even its failure could not be
 * written down. `anybodys`: no other process works on this database, so that no lease holds.
 */
export async function takeOverPublications(plane: Plane, anybodys = false): Promise<void> {
  let query = plane.database.query
    .updateTable('publications')
    .set({ lease_owner: plane.id, lease_expires_at: leaseUntil(plane.settings.leaseMs) })
    .where('state', '=', 'running');
  if (!anybodys) query = query.where(leaseIsFreeFor(plane.id));
  if (plane.publishing.size > 0) query = query.where('id', 'not in', [...plane.publishing]);
  const publications = await query.returningAll().execute();
  await Promise.all(publications.map((publication) => carryOut(plane, publication)));
}

/** Locks the target, then deployments: everybody who locks both does so in this order. */
async function claimPublication(
  plane: Plane,
  trx: Transaction<Tables>,
  { project_id, target }: { project_id: string; target: string },
): Promise<Claimed> {
  const place = await lockTarget(trx, project_id, target);
  const rows = await trx
    .selectFrom('publications')
    .selectAll()
    .where('project_id', '=', project_id)
    .where('target', '=', target)
    .where((eb) =>
      eb.or([eb('state', 'in', ['waiting', 'running']), eb('id', '=', place.live_publication_id ?? '')]),
    )
    .execute();
  if (rows.some((row) => row.state === 'running')) return { publication: undefined, outrun: [] };
  const now = plane.now();
  const liveOrder = rows.find((row) => row.id === place.live_publication_id)?.order ?? 0;
  const { run, outrun } = nextPublication(
    rows.filter((row) => row.state === 'waiting'),
    liveOrder,
  );
  const ended: DeploymentRow[] = [];
  for (const publication of outrun) {
    const row = await lockDeployment(trx, publication.deployment_id);
    await finishPublication(trx, publication, 'outrun', now);
    if (publication.kind !== 'deploy' || row?.deployment_status !== 'building') continue;
    const error = { code: 'DEPLOYMENT_OUTRUN' as const, message: 'what is live now was asked for later' };
    await endDeployment(trx, row, 'cancel', { reason: 'outrun', error }, now);
    ended.push(row);
  }
  if (!run) return { publication: undefined, outrun: ended };
  // Whoever cancels holds this lock: either the publication is cancelled by now, or it cannot be any more.
  await lockDeployment(trx, run.deployment_id);
  const publication = await trx
    .updateTable('publications')
    .set({
      state: 'running',
      started_at: new Date(now),
      lease_owner: plane.id,
      lease_expires_at: leaseUntil(plane.settings.leaseMs),
    })
    .where('id', '=', run.id)
    .where('state', '=', 'waiting')
    .returningAll()
    .executeTakeFirst();
  return { publication, outrun: ended };
}
