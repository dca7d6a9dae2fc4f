/** Logs are kept for a while, those of what is live or was lately for as long as that is so. */
import { SphereError } from '../contract/errors.ts';
import { isEnded } from '../contract/words.ts';
import { type DeploymentRow, endLeftLog } from './deployments.ts';
import type { Plane } from './plane.ts';

/** Looked at in one go. */
const page = 1_000;

/**
 * Frees the logs of deployments that ended more than `olderThanMs` ago and are not in `kept`, at most `most` of them: the
 * next run goes on with what is left. Bytes freed.
 */
export async function removeOldLogs(
  plane: Plane,
  { kept, olderThanMs, most = Infinity }: { kept: ReadonlySet<string>; olderThanMs: number; most?: number },
): Promise<number> {
  let freed = 0;
  let removed = 0;
  // What is kept lies among the oldest, and is passed over each time.
  for (let after = ''; ; ) {
    const rows = await plane.database.query
      .selectFrom('deployments')
      .select('id')
      .where('finished_at', '<', new Date(plane.now() - olderThanMs))
      .where('log_removed_at', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(page)
      .execute();
    for (const { id } of rows.filter((row) => !kept.has(row.id))) {
      if (removed === most) return freed;
      plane.ending.throwIfAborted();
      freed += await plane.logs.remove(id);
      removed += 1;
      await plane.database.query
        .updateTable('deployments')
        .set({ log_removed_at: new Date(plane.now()) })
        .where('id', '=', id)
        .execute();
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < page) return freed;
    after = last.id;
  }
}

/** Sees to it that who reads the log of `row` gets to its end. Throws `NOT_FOUND` where it is kept no more. */
export async function prepareReading(
  plane: Plane,
  row: Pick<DeploymentRow, 'id' | 'deployment_status' | 'finished_at' | 'log_removed_at'>,
): Promise<void> {
  if (row.log_removed_at !== null) {
    const when = row.log_removed_at.toISOString().slice(0, 10);
    throw new SphereError('NOT_FOUND', `the log of "${row.id}" is no longer kept`, {
      hint: `It was old, and freed on ${when}. How the deployment ended: \`sphere inspect ${row.id}\`.`,
    });
  }
  if (isEnded(row.deployment_status)) await endLeftLog(plane, row);
}
