/** The plane's own work: stop what was asked to stop, watch builders, publish, and start what is queued. */
import { liveness } from '../contract/builder-api.ts';
import { SphereError } from '../contract/errors.ts';
import { claimNext, failAttempt, loseAttempt, startBuilder } from './attempts.ts';
import type { DeploymentRow } from './deployments.ts';
import type { Plane } from './plane.ts';
import { carryOut, finishSettling, runPublications } from './publications.ts';

/** How often unfinished work is looked at, in milliseconds. An idle plane looks only when woken. */
const tickMs = 1_000;
/** A builder whose deployment has ended may still save its caches; then it is stopped. */
const leaveMs = 30_000;
/** Beyond the builder's own time limit, for everything around the commands. */
const slackMs = 120_000;
/** A gap between two looks of this length means that the machine slept: builders slept too. */
const sleptMs = 20_000;

export type WorkLoop = {
  /** Look now. Never throws. */
  wake(): void;
  /** Ends the loop once what it does now is done. Builders go on. */
  stop(): Promise<void>;
};

/** Takes over what an earlier process left behind, then works until stopped. */
export function startWorkLoop(plane: Plane): WorkLoop {
  let signal = withResolvers();
  let stopped = false;
  /** Work that may take long runs beside the loop, one piece per name. */
  const running = new Map<string, Promise<void>>();
  const beside = (name: string, work: () => Promise<void>) => {
    if (running.has(name)) return;
    const done = work()
      .catch((error: unknown) => {
        // An attempt that ended meanwhile is no news.
        if (!(error instanceof SphereError && error.code === 'ATTEMPT_STALE'))
          plane.report(`${name} failed`, error);
      })
      .finally(() => running.delete(name));
    running.set(name, done);
  };

  /** Per attempt: since when it is watched, on a clock that stands still while the machine sleeps. */
  const watchedSince = new Map<string, number>();
  const finished = (async () => {
    await takeOver(plane).catch((error: unknown) => plane.report('taking over failed', error));
    let lastLook = plane.now();
    while (!stopped) {
      signal = withResolvers();
      const gap = plane.now() - lastLook;
      lastLook = plane.now();
      const busy = await look(plane, beside, gap > sleptMs, watchedSince).catch((error: unknown) => {
        plane.report('looking at the queue failed', error);
        return true;
      });
      if (stopped) break;
      if (busy) await orAfter(tickMs, signal.promise);
      else {
        await signal.promise;
        lastLook = plane.now();
      }
    }
    await Promise.allSettled(running.values());
  })();

  return {
    wake: () => signal.resolve(),
    async stop() {
      stopped = true;
      signal.resolve();
      await finished;
    },
  };
}

/** Resolves with `promise`, or after `ms`. */
async function orAfter(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    promise,
    new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    }),
  ]);
  clearTimeout(timer);
}

/** A promise and what resolves it (`Promise.withResolvers` came with Node 22). */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

type Beside = (name: string, work: () => Promise<void>) => void;

/** One look at everything. Whether there is anything unfinished to look at again. */
async function look(
  plane: Plane,
  beside: Beside,
  slept: boolean,
  watchedSince: Map<string, number>,
): Promise<boolean> {
  const stopping = await toStop(plane);
  for (const row of stopping) beside(`stopping ${row.id}`, () => stopBuilder(plane, row));

  beside('publishing', () => runPublications(plane));
  for (;;) {
    const row = await claimNext(plane);
    if (!row) break;
    beside(`starting ${row.id} ${row.attempt}`, () => startBuilder(plane, row));
  }

  const building = await renewLeases(plane, slept);
  const keys = new Set(building.map((row) => `${row.id} ${row.attempt}`));
  for (const key of watchedSince.keys()) if (!keys.has(key)) watchedSince.delete(key);
  for (const row of building) {
    const key = `${row.id} ${row.attempt}`;
    const since = watchedSince.get(key) ?? performance.now();
    watchedSince.set(key, since);
    beside(`watching ${row.id}`, () => watchBuilder(plane, row, performance.now() - since));
  }
  if (building.length > 0 || stopping.length > 0) return true;
  const waiting = await plane.database.query
    .selectFrom('publications')
    .select('id')
    .where('state', 'in', ['waiting', 'running'])
    .executeTakeFirst();
  return waiting !== undefined;
}

/** Renews what this process holds and gives what is building. After sleep every builder's silence starts anew. */
async function renewLeases(plane: Plane, slept: boolean): Promise<DeploymentRow[]> {
  const now = plane.now();
  const { query } = plane.database;
  const building = await query
    .selectFrom('deployments')
    .selectAll()
    .where('deployment_status', '=', 'building')
    .execute();
  const due = building.filter(
    (row) =>
      slept || !row.lease_expires_at || row.lease_expires_at.getTime() - now < plane.settings.leaseMs / 2,
  );
  if (due.length > 0) {
    await query
      .updateTable('deployments')
      .set({
        lease_expires_at: new Date(now + plane.settings.leaseMs),
        ...(slept ? { seen_at: new Date(now) } : {}),
      })
      .where(
        'id',
        'in',
        due.map((row) => row.id),
      )
      .where('lease_owner', '=', plane.id)
      .where('deployment_status', '=', 'building')
      .execute();
  }
  return slept ? building.map((row) => ({ ...row, seen_at: new Date(now) })) : building;
}

