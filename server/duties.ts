/** What one process of a plane does now and then for all of them, whoever comes first. */
import { sql } from 'kysely';
import { forgetOldKeys } from './idempotency-keys.ts';
import { leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';
import type { Build, RunnerRef } from './ports.ts';
import { removeEndedPreviews } from './remove-targets.ts';
import { forgetJobTokens } from './tokens.ts';

export type Duty = {
  name: string;
  /** Milliseconds from one time to the next. */
  everyMs: number;
  run(plane: Plane): Promise<void>;
};

/** Builders that nobody waits for are looked for this often, previews ended, and idempotency keys forgotten. */
export const duties: readonly Duty[] = [
  { name: 'orphans', everyMs: 60_000, run: stopOrphans },
  { name: 'ended previews', everyMs: 60_000, run: removeEndedPreviews },
  { name: 'idempotency keys', everyMs: 3600_000, run: forgetOldKeys },
  { name: 'job tokens', everyMs: 3600_000, run: forgetJobTokens },
];

/** Runs `duty` if it is due and no other process is at it. */
export async function runDuty(plane: Plane, duty: Duty): Promise<void> {
  if (plane.ending.aborted || !(await claimDuty(plane, duty))) return;
  const renewal = setInterval(() => {
    renewDuty(plane, duty).catch((error: unknown) => plane.report(`${duty.name} could not be kept`, error));
  }, dutyLeaseMs / 4);
  try {
    await duty.run(plane);
    await doneWith(plane, duty);
  } catch (error) {
    plane.report(`${duty.name} failed`, error);
  } finally {
    clearInterval(renewal);
  }
}

/** For how long a duty is its process's without being renewed, in milliseconds. */
const dutyLeaseMs = 120_000;

async function renewDuty(plane: Plane, { name }: Duty): Promise<void> {
  await plane.database.query
    .updateTable('duties')
    .set({ lease_expires_at: leaseUntil(dutyLeaseMs) })
    .where('name', '=', name)
    .where('lease_owner', '=', plane.id)
    .execute();
}

async function claimDuty(plane: Plane, { name, everyMs }: Duty): Promise<boolean> {
  const lease = {
    lease_owner: plane.id,
    lease_expires_at: leaseUntil(dutyLeaseMs),
  };
  const claimed = await plane.database.query
    .insertInto('duties')
    .values({ name, ...lease })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet(lease)
        .where(
          sql<boolean>`(duties.lease_expires_at is null or duties.lease_expires_at < now())
            and (duties.done_at is null or duties.done_at < now() - ${everyMs}::bigint * interval '1 millisecond')`,
        ),
    )
    .returning('name')
    .executeTakeFirst();
  return claimed !== undefined;
}

async function doneWith(plane: Plane, { name }: Duty): Promise<void> {
  await plane.database.query
    .updateTable('duties')
    .set({ done_at: sql<Date>`now()`, lease_owner: null, lease_expires_at: null })
    .where('name', '=', name)
    .where('lease_owner', '=', plane.id)
    .execute();
}

/** Builders whose attempt is over, and that no stop request names: started by a process that was gone at once. */
async function stopOrphans(plane: Plane): Promise<void> {
  const builders = await plane.builds.list();
  if (builders.length === 0) return;
  const rows = await plane.database.query
    .selectFrom('deployments')
    .select(['id', 'attempt', 'deployment_status', 'runner', 'stop_requested_at', 'stopped_at'])
    .where('id', 'in', [...new Set(builders.map((builder) => builder.deployment))])
    .execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  const isWaitedFor = ({ deployment, attempt, ref }: Build & { ref: RunnerRef }) => {
    const row = byId.get(deployment);
    if (row?.attempt !== attempt) return false;
    // One that is being started has not been written down yet; of two for one attempt, one counts.
    if (row.runner !== null && !sameBuilder(row.runner, ref)) return false;
    return (
      row.deployment_status === 'building' || (row.stop_requested_at !== null && row.stopped_at === null)
    );
  };
  for (const builder of builders.filter((one) => !isWaitedFor(one))) {
    plane.report(`stopping the builder of ${builder.deployment}, attempt ${builder.attempt}, which is over`);
    await plane.builds.stop(builder.ref);
  }
}

function sameBuilder(a: RunnerRef, b: RunnerRef): boolean {
  if ('task' in a) return 'task' in b && a.task === b.task;
  return 'pid' in b && a.pid === b.pid && a.startedAt === b.startedAt;
}
