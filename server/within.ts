/** Waiting, but not for ever. */
import { setTimeout as delay } from 'node:timers/promises';

/** What comes of `promise`; throws when nothing has come of it for `ms`. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const gone = new AbortController();
  const late = delay(ms, undefined, { signal: gone.signal }).then(() => {
    throw new Error(`nothing came of it for ${ms / 1000} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    gone.abort();
    late.catch(() => {});
  }
}
