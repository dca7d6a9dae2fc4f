/** Keeps calls apart: at most so many within any span of time. */
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Resolves when the caller may go on: at most `count` callers within any `spanMs`, in the order in which they asked. A
 * window, not a bucket that refills while it is emptied: that would let twice as many through in its first second.
 */
export function createRateLimit(count: number, spanMs: number): () => Promise<void> {
  /** When the last `count` callers went on, or will. */
  const granted: number[] = [];
  return async () => {
    const now = performance.now();
    const oldest = granted.length < count ? Number.NEGATIVE_INFINITY : (granted.shift() as number);
    const at = Math.max(now, oldest + spanMs);
    granted.push(at);
    if (at > now) await delay(at - now);
  };
}
