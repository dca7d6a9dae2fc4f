/** Attempts: claiming a deployment, fencing its builder, and what becomes of an attempt that was lost. */
import { sql } from 'kysely';
import type { BuildSpec, PhaseRequest } from '../contract/builder-api.ts';
import { type ErrorBody, SphereError } from '../contract/errors.ts';
import { builderContractVersion } from '../contract/version.ts';
import type { EndReason } from '../contract/words.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import { hashToken } from './keys.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';

/** Names one try at building one deployment. */
export type Attempt = { deployment: string; attempt: number };

/** Infrastructure may lose this many attempts; after one more the deployment ends. */
const lostAttemptsAllowed = 1;

/**
 * Claims the next queued deployment when a slot is free: the account with the fewest running builds first, then the
 * oldest. The claim is committed as `building` with a new attempt before anything is started.
 */
export async function claimNext(plane: Plane): Promise<DeploymentRow | undefined> {
  const now = plane.now();
  return plane.database.transaction(async (trx) => {
    const building = await trx
      .selectFrom('deployments')
      .select(['account_id'])
      .where('deployment_status', '=', 'building')
      .where('phase', '<>', 'publish')
      .where(sql<boolean>`source->>'kind' <> 'prebuilt'`)
      .execute();
    if (building.length >= plane.settings.maxBuilds) return undefined;
    const next = await trx
      .selectFrom('deployments')
      .selectAll()
      .where('deployment_status', '=', 'queued')
      .where((eb) => eb.or([eb('runner', 'is', null), eb('stopped_at', 'is not', null)]))
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
        lease_expires_at: new Date(now + plane.settings.leaseMs),
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

/** Starts the builder of an attempt that has just been claimed. */
export async function startBuilder(plane: Plane, row: DeploymentRow): Promise<void> {
  const attempt = { deployment: row.id, attempt: row.attempt };
  try {
    const bootstrapToken = plane.keys.bootstrapToken(row.id, row.attempt);
    const runner = await plane.builds.start({ ...attempt, bootstrapToken });
    const { numUpdatedRows } = await plane.database.query
      .updateTable('deployments')
      .set({ runner: JSON.stringify(runner) })
      .where('id', '=', row.id)
      .where('attempt', '=', row.attempt)
      .executeTakeFirst();
    // Cancelled while it was started: the end could not name the builder yet, so that its stop is asked for here.
    if (numUpdatedRows > 0n) await requestStopIfEnded(plane, row.id);
    else await plane.builds.stop(runner);
  } catch (error) {
    plane.report(`the builder of ${row.id} could not be started`, error);
    await loseAttempt(plane, attempt, 'infrastructure', {
      code: 'INFRASTRUCTURE',
      message: `the builder could not be started: ${(error as Error).message}`,
    });
  }
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

const stale = (attempt: Attempt) =>
  new SphereError('ATTEMPT_STALE', `attempt ${attempt.attempt} of ${attempt.deployment} is over`);

type OnRow<T> = (
  trx: Parameters<Parameters<Plane['database']['transaction']>[0]>[0],
  row: DeploymentRow,
) => Promise<T>;

/**
 * Runs `work` on the row of an attempt that is at work, locked. Throws `ATTEMPT_STALE` when the attempt is over, or has
 * handed in what it built: nothing of that may change any more.
 */
export async function onAttempt<T>(plane: Plane, attempt: Attempt, work: OnRow<T>): Promise<T> {
  return onBuiltAttempt(plane, attempt, async (trx, row) => {
    if (row.phase === 'publish') throw stale(attempt);
    return work(trx, row);
  });
}

/** As `onAttempt`, also while what it built is being published. */
export async function onBuiltAttempt<T>(plane: Plane, attempt: Attempt, work: OnRow<T>): Promise<T> {
  return plane.database.transaction(async (trx) => {
    const row = await lockDeployment(trx, attempt.deployment);
    if (row?.attempt !== attempt.attempt || row.deployment_status !== 'building') throw stale(attempt);
    return work(trx, row);
  });
}

/** Spends the bootstrap token on the builder's own. Repeating it with the same token answers alike. */
export async function registerBuilder(
  plane: Plane,
  attempt: Attempt,
  request: { contractVersion: number; token: string },
): Promise<BuildSpec> {
  const oldest = builderContractVersion - 1;
  if (request.contractVersion > builderContractVersion || request.contractVersion < oldest) {
    throw new SphereError(
      'VERSION_MISMATCH',
      `the builder speaks version ${request.contractVersion}, this plane ${oldest} and ${builderContractVersion}`,
      { hint: 'Run the builder that belongs to this plane.' },
    );
  }
  const hash = hashToken(request.token);
  const row = await onAttempt(plane, attempt, async (trx, row) => {
    if (row.builder_token_hash === hash) return row;
    if (row.builder_token_hash !== null) {
      throw new SphereError('NOT_SIGNED_IN', 'the token that starts this attempt has been spent');
    }
    await trx
      .updateTable('deployments')
      .set({ builder_token_hash: hash, seen_at: new Date(plane.now()) })
      .where('id', '=', row.id)
      .execute();
    return row;
  });
  return specOf(plane, row);
}

function specOf(plane: Plane, row: DeploymentRow): BuildSpec {
  const base = `${plane.settings.url}/v1/builds/${row.id}/${row.attempt}`;
  return {
    deployment: row.id,
    attempt: row.attempt,
    project: row.project_slug,
    target: row.target,
    source: row.source,
    sourceUrl: row.source.kind === 'upload' ? `${base}/source` : null,
    build: row.build,
    serving: row.serving,
    siteUrl: row.deployment_url,
    noCache: row.no_cache,
    hasCredential: row.git_token !== null,
    allowLocalRepository: plane.settings.allowLocalRepository,
    timeLimitMs: plane.settings.timeLimitMs,
  };
}

/** The builder has started a phase. From `install` on, where strangers' code runs, there is no Git credential. */
export async function enterAttemptPhase(
  plane: Plane,
  attempt: Attempt,
  request: PhaseRequest,
): Promise<void> {
  await onAttempt(plane, attempt, async (trx, row) => {
    const now = plane.now();
    const beforeInstall = request.phase === 'prepare' || request.phase === 'clone';
    await trx
      .updateTable('deployments')
      .set({
        phase: request.phase,
        phases: JSON.stringify(enterPhase(row.phases, request.phase, now)),
        seen_at: new Date(now),
        updated_at: new Date(now),
        ...(beforeInstall ? {} : { git_token: null }),
        ...(request.detections ? { detections: JSON.stringify(request.detections) } : {}),
      })
      .where('id', '=', row.id)
      .execute();
  });
}

/** The token for the repository of an attempt that has not come to `install` yet. */
export async function gitCredential(plane: Plane, attempt: Attempt): Promise<string> {
  return onAttempt(plane, attempt, async (_, row) => {
    if (row.git_token === null)
      throw new SphereError('NOT_FOUND', 'there is no credential for this repository, or no longer');
    return plane.keys.open(row.git_token);
  });
}

/** A sign of life. */
export async function heartbeat(plane: Plane, attempt: Attempt): Promise<void> {
  const { numUpdatedRows } = await plane.database.query
    .updateTable('deployments')
    .set({ seen_at: new Date(plane.now()) })
    .where('id', '=', attempt.deployment)
    .where('attempt', '=', attempt.attempt)
    .where('deployment_status', '=', 'building')
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw stale(attempt);
}

/** The attempt has failed for good: the user's own failures are never tried again. */
export async function failAttempt(
  plane: Plane,
  attempt: Attempt,
  reason: EndReason,
  error: ErrorBody,
): Promise<void> {
  const row = await onAttempt(plane, attempt, async (trx, row) => {
    await endDeployment(trx, row, 'fail', { reason, error }, plane.now());
    return row;
  });
  await sayEnd(plane, row, row.phase ?? 'prepare', `Failed: ${error.message}`);
}

/** The attempt was lost for a reason that is not the user's: once more, or the end. */
export async function loseAttempt(
  plane: Plane,
  attempt: Attempt,
  reason: 'infrastructure' | 'silent',
  error: ErrorBody,
): Promise<void> {
  const outcome = await onAttempt(plane, attempt, async (trx, row) => {
    const again = row.source.kind !== 'prebuilt' && row.lost_attempts < lostAttemptsAllowed;
    if (!again) {
      await endDeployment(trx, row, 'fail', { reason, error }, plane.now());
      return { row, again };
    }
    const now = plane.now();
    await trx
      .updateTable('deployments')
      .set({
        deployment_status: nextStatus(row.deployment_status, 'requeue'),
        phase: 'queue',
        phases: JSON.stringify(enterPhase(row.phases, 'queue', now)),
        lost_attempts: row.lost_attempts + 1,
        lease_owner: null,
        lease_expires_at: null,
        builder_token_hash: null,
        // The next attempt is claimed when this one's builder is seen to have ended.
        ...(row.runner ? { stop_requested_at: new Date(now) } : {}),
        updated_at: new Date(now),
      })
      .where('id', '=', row.id)
      .execute();
    return { row, again };
  });
  const phase = outcome.row.phase ?? 'prepare';
  if (!outcome.again) return sayEnd(plane, outcome.row, phase, `Failed: ${error.message}`);
  const text = `Attempt ${attempt.attempt} was lost: ${error.message}. Trying once more.`;
  await plane.logs.appendOwn(outcome.row.id, [[plane.now(), 'queue', 'sphere', text]]);
  plane.wake();
}
