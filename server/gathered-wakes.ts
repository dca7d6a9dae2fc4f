/** Wakes many followers of one log together, and less often the more they are: each wake costs a send for each of them. */
import type { LogStore } from './ports.ts';

type Watch = LogStore['watch'];
type Crowd = {
  followers: Set<() => void>;
  unwatch: () => void;
  wokenAt: number;
  timer: NodeJS.Timeout | null;
};

/** What a follower adds to the pause between two wakes, and the longest pause: nobody sees so much in a terminal. */
const pause = { perFollowerMs: 0.02, longestMs: 50 } as const;

/**
 * `watch`, called once per log. A wake after a quiet time comes at once; those that follow within the pause come
 * together at its end, so that followers that are at the same place ask for the same batch at the same time.
 */
export function gatherWakes(watch: Watch): Watch {
  const crowds = new Map<string, Crowd>();

  const wake = (crowd: Crowd) => {
    crowd.timer = null;
    crowd.wokenAt = performance.now();
    for (const follower of crowd.followers) follower();
  };

  const changed = (crowd: Crowd) => {
    if (crowd.timer !== null) return;
    const wait = Math.min(crowd.followers.size * pause.perFollowerMs, pause.longestMs);
    const left = crowd.wokenAt + wait - performance.now();
    if (left < 1) wake(crowd);
    else crowd.timer = setTimeout(wake, left, crowd);
  };

  return (deployment, follower) => {
    let crowd = crowds.get(deployment);
    if (crowd === undefined) {
      crowd = { followers: new Set(), unwatch: () => {}, wokenAt: 0, timer: null };
      crowd.unwatch = watch(deployment, changed.bind(null, crowd));
      crowds.set(deployment, crowd);
    }
    const joined = crowd;
    joined.followers.add(follower);
    return () => {
      joined.followers.delete(follower);
      if (joined.followers.size > 0 || crowds.get(deployment) !== joined) return;
      crowds.delete(deployment);
      if (joined.timer !== null) clearTimeout(joined.timer);
      joined.unwatch();
    };
  };
}
