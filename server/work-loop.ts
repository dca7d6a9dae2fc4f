/** The plane's own work: stop what was asked to stop, watch builders, publish, and start what is queued. */
import { sql } from 'kysely';
import { SphereError } from '../contract/errors.ts';
import { claimQueued, startBuilder } from './claims.ts';
import { type Duty, runDuty } from './duties.ts';
import type { Plane } from './plane.ts';
import { findPublications } from './publication-claims.ts';
import { claimStops, stopBuilder } from './stop-builders.ts';
import { giveBack, settleAdopted, settleLeft, takeOverAll, takeOverExpired } from './take-over.ts';
import { type BuilderWatch, createBuilderWatch, renewLeases } from './watch-builders.ts';

/** How often unfinished work is looked at, in milliseconds. */
const tickMs = 1_000;
/** How often an idle process looks for what others have left. One that is alone looks only when woken. */
const idleTickMs = 3_000;
/** How often it is seen whether a duty is due. */
const dutyTickMs = 15_000;
/** A gap between two looks of this length means that the machine slept: builders slept too. */
const sleptMs = 20_000;

export type WorkLoop = {
  /** Look now. Never throws. */
  wake(): void;
  /** Ends the loop once what it does now is done. Builders go on. */
  stop(): Promise<void>;
};

/** Takes over what an earlier process left behind, then works until stopped. */
export function startWorkLoop(plane: Plane, duties: readonly Duty[]): WorkLoop {
  let signal = withResolvers();
  let stopped = false;
  /** Work that may take long runs beside the loop, one piece per name. */
  const running = new Map<string, Promise<void>>();
  const beside: Beside = (name, work) => {
    if (running.has(name)) return;
    const done = work()
      .catch((error: unknown) => plane.reportUnlessStale(name, error))
      .finally(() => running.delete(name));
    running.set(name, done);
  };

  const { exclusive } = plane.settings;
  const finished = (async () => {
    if (exclusive)
      await takeOverAll(plane).catch((error: unknown) => plane.report('taking over failed', error));
    const watch = createBuilderWatch(plane);
    let lastLook = plane.now();
    let lastDuties = Number.NEGATIVE_INFINITY;
    while (!stopped) {
      signal = withResolvers();
      const gap = plane.now() - lastLook;
      lastLook = plane.now();
      if (performance.now() - lastDuties > dutyTickMs) {
        lastDuties = performance.now();
        // Each by itself: what ends paid tasks does not wait for a sweep, whatever that takes.
        for (const duty of duties) beside(`duty ${duty.name}`, () => runDuty(plane, duty));
      }
      const busy = await look(plane, beside, watch, gap > sleptMs).catch((error: unknown) => {
        plane.report('looking at the queue failed', error);
        return true;
      });
      if (stopped) break;
      if (busy || !exclusive) await orAfter(busy ? tickMs : idleTickMs, signal.promise);
      else {
        await signal.promise;
        lastLook = plane.now();
      }
    }
    // What is being looked for may still begin something.
    while (running.size > 0) await Promise.allSettled(running.values());
    if (!exclusive)
      await giveBack(plane).catch((error: unknown) => plane.report('giving back failed', error));
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

/** Reports what went wrong with `report`. That an attempt has ended meanwhile is no news. */
export function unlessStale(
  report: (message: string, error?: unknown) => void,
): (name: string, error: unknown) => void {
  return (name, error) => {
    if (error instanceof SphereError && error.code === 'ATTEMPT_STALE') return;
    report(`${name} failed`, error);
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
async function look(plane: Plane, beside: Beside, watch: BuilderWatch, slept: boolean): Promise<boolean> {
  if (!plane.settings.exclusive) {
    for (const row of await takeOverExpired(plane))
      beside(`taking over ${row.id}`, () => settleAdopted(plane, row));
  }
  const stopping = await claimStops(plane);
  for (const row of stopping) beside(`stopping ${row.id}`, () => stopBuilder(plane, row));

  beside('looking for publications', async () => {
    // Each by itself: one of many files would hold up all that are asked for after it.
    for (const { name, run } of await findPublications(plane)) beside(`publishing ${name}`, run);
  });
  for (let claimed = await claimQueued(plane); claimed.length > 0; claimed = await claimQueued(plane)) {
    for (const row of claimed) beside(`starting ${row.id} ${row.attempt}`, () => startBuilder(plane, row));
  }

  await renewLeases(plane, slept);
  const busy = await isUnfinished(plane);
  if (busy) {
    beside('watching builders', () => watch.look());
    beside('settling', () => settleLeft(plane));
  }
  return busy || stopping.length > 0;
}

/** Whether this process holds what is building, or anything waits to be published. */
async function isUnfinished(plane: Plane): Promise<boolean> {
  const { rows } = await sql<{ unfinished: boolean }>`select
    exists (select from deployments where deployment_status = 'building' and lease_owner = ${plane.id})
    or exists (select from publications where state in ('waiting', 'running')) as unfinished`.execute(
    plane.database.query,
  );
  return rows[0]?.unfinished === true;
}
