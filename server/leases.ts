/**
 * Leases: who may act for a row now. A holder renews its lease while it works; once it has run out, any process of the
 * plane may take the row over. Only the database's clock counts, because those of several machines differ.
 */
import { type RawBuilder, sql } from 'kysely';

/** The end of a lease that begins or is renewed now: not when its transaction began, which may have waited for a lock. */
export function leaseUntil(ms: number): RawBuilder<Date> {
  return sql<Date>`clock_timestamp() + ${ms}::integer * interval '1 millisecond'`;
}

/** Whether the row's lease has run out, or nobody holds one. */
export const leaseIsFree: RawBuilder<boolean> = sql<boolean>`(lease_expires_at is null or lease_expires_at < now())`;

/** Whether `owner` may act for the row: it holds the lease, or nobody does. */
export function leaseIsFreeFor(owner: string): RawBuilder<boolean> {
  return sql<boolean>`(lease_owner = ${owner} or lease_expires_at is null or lease_expires_at < now())`;
}

/** Whether less than half of the lease is left. */
export function leaseIsDue(ms: number): RawBuilder<boolean> {
  return sql<boolean>`lease_expires_at < now() + ${Math.floor(ms / 2)}::integer * interval '1 millisecond'`;
}

/** The database's clock, now: what several replicas write and compare goes by it, because their own clocks differ. */
export const databaseNow = sql<Date>`clock_timestamp()`;
