/** Claiming what is queued, and starting its builder. */
import { sql } from 'kysely';
import { SphereError } from '../contract/errors.ts';
import { failAttempt, loseAttempt } from './attempts.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, siteOf } from './deployments.ts';
import { leaseUntil } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import type { RunnerRef } from './ports.ts';
import { buildEnvironmentOf } from './project-environment.ts';

/** Names the lock under which the processes of a plane take turns to count running builds; any number that is ours alone. */
const claimLock = 7_364_001;

/**
 * Claims the next queued deployment when a slot is free: the account with the fewest running builds first, then the
 * oldest. The claim is committed as `building` with a new attempt before anything is started.
 */
export async function claimNext(plane: Plane): Promise<DeploymentRow | undefined> {
  const now = plane.now();
  const { maxBuilds, maxBuildsPerAccount, leaseMs } = plane.settings;
  return plane.database.transaction(async (trx) => {
    // Most looks find nothing: they need not wait for each other.
    const queued = await trx
      .selectFrom('deployments')
      .select('id')
      .where('deployment_status', '=', 'queued')
      .limit(1)
      .executeTakeFirst();
    if (!queued) return undefined;
    await sql`select pg_advisory_xact_lock(${claimLock})`.execute(trx);
    const busy = await trx
      .selectFrom('deployments')
      .select((eb) => ['account_id', eb.fn.countAll<string>().as('builds')])
      .where('deployment_status', '=', 'building')
      .where('phase', '<>', 'publish')
      .where(sql<boolean>`source->>'kind' <> 'prebuilt'`)
      .groupBy('account_id')
      .execute();
    const builds = busy.map((row) => Number(row.builds));
    if (builds.reduce((sum, number) => sum + number, 0) >= maxBuilds) return undefined;
    const full = busy.filter((_, n) => (builds[n] as number) >= maxBuildsPerAccount);
    let candidates = trx
      .selectFrom('deployments')
      .selectAll()
      .where('deployment_status', '=', 'queued')
      .where((eb) => eb.or([eb('runner', 'is', null), eb('stopped_at', 'is not', null)]));
    if (full.length > 0) {
      candidates = candidates.where(
        'account_id',
        'not in',
        full.map((row) => row.account_id),
      );
    }
    const next = await candidates
      .orderBy(
        (eb) =>
          eb
            .selectFrom('deployments as busy')
            .select(eb.fn.countAll().as('count'))
            .where('busy.deployment_status', '=', 'building')
            .whereRef('busy.account_id', '=', 'deployments.account_id'),
        'asc',
      )
      .orderBy('created_at')
      .limit(1)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (!next) return undefined;
    return trx
      .updateTable('deployments')
      .set({
        deployment_status: nextStatus(next.deployment_status, 'start'),
        phase: 'prepare',
        phases: JSON.stringify(enterPhase(next.phases, 'prepare', now)),
        attempt: next.attempt + 1,
        lease_owner: plane.id,
        lease_epoch: next.lease_epoch + 1,
        lease_expires_at: leaseUntil(leaseMs),
        runner: null,
        builder_token_hash: null,
        stop_requested_at: null,
        stopped_at: null,
        seen_at: new Date(now),
        started_at: next.started_at ?? new Date(now),
        updated_at: new Date(now),
      })
      .where('id', '=', next.id)
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

/** Makes the site's place, then starts the builder of an attempt that has been claimed. May be repeated where `startsOnce`. */
export async function startBuilder(plane: Plane, row: DeploymentRow): Promise<void> {
  const attempt = { deployment: row.id, attempt: row.attempt };
  try {
    // Told here, a value that does not open ends the deployment with a sentence about it.
    await buildEnvironmentOf(plane, row);
    await plane.sites.prepare(siteOf(row));
    const bootstrapToken = plane.keys.bootstrapToken(row.id, row.attempt);
    const runner = await plane.builds.start({ ...attempt, bootstrapToken, lost: row.lost_attempts });
    await noteBuilder(plane, row, runner);
  } catch (error) {
    if (isForPeople(error)) return failAttempt(plane, attempt, 'configuration_invalid', error.toBody());
    plane.report(`the builder of ${row.id} could not be started`, error);
    await loseAttempt(plane, attempt, 'infrastructure', {
      code: 'INFRASTRUCTURE',
      message: `the builder could not be started: ${(error as Error).message}`,
      hint: error instanceof SphereError ? error.hint : undefined,
    });
  }
}

/** Writes down which builder an attempt has. One whose attempt is over by now is stopped. */
export async function noteBuilder(plane: Plane, row: DeploymentRow, runner: RunnerRef): Promise<void> {
  const { numUpdatedRows } = await plane.database.query
    .updateTable('deployments')
    .set({ runner: JSON.stringify(runner) })
    .where('id', '=', row.id)
    .where('attempt', '=', row.attempt)
    .executeTakeFirst();
  // Cancelled while it was started: the end could not name the builder yet, so that its stop is asked for here.
  if (numUpdatedRows > 0n) await requestStopIfEnded(plane, row.id);
  else await plane.builds.stop(runner);
}

/** Another attempt would meet the same refusal: the slug, the region or the plane's settings have to change first. */
function isForPeople(error: unknown): error is SphereError {
  return error instanceof SphereError && ['SLUG_IN_USE', 'CONFIGURATION_INVALID'].includes(error.code);
}

async function requestStopIfEnded(plane: Plane, id: string): Promise<void> {
  await plane.database.query
    .updateTable('deployments')
    .set({ stop_requested_at: new Date(plane.now()) })
    .where('id', '=', id)
    .where('deployment_status', 'in', ['cancelled', 'error'])
    .where('stop_requested_at', 'is', null)
    .execute();
  plane.wake();
}
