/** Ctrl-C: the first is an appeal to the command that runs, the second ends the program. */

export type Interrupt = {
  /** Calls `onFirst` in place of ending the program, until the returned function is called. */
  hold(onFirst: () => void): () => void;
};

/**
 * Listens for SIGINT, SIGTERM and SIGHUP. `leave` ends the program: on a first signal that no command holds, and on a
 * second SIGINT in any case.
 */
export function listenForInterrupt(leave: () => void): Interrupt {
  let holder: (() => void) | undefined;
  let asked = false;
  const onSignal = () => {
    if (asked || !holder) return leave();
    asked = true;
    holder();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  return {
    hold(onFirst) {
      holder = onFirst;
      return () => {
        if (holder === onFirst) holder = undefined;
      };
    },
  };
}
