/** A plane that runs in this process. */
export type RunningServer = {
  url: string;
  /** The data directory; null for a replica of a hosted plane, which has none. */
  home: string | null;
  /** Why the address is another one than before, where it is. */
  notice: string | null;
  /** Resolves when the plane has ended, by `stop` or by its API. */
  ended: Promise<void>;
  /** Ends in order. Builds that run go on and are taken up by the next start, or by another replica. */
  stop(): Promise<void>;
};
