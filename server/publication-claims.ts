/** Which publications this process may carry out: claimed one per target, or taken over from a process that is gone. */
import type { Transaction } from 'kysely';
import { carryOut } from './carry-out.ts';
import type { Tables } from './database/tables.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import { databaseNow, leaseIsFreeFor, leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';
import { nextPublication } from './publication-plan.ts';
import { finishPublication, lockTarget, type PublicationRow } from './publications.ts';

/** A target, as its publications name it. */
export type Target = { project_id: string; target: string };
type Claimed = { publication: PublicationRow | undefined; outrun: DeploymentRow[] };

/** A publication that may be run, or that may be found to be another process's by then. */
export type RunnablePublication = { name: string; run(): Promise<void> };

/** What may run now: of each target on which nothing runs, and what is in nobody's hands. */
export async function findPublications(plane: Plane): Promise<RunnablePublication[]> {
  const { query } = plane.database;
  const targets = await query
    .selectFrom('publications')
    .select(['project_id', 'target'])
    .distinct()
    .where('state', '=', 'waiting')
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('publications as other')
            .select('other.id')
            .whereRef('other.project_id', '=', 'publications.project_id')
            .whereRef('other.target', '=', 'publications.target')
            .where('other.state', '=', 'running'),
        ),
      ),
    )
    .execute();
  const left = await claimLeft(plane, false);
  return [
    ...targets.map((target) => ({
      name: `${target.project_id} ${target.target}`,
      run: () => publishNext(plane, target),
    })),
    ...left.map((publication) => ({ name: publication.id, run: () => carryOut(plane, publication) })),
  ];
}

/** Claims the newest publication that waits for the target, when nothing runs there, and carries it out. */
export async function publishNext(plane: Plane, target: Target): Promise<void> {
  const claimed = await plane.database.transaction((trx) => claimPublication(plane, trx, target));
  const text = 'Not published: what is live now was asked for later.';
  // Beside each other: where the log has to be waited for, the lease would run out before anything is published.
  await Promise.all([
    ...claimed.outrun.map((row) => sayEnd(plane, row, 'publish', text)),
    ...(claimed.publication ? [carryOut(plane, claimed.publication)] : []),
  ]);
}

/** Carries out what an earlier process of this data directory has begun: no other works on it, so that no lease holds. */
export async function takeOverPublications(plane: Plane): Promise<void> {
  const publications = await claimLeft(plane, true);
  await Promise.all(publications.map((publication) => carryOut(plane, publication)));
}

/**
 * Claims what is marked as running and is in nobody's hands: its process is gone, or even its failure could not be
 * written down. `anybodys`: whatever lease there is.
 */
async function claimLeft(plane: Plane, anybodys: boolean): Promise<PublicationRow[]> {
  let query = plane.database.query
    .updateTable('publications')
    .set({ lease_owner: plane.id, lease_expires_at: leaseUntil(plane.settings.leaseMs) })
    .where('state', '=', 'running');
  if (!anybodys) query = query.where(leaseIsFreeFor(plane.id));
  if (plane.publishing.size > 0) query = query.where('id', 'not in', [...plane.publishing]);
  return query.returningAll().execute();
}

/** Locks the target, then deployments: everybody who locks both does so in this order. */
async function claimPublication(
  plane: Plane,
  trx: Transaction<Tables>,
  { project_id, target }: Target,
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
    await finishPublication(trx, publication, 'outrun');
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
      started_at: databaseNow,
      lease_owner: plane.id,
      lease_expires_at: leaseUntil(plane.settings.leaseMs),
    })
    .where('id', '=', run.id)
    .where('state', '=', 'waiting')
    .returningAll()
    .executeTakeFirst();
  return { publication, outrun: ended };
}
