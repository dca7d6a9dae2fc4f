/**
 * What is open under tokens: sockets, and logs that are followed over HTTP. A token that is removed ends them at once on
 * every replica, by a notice of the database; one that expires, or whose notice was lost, within seconds.
 */
import { SphereError } from '../contract/errors.ts';
import type { Holder } from './callers.ts';
import type { Database } from './database/database.ts';
import { endedTokens, removedTokens } from './tokens.ts';

export type OpenUses = {
  /**
   * Calls `close` when the holder's token works no more, unless the returned function was called before. Throws
   * `RATE_LIMITED` when its account has too much open already.
   */
  hold(holder: Pick<Holder, 'token' | 'account'>, close: () => void): () => void;
  close(): Promise<void>;
};

/** What one account may have open on one replica: a follower costs about 45 kB, and a connection of Nginx. */
const mostOfAccount = 2_000;
/** How often it is seen whether the tokens still work. */
const lookEveryMs = 5_000;

/** Watches the tokens of `plane` under which something is open. */
export function createOpenUses(plane: {
  database: Database;
  now(): number;
  report(message: string, error?: unknown): void;
}): OpenUses {
  const open = new Map<string, Set<() => void>>();
  const counts = new Map<string, number>();
  const count = (account: string, change: 1 | -1) => {
    const now = (counts.get(account) ?? 0) + change;
    if (now > 0) counts.set(account, now);
    else counts.delete(account);
  };
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
    hold({ token, account }, close) {
      // The token of an embedded plane is its key's.
      if (token === null) return () => {};
      const whose = account ?? 'admin';
      if ((counts.get(whose) ?? 0) >= mostOfAccount) throw tooManyOpen();
      count(whose, 1);
      const uses = open.get(token) ?? new Set();
      uses.add(close);
      open.set(token, uses);
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        count(whose, -1);
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

const tooManyOpen = () =>
  new SphereError('RATE_LIMITED', `${mostOfAccount} logs of this account are being followed already`, {
    hint: 'End some of them, and try again.',
  });