/** Notices what a builder could not report itself. */
async function watchBuilder(plane: Plane, row: DeploymentRow, watchedMs: number): Promise<void> {
  if (row.phase === 'publish') return;
  const attempt = { deployment: row.id, attempt: row.attempt };
  const now = plane.now();
  const stop = async () => {
    if (row.runner) await plane.builds.stop(row.runner);
  };

  if (watchedMs > plane.settings.timeLimitMs + slackMs) {
    await stop();
    const minutes = Math.round(plane.settings.timeLimitMs / 60_000);
    return failAttempt(plane, attempt, 'timeout', {
      code: 'BUILD_TIMED_OUT',
      message: `the build did not end within ${minutes} minutes`,
    });
  }
  const silentFor = now - (row.seen_at?.getTime() ?? now);
  if (silentFor > liveness.silentAfterMs) {
    await stop();
    return loseAttempt(plane, attempt, 'silent', {
      code: 'BUILD_SILENT',
      message: `the builder gave no sign of life for ${Math.round(silentFor / 1000)} s`,
      hint: 'Deploy again; if it happens again, look at `sphere logs` for what ran last.',
    });
  }
  if (!row.runner) return;
  const state = await plane.builds.state(row.runner);
  if (state.running) return;
  const how = state.signal
    ? `killed by ${state.signal}`
    : `ended with exit code ${state.exitCode ?? 'unknown'}`;
  await loseAttempt(plane, attempt, 'infrastructure', {
    code: 'INFRASTRUCTURE',
    message: `the builder was ${how} before it reported a result`.replace('was ended', 'ended'),
    hint: 'Deploy again; a builder that is killed often ran out of memory.',
  });
}

/** Builders to stop now: those of cancelled deployments at once, others when they had time to leave by themselves. */
async function toStop(plane: Plane): Promise<DeploymentRow[]> {
  return plane.database.query
    .selectFrom('deployments')
    .selectAll()
    .where('stop_requested_at', 'is not', null)
    .where('stopped_at', 'is', null)
    .execute();
}

async function stopBuilder(plane: Plane, row: DeploymentRow): Promise<void> {
  const { runner } = row;
  if (runner) {
    const mayLeave = row.deployment_status !== 'cancelled';
    const deadline = (row.stop_requested_at?.getTime() ?? 0) + leaveMs;
    if (mayLeave && plane.now() < deadline && (await plane.builds.state(runner)).running) return;
    await plane.builds.stop(runner);
  }
  await plane.builds.cleanUp({ deployment: row.id, attempt: row.attempt });
  await plane.database.query
    .updateTable('deployments')
    .set({ stopped_at: new Date(plane.now()) })
    .where('id', '=', row.id)
    .where('attempt', '=', row.attempt)
    .execute();
  plane.wake();
}

/**
 * What an earlier process of this data directory left behind. It holds the directory's lock no longer, so that its
 * leases are void: builders that run are adopted, publications that had begun are carried out again.
 */
async function takeOver(plane: Plane): Promise<void> {
  const { query } = plane.database;
  const now = plane.now();
  const adopted = await query
    .updateTable('deployments')
    .set((eb) => ({
      lease_owner: plane.id,
      lease_epoch: eb('lease_epoch', '+', 1),
      lease_expires_at: new Date(now + plane.settings.leaseMs),
      seen_at: new Date(now),
    }))
    .where('deployment_status', '=', 'building')
    .returningAll()
    .execute();
  const publications = await query
    .updateTable('publications')
    .set({ lease_owner: plane.id, lease_expires_at: new Date(now + plane.settings.leaseMs) })
    .where('state', '=', 'running')
    .returningAll()
    .execute();
  for (const publication of publications) await carryOut(plane, publication);

  for (const row of adopted) {
    await takeOverDeployment(plane, row).catch((error: unknown) =>
      plane.report(`taking over ${row.id} failed`, error),
    );
  }
}

async function takeOverDeployment(plane: Plane, row: DeploymentRow): Promise<void> {
  if (row.phase === 'publish') return settleDone(plane, row);
  // Claimed, and the plane was killed before it could note the builder: whatever was started is fenced off.
  if (row.runner || row.source.kind === 'prebuilt') return;
  await loseAttempt(plane, { deployment: row.id, attempt: row.attempt }, 'infrastructure', {
    code: 'INFRASTRUCTURE',
    message: 'the plane was stopped while it started the builder',
  });
}

/** Live had moved to this deployment when the plane was stopped: what is left is to say so. */
async function settleDone(plane: Plane, row: DeploymentRow): Promise<void> {
  const publication = await plane.database.query
    .selectFrom('publications')
    .selectAll()
    .where('deployment_id', '=', row.id)
    .where('state', '=', 'done')
    .executeTakeFirst();
  if (publication) await finishSettling(plane, publication, row.project_slug);
}
