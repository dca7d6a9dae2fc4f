/** Cancelling: the status, the freed slot and the stop request are one transaction; the watcher carries out the stop. */
import { SphereError } from '../contract/errors.ts';
import { isEnded, LIVE } from '../contract/words.ts';
import { nothingChanged } from './asked-by.ts';
import { recordChange } from './audit.ts';
import { type DeploymentRow, endDeployment, findDeployment, lockDeployment, sayEnd } from './deployments.ts';
import type { Plane } from './plane.ts';

/**
 * Cancels a deployment; cancelling a cancelled one is no error. Throws `PUBLISHING` once its publication has begun to
 * write (it completes), `ALREADY_ENDED` when it is ready or failed, `NOT_FOUND`.
 */
export async function cancelDeployment(plane: Plane, account: string, id: string): Promise<DeploymentRow> {
  await findDeployment(plane.database.query, account, id);
  const cancelled = await plane.database.transaction(async (trx) => {
    const row = await lockDeployment(trx, id);
    if (!row || row.deployment_status === 'cancelled') {
      nothingChanged();
      return undefined;
    }
    if (isEnded(row.deployment_status)) {
      throw new SphereError('ALREADY_ENDED', `${id} has ended already: ${row.deployment_status}`, {
        hint: row.deployment_status === 'ready' ? wayBack(row.target) : undefined,
      });
    }
    const running = await trx
      .selectFrom('publications')
      .select('id')
      .where('deployment_id', '=', id)
      .where('state', 'in', ['running', 'done'])
      .executeTakeFirst();
    if (running) {
      throw new SphereError('PUBLISHING', `${id} is being published and completes`, {
        hint: wayBack(row.target),
      });
    }
    const error = { code: 'DEPLOYMENT_CANCELLED' as const, message: 'cancelled by a person' };
    await endDeployment(trx, row, 'cancel', { reason: 'user', error }, plane.now());
    await recordChange(trx, { action: 'cancelDeployment', account, project: row.project_slug, object: id });
    return row;
  });
  if (cancelled) await sayEnd(plane, cancelled, cancelled.phase ?? 'queue', 'Cancelled.');
  return findDeployment(plane.database.query, account, id);
}

/** What helps against a deployment that cannot be stopped any more. */
function wayBack(target: string): string | undefined {
  return target === LIVE ? 'To go back to what was live before: `sphere rollback`.' : undefined;
}
