/** Attempts: fencing a deployment's builder, what it may ask for, and what becomes of an attempt that was lost. */
import type { Transaction } from 'kysely';
import type { BuildSpec, PhaseRequest } from '../contract/builder-api.ts';
import { type ErrorBody, SphereError } from '../contract/errors.ts';
import { routePath } from '../contract/routes.ts';
import { builderContractVersion } from '../contract/version.ts';
import type { EndReason } from '../contract/words.ts';
import type { Tables } from './database/tables.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import { hashToken } from './keys.ts';
import { databaseNow } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import { buildEnvironmentOf } from './project-environment.ts';

/** Names one try at building one deployment. */
export type Attempt = {
  deployment: string;
  attempt: number;
  /** What is done is the decision of this process, and counts only while it holds the lease. */
  heldBy?: string;
};

/** Since this version of the contract, builders give environment values to commands and keep secrets to themselves. */
const withEnvironment = 2;

/** Infrastructure may lose this many attempts; after one more the deployment ends. */
const lostAttemptsAllowed = 1;

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
    if (attempt.heldBy !== undefined && row.lease_owner !== attempt.heldBy) throw stale(attempt);
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
      .set({ builder_token_hash: hash, seen_at: databaseNow })
      .where('id', '=', row.id)
      .execute();
    return row;
  });
  const environment = await buildEnvironmentOf(plane, row);
  if (request.contractVersion < withEnvironment && environment.length > 0) {
    const refused = new SphereError(
      'VERSION_MISMATCH',
      `this deployment has environment values, which a builder of version ${request.contractVersion} would ignore`,
      { hint: 'Whoever runs the plane publishes the builder of its version: scripts/publish-builder-image.' },
    );
    // Another attempt would be started with the same builder.
    await failAttempt(plane, attempt, 'infrastructure', refused.toBody());
    throw refused;
  }
  return { ...(await specOf(plane, row)), environment };
}

async function specOf(plane: Plane, row: DeploymentRow): Promise<BuildSpec> {
  return {
    deployment: row.id,
    attempt: row.attempt,
    project: row.project_slug,
    target: row.target,
    source: row.source,
    sourceUrl: await sourceUrl(plane, row),
    build: row.build,
    serving: row.serving,
    siteUrl: row.deployment_url,
    noCache: row.no_cache,
    ...(row.isolation === null ? {} : { isolation: row.isolation }),
    hasCredential: row.git_token !== null,
    allowLocalRepository: plane.settings.allowLocalRepository,
    gitHosts: plane.settings.gitHosts,
    timeLimitMs: timeLimitOf(plane, row),
    remoteCaches: plane.sites.transfer.kind === 'direct',
  };
}

/** The plane's own limit, or a shorter one that was asked for. */
function timeLimitOf({ settings }: Plane, { build }: DeploymentRow): number {
  return Math.min(settings.timeLimitMs, (build.limits?.minutes ?? Number.POSITIVE_INFINITY) * 60_000);
}

/** Where the builder gets an uploaded source. */
async function sourceUrl(plane: Plane, row: DeploymentRow): Promise<string | null> {
  if (row.source.kind !== 'upload') return null;
  const { transfer } = plane.sites;
  if (transfer.kind === 'direct') return transfer.sourceDownload(row.account_id, row.source.digest);
  return `${plane.settings.url}${routePath('buildSource', { deployment: row.id, attempt: row.attempt })}`;
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
        seen_at: databaseNow,
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
    .set({ seen_at: databaseNow })
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

/** The source itself has said that there is nothing to build: what is live stays. */
export async function ignoreAttempt(plane: Plane, attempt: Attempt, message: string): Promise<void> {
  const row = await onAttempt(plane, attempt, async (trx, row) => {
    await endDeployment(trx, row, 'cancel', { reason: 'ignored', error: null }, plane.now());
    return row;
  });
  await sayEnd(plane, row, row.phase ?? 'prepare', `Ignored: ${message}`);
}

/** The attempt was lost for a reason that is not the user's: once more, or the end. */
export async function loseAttempt(
  plane: Plane,
  attempt: Attempt,
  reason: 'infrastructure' | 'silent',
  error: ErrorBody,
): Promise<void> {
  const outcome = await onAttempt(plane, attempt, async (trx, row) => {
    const newer = await newerOf(trx, row);
    if (newer !== undefined) {
      const superseded = {
        code: 'DEPLOYMENT_SUPERSEDED' as const,
        message: `superseded by ${newer}, which was asked for later, when its builder was lost`,
      };
      await endDeployment(trx, row, 'cancel', { reason: 'superseded', error: superseded }, plane.now());
      return { row, again: false, failed: superseded };
    }
    const again = row.source.kind !== 'prebuilt' && row.lost_attempts < lostAttemptsAllowed;
    if (!again) {
      await endDeployment(trx, row, 'fail', { reason, error }, plane.now());
      return { row, again, failed: error };
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
    return { row, again, failed: error };
  });
  const phase = outcome.row.phase ?? 'prepare';
  if (!outcome.again) return sayEnd(plane, outcome.row, phase, `Failed: ${outcome.failed.message}`);
  const text = `Attempt ${attempt.attempt} was lost: ${error.message}. Trying once more.`;
  await plane.logs.appendOwn(outcome.row.id, [[plane.now(), 'queue', 'sphere', text]]);
  plane.wake();
}

/** A deployment of the same target that was asked for later and has not failed: what is lost need not be built any more. */
async function newerOf(
  trx: Transaction<Tables>,
  row: Pick<DeploymentRow, 'project_id' | 'target' | 'order'>,
): Promise<string | undefined> {
  const newer = await trx
    .selectFrom('deployments')
    .select('id')
    .where('project_id', '=', row.project_id)
    .where('target', '=', row.target)
    .where('order', '>', row.order)
    .where('deployment_status', 'in', ['queued', 'building', 'ready'])
    .orderBy('order', 'desc')
    .limit(1)
    .executeTakeFirst();
  return newer?.id;
}
