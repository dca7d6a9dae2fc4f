/** Builders that are to end: of cancelled deployments at once, others when they had time to leave by themselves. */
import type { DeploymentRow } from './deployments.ts';
import { leaseIsFreeFor, leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';

/** A builder whose deployment has ended may still save its caches; then it is stopped. */
const leaveMs = 30_000;

/** The rows whose builders this process stops: the lease of what is no longer building is for that. */
export async function claimStops(plane: Plane): Promise<DeploymentRow[]> {
  return plane.database.query
    .updateTable('deployments')
    .set({ lease_owner: plane.id, lease_expires_at: leaseUntil(plane.settings.leaseMs) })
    .where('stop_requested_at', 'is not', null)
    .where('stopped_at', 'is', null)
    .where('deployment_status', '<>', 'building')
    .where(leaseIsFreeFor(plane.id))
    .returningAll()
    .execute();
}

/** Stops the builder of `row`, or leaves it for a later look. */
export async function stopBuilder(plane: Plane, row: DeploymentRow): Promise<void> {
  const { runner } = row;
  if (runner) {
    const mayLeave = row.deployment_status !== 'cancelled';
    const deadline = (row.stop_requested_at?.getTime() ?? 0) + leaveMs;
    if (mayLeave && plane.now() < deadline) {
      const [state] = await plane.builds.states([runner]);
      if (state?.state !== 'ended') return;
    }
    if (!(await plane.builds.stop(runner))) return;
  }
  await plane.builds.cleanUp({ deployment: row.id, attempt: row.attempt });
  await plane.database.query
    .updateTable('deployments')
    .set({ stopped_at: new Date(plane.now()), lease_owner: null, lease_expires_at: null })
    .where('id', '=', row.id)
    .where('attempt', '=', row.attempt)
    .where('deployment_status', '<>', 'building')
    .execute();
  plane.wake();
}
