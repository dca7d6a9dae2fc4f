/** The lease of a publication that this process carries out: renewed while it runs, and lost when it could not be. */
import { sql } from 'kysely';
import { leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';

export type PublicationLease = {
  /** Aborted when the lease is no longer ours for sure, or this process ends: nothing may be written from then on. */
  signal: AbortSignal;
  /** Up to when something may be written, in milliseconds since 1970 by this machine's clock; later after each renewal. */
  until(): number;
  /** Renews no more. */
  release(): void;
};

/** A lease that could not be renewed counts as lost when this part of it has passed: what is in flight has to end. */
const lostAfter = 0.6;

/** Holds the lease of publication `id`, which this process has just claimed. */
export function holdPublication(plane: Plane, id: string): PublicationLease {
  const { leaseMs } = plane.settings;
  const lost = new AbortController();
  let renewedAt = performance.now();
  // It was claimed before this: how long before is not known, and a fifth of the lease more than enough.
  let renewedTime = Date.now() - leaseMs / 5;
  const timer = setInterval(async () => {
    const asked = performance.now();
    const askedTime = Date.now();
    try {
      const { numUpdatedRows } = await plane.database.query
        .updateTable('publications')
        .set({ lease_expires_at: leaseUntil(leaseMs) })
        .where('id', '=', id)
        .where('state', '=', 'running')
        .where('lease_owner', '=', plane.id)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) lost.abort(new Error('another process carries out this publication'));
      else {
        renewedAt = asked;
        renewedTime = askedTime;
      }
    } catch (error) {
      plane.report(`the lease of the publication ${id} could not be renewed`, error);
    }
  }, leaseMs / 6);
  // Apart from the renewals, which may hang with the database.
  const watch = setInterval(() => {
    if (performance.now() - renewedAt > leaseMs * lostAfter)
      lost.abort(new Error('the lease of the publication has run out'));
  }, leaseMs / 30);
  timer.unref();
  watch.unref();
  return {
    signal: AbortSignal.any([lost.signal, plane.ending]),
    until: () => renewedTime + leaseMs * lostAfter,
    release() {
      clearInterval(timer);
      clearInterval(watch);
    },
  };
}

/** Gives the publication back, so that another process can take it over at once. */
export async function givePublicationBack(plane: Plane, id: string): Promise<void> {
  await plane.database.query
    .updateTable('publications')
    .set({ lease_expires_at: sql<Date>`now()` })
    .where('id', '=', id)
    .where('state', '=', 'running')
    .where('lease_owner', '=', plane.id)
    .execute();
}
