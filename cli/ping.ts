/** How far regions are: the time that one TCP connection to their S3 takes. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { Region } from '../contract/api.ts';

/** After so many milliseconds a region is out of reach. */
const patienceMs = 3_000;

/** `ms` is null where nothing was measured. */
export type MeasuredRegion = Region & { ms: number | null };

/** `regions` with their times, nearest first; those without one keep their order behind. Never throws. */
export async function nearestFirst(
  regions: readonly Region[],
  measure: (host: string) => Promise<number | null> = connectTime,
): Promise<MeasuredRegion[]> {
  const found = await Promise.all(
    regions.map(async (region) => ({ ...region, ms: region.host ? await measure(region.host) : null })),
  );
  return found.sort((a, b) => (a.ms ?? Number.POSITIVE_INFINITY) - (b.ms ?? Number.POSITIVE_INFINITY) || 0);
}

/** Milliseconds from the first packet to `host` until it is connected, without the look-up of its name; null: no answer. */
export async function connectTime(host: string, port = 443): Promise<number | null> {
  try {
    const { address } = await lookup(host);
    return await new Promise((resolve) => {
      const startedAt = performance.now();
      const socket = connect({ host: address, port });
      const end = (ms: number | null) => {
        socket.destroy();
        resolve(ms);
      };
      socket.setTimeout(patienceMs, () => end(null));
      socket.once('connect', () => end(performance.now() - startedAt));
      socket.once('error', () => end(null));
    });
  } catch {
    return null;
  }
}
