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

/**
 * Holds the lease of publication `id`, which this process has claimed: when, does not matter, because it is renewed
 * first. Null when it is another process's by now, or has ended.
 */
export async function holdPublication(plane: Plane, id: string): Promise<PublicationLease | null> {
  const { leaseMs } = plane.settings;
  const lost = new AbortController();
  let renewedAt = Number.NEGATIVE_INFINITY;
  let renewedTime = Number.NEGATIVE_INFINITY;
  const renew = async (): Promise<boolean> => {
    const asked = performance.now();
    const askedTime = Date.now();
    const { numUpdatedRows } = await plane.database.query
      .updateTable('publications')
      .set({ lease_expires_at: leaseUntil(leaseMs) })
      .where('id', '=', id)
      .where('state', '=', 'running')
      .where('lease_owner', '=', plane.id)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    renewedAt = asked;
    renewedTime = askedTime;
    return true;
  };
  if (!(await renew())) return null;
  const timer = setInterval(async () => {
    try {
      if (!(await renew())) lost.abort(new Error('another process carries out this publication'));
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
