/** What follows when live has moved: what is served is checked, and the deployment ends as `ready`. */
import type { Manifest } from '../contract/manifest.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, lockDeployment, sayEnd, siteOf } from './deployments.ts';
import { endPhases } from './phases.ts';
import type { Plane } from './plane.ts';
import type { PublicationRow } from './publications.ts';
import { checkServed, type Seen } from './served-document.ts';

/** Live has moved, and the site is seen to serve something else. */
export class ServedWrongly extends Error {
  override name = 'ServedWrongly';
}

/**
 * Live has moved: check what is served, and end a deployment that was building as `ready`. Throws `ServedWrongly`; whatever
 * else it throws says nothing of the site, and it may be repeated. `manifest`: null when it is lost.
 */
export async function settle(
  plane: Plane,
  publication: PublicationRow,
  manifest: Manifest | null,
): Promise<void> {
  const row = await plane.database.query
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', publication.deployment_id)
    .executeTakeFirstOrThrow();
  if (row.deployment_status !== 'building') return;
  const seen = await lookAtSite(plane, publication, row, manifest);
  if (seen.outcome === 'mismatch') throw new ServedWrongly(seen.message);
  const ready = await plane.database.transaction(async (trx) => {
    const current = await lockDeployment(trx, row.id);
    if (current?.deployment_status !== 'building') return undefined;
    const now = plane.now();
    return trx
      .updateTable('deployments')
      .set({
        deployment_status: nextStatus(current.deployment_status, 'publish'),
        phases: JSON.stringify(endPhases(current.phases, now)),
        warnings: JSON.stringify([
          ...current.warnings,
          ...(seen.outcome === 'unreachable' ? [seen.message] : []),
        ]),
        finished_at: new Date(now),
        updated_at: new Date(now),
        lease_owner: null,
        lease_expires_at: null,
        ...(current.runner && !current.stopped_at ? { stop_requested_at: new Date(now) } : {}),
      })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirst();
  });
  if (!ready) return;
  const { figures } = ready;
  const files = figures?.files === 1 ? '1 file' : `${figures?.files ?? 0} files`;
  const text = `Published ${files} (${figures?.changed ?? 0} changed, ${figures?.removed ?? 0} removed).`;
  await sayEnd(plane, row, 'publish', text);
}

/** A mismatch counts when it is seen twice, and while this publication is what is live: another may follow at once. */
async function lookAtSite(
  plane: Plane,
  publication: PublicationRow,
  row: DeploymentRow,
  manifest: Manifest | null,
): Promise<Seen> {
  if (manifest === null)
    return { outcome: 'unreachable', message: 'What the site serves was not checked: its manifest is lost.' };
  const address = plane.addresses.direct(siteOf(row));
  let seen = await checkServed(address, manifest);
  if (seen.outcome === 'mismatch') seen = await checkServed(address, manifest);
  if (seen.outcome !== 'mismatch') return seen;
  const { live_publication_id } = await plane.database.query
    .selectFrom('targets')
    .select('live_publication_id')
    .where('project_id', '=', publication.project_id)
    .where('name', '=', publication.target)
    .executeTakeFirstOrThrow();
  return live_publication_id === publication.id ? seen : { outcome: 'same' };
}
