/** Says that work goes on: a spinner on a terminal, elsewhere a line after every half minute of silence. */
import type { Ora } from 'ora';
import { duration } from './format.ts';

/** Build services end jobs that say nothing for long; this is the longest silence in milliseconds. */
const heartbeatMs = 25_000;

/** So long a thing takes before the time that it takes is shown. */
const showTimeAfterMs = 1_000;

export type Activity = {
  /** `what` goes on since `since` (milliseconds since 1970). */
  busy(what: string, since: number): void;
  idle(): void;
  /** Something was printed just now. */
  spoke(): void;
};

export function createActivity(options: {
  stream: NodeJS.WriteStream;
  live: boolean;
  beat(text: string): void;
}): Activity {
  let current: { what: string; since: number } | undefined;
  let spinner: Ora | undefined;
  let loading = false;
  let beats: NodeJS.Timeout | undefined;
  let spokeAt = Date.now();

  const elapsed = () => {
    const ms = current ? Date.now() - current.since : 0;
    return ms >= showTimeAfterMs ? duration(ms) : '';
  };
  const spin = async () => {
    if (!spinner && !loading) {
      loading = true;
      const { default: ora } = await import('ora');
      spinner = ora({ stream: options.stream, isEnabled: true, discardStdin: false, suffixText: elapsed });
    }
    // Meanwhile the work may have ended.
    if (spinner && current) spinner.start(current.what);
  };
  const beat = () => {
    if (!current || Date.now() - spokeAt < heartbeatMs) return;
    spokeAt = Date.now();
    options.beat(`... ${current.what}, ${duration(Date.now() - current.since)} so far`);
  };
  return {
    busy(what, since) {
      current = { what, since };
      if (options.live) {
        if (spinner?.isSpinning) spinner.text = what;
        else void spin();
        return;
      }
      beats ??= setInterval(beat, 1_000).unref();
    },
    idle() {
      current = undefined;
      spinner?.stop();
      clearInterval(beats);
      beats = undefined;
    },
    spoke() {
      spokeAt = Date.now();
    },
  };
}
