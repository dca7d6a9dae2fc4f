/** Claiming what is queued, and starting its builder. */
import { sql, type Transaction } from 'kysely';
import { SphereError } from '../contract/errors.ts';
import { failAttempt, loseAttempt } from './attempts.ts';
import type { Tables } from './database/tables.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, siteOf } from './deployments.ts';
import { databaseNow, leaseUntil } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import type { RunnerRef } from './ports.ts';
import { buildEnvironmentOf } from './project-environment.ts';

/** Names the lock under which the processes of a plane take turns to count running builds; any number that is ours alone. */
const claimLock = 7_364_001;

/** The most that one process claims at a time: others are waiting for the lock. */
const claimedAtOnce = 10;

/**
 * Claims what is queued while slots are free: of the account with the fewest running builds first, then the oldest. The
 * claim is committed as `building` with a new attempt before anything is started. Call again until nothing is claimed.
 */
export async function claimQueued(plane: Plane): Promise<DeploymentRow[]> {
  // Most looks find nothing: they need no transaction, and need not wait for each other.
  const queued = await plane.database.query
    .selectFrom('deployments')
    .select('id')
    .where('deployment_status', '=', 'queued')
    .limit(1)
    .executeTakeFirst();
  if (!queued) return [];
  return plane.database.transaction(async (trx) => {
    await sql`select pg_advisory_xact_lock(${claimLock})`.execute(trx);
    const ids = await nextInTurn(plane, trx);
    if (ids.length === 0) return [];
    // Nothing else claims, but somebody may be cancelling one.
    const rows = await claimable(trx).selectAll().where('id', 'in', ids).forUpdate().skipLocked().execute();
    if (rows.length === 0) return [];
    const started = await startAttempts(plane, trx, rows);
    return started.sort((a, b) => ids.indexOf(a.id) - ids.indexOf(b.id));
  });
}

/** What is queued, and whose earlier builder is not at work any more. */
const claimable = (trx: Transaction<Tables>) =>
  trx
    .selectFrom('deployments')
    .where('deployment_status', '=', 'queued')
    .where((eb) => eb.or([eb('runner', 'is', null), eb('stopped_at', 'is not', null)]));

/** The ids of what may be claimed now, in turn. Under `claimLock`. */
async function nextInTurn(plane: Plane, trx: Transaction<Tables>): Promise<string[]> {
  const { maxBuilds, maxBuildsPerAccount } = plane.settings;
  const busy = await trx
    .selectFrom('deployments')
    .select((eb) => [
      'account_id',
      eb.fn.countAll<string>().as('all'),
      sql<string>`count(*) filter (where phase <> 'publish' and source->>'kind' <> 'prebuilt')`.as('slots'),
    ])
    .where('deployment_status', '=', 'building')
    .groupBy('account_id')
    .execute();
  const free = maxBuilds - busy.reduce((sum, row) => sum + Number(row.slots), 0);
  if (free <= 0) return [];
  const busyOf = new Map(busy.map((row) => [row.account_id, row]));
  const most = Math.min(free, claimedAtOnce);
  // By account, which are few, because the queue may be long.
  const { rows } = await sql<{ account: string; id: string; createdAt: Date }>`
    select accounts.account_id as account, next.id, next.created_at as "createdAt"
    from (${claimable(trx).select('account_id').distinct()}) accounts
    cross join lateral (
      ${claimable(trx)
        .select(['id', 'created_at'])
        .where(sql<boolean>`deployments.account_id = accounts.account_id`)
        .orderBy('created_at')
        .limit(most)}) next
    order by next.created_at`.execute(trx);
  const queues = new Map<string, AccountQueue>();
  for (const { account, id, createdAt } of rows) {
    const { all = 0, slots = 0 } = busyOf.get(account) ?? {};
    const queue = queues.get(account) ?? {
      running: Number(all),
      free: maxBuildsPerAccount - Number(slots),
      waiting: [],
    };
    queue.waiting.push({ id, since: createdAt.getTime() });
    queues.set(account, queue);
  }
  return fairTurns([...queues.values()], most);
}

/** What one account has running and waiting, oldest first, and how many slots it may still take. */
type AccountQueue = { running: number; free: number; waiting: { id: string; since: number }[] };

/** The first `most` ids: each of the account that has the fewest running by then, the oldest first among equals. */
export function fairTurns(queues: readonly AccountQueue[], most: number): string[] {
  const left = queues.map(({ running, free, waiting }) => ({
    running,
    waiting: waiting.slice(0, Math.max(0, free)),
  }));
  const ids: string[] = [];
  while (ids.length < most) {
    const [first] = left
      .filter((queue) => queue.waiting.length > 0)
      .sort((a, b) => a.running - b.running || sinceOf(a.waiting) - sinceOf(b.waiting));
    const next = first?.waiting.shift();
    if (!first || !next) break;
    first.running += 1;
    ids.push(next.id);
  }
  return ids;
}

const sinceOf = (waiting: AccountQueue['waiting']) => waiting[0]?.since ?? 0;

/** Makes locked rows `building`, with a new attempt each. */
async function startAttempts(
  plane: Plane,
  trx: Transaction<Tables>,
  rows: readonly DeploymentRow[],
): Promise<DeploymentRow[]> {
  const now = plane.now();
  const time = new Date(now);
  const phases = rows.map((row) => [row.id, JSON.stringify(enterPhase(row.phases, 'prepare', now))]);
  const next = sql<{
    id: string;
    phases: string;
  }>`jsonb_each_text(${JSON.stringify(Object.fromEntries(phases))}::jsonb)`;
  return trx
    .updateTable('deployments')
    .from(next.as<'next'>(sql`next(id, phases)`))
    .set((eb) => ({
      deployment_status: nextStatus('queued', 'start'),
      phase: 'prepare',
      phases: sql`next.phases::jsonb`,
      attempt: eb('attempt', '+', 1),
      lease_owner: plane.id,
      lease_expires_at: leaseUntil(plane.settings.leaseMs),
      runner: null,
      builder_token_hash: null,
      stop_requested_at: null,
      stopped_at: null,
      seen_at: databaseNow,
      started_at: eb.fn.coalesce('started_at', sql<Date>`${time}::timestamptz`),
      updated_at: time,
    }))
    .whereRef('deployments.id', '=', 'next.id')
    .returningAll('deployments')
    .execute();
}

/** Makes the site's place, then starts the builder of an attempt that has been claimed. May be repeated where `startsOnce`. */
export async function startBuilder(plane: Plane, row: DeploymentRow): Promise<void> {
  // Another process may have taken it over by the time that this one fails.
  const attempt = { deployment: row.id, attempt: row.attempt, heldBy: plane.id };
  try {
    // Told here, a value that does not open ends the deployment with a sentence about it.
    await buildEnvironmentOf(plane, row);
    await plane.sites.prepare(siteOf(row));
    const bootstrapToken = plane.keys.bootstrapToken(row.id, row.attempt);
    const runner = await plane.builds.start({
      deployment: row.id,
      attempt: row.attempt,
      bootstrapToken,
      lost: row.lost_attempts,
    });
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
  // Ended or lost while it was started: nobody could name the builder yet, so that its stop is asked for here.
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
    // Also where the attempt was lost before its builder was known: the next one waits until it is seen to have ended.
    .where('deployment_status', 'in', ['queued', 'cancelled', 'error'])
    .where('stop_requested_at', 'is', null)
    .execute();
  plane.wake();
}
