/** Turns of this process at something that one at a time can have: whoever waits does so here, and holds no connection. */

export type Turns = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/** Runs the pieces of work for one `what` one after the other, in the order in which they came. */
export function createTurns(): Turns {
  const last = new Map<string, Promise<unknown>>();
  return async (what, work) => {
    const before = last.get(what) ?? Promise.resolve();
    const mine = before.then(work, work);
    last.set(what, mine);
    try {
      return await mine;
    } finally {
      if (last.get(what) === mine) last.delete(what);
    }
  };
}
