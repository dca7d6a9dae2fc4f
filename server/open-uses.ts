/**
 * What is open under tokens: sockets, and logs that are followed over HTTP. A token that is removed ends them at once on
 * every replica, by a notice of the database; one that expires, or whose notice was lost, within seconds.
 */
import type { Database } from './database/database.ts';
import { endedTokens, removedTokens } from './tokens.ts';

export type OpenUses = {
  /** Calls `close` when the token works no more, unless the returned function was called before. */
  hold(token: string | null, close: () => void): () => void;
  close(): Promise<void>;
};

/** How often it is seen whether the tokens still work. */
const lookEveryMs = 5_000;

/** Watches the tokens of `plane` under which something is open. */
export function createOpenUses(plane: {
  database: Database;
  now(): number;
  report(message: string, error?: unknown): void;
}): OpenUses {
  const open = new Map<string, Set<() => void>>();
  const end = (id: string) => {
    const uses = open.get(id);
    open.delete(id);
    for (const close of uses ?? []) close();
  };
  let looking = false;
  const look = async () => {
    if (looking || open.size === 0) return;
    looking = true;
    try {
      for (const id of await endedTokens(plane, [...open.keys()])) end(id);
    } catch (error) {
      plane.report('looking for tokens that work no more failed', error);
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(look, lookEveryMs);
  timer.unref();
  // Notices that were sent while nobody listened are lost.
  const stop = plane.database.listen?.(removedTokens, end, look);
  return {
    hold(token, close) {
      // The token of an embedded plane is its key's.
      if (token === null) return () => {};
      const uses = open.get(token) ?? new Set();
      uses.add(close);
      open.set(token, uses);
      return () => {
        uses.delete(close);
        if (uses.size === 0 && open.get(token) === uses) open.delete(token);
      };
    },
    async close() {
      clearInterval(timer);
      await stop?.();
    },
  };
}
