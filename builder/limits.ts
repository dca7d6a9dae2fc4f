/** The limits within which install and build must end. */
import { SphereError } from '../contract/errors.ts';
import { watchDisk } from './command/disk-watch.ts';
import { toolEnvironment } from './command/environment.ts';
import type { BuildContext } from './context.ts';
import { duration } from './wording.ts';

export type BuildLimits = {
  signal: AbortSignal;
  /** What was thrown since, as it should be reported. */
  explain(error: unknown): Promise<unknown>;
  clear(): void;
};

/** What ends install and build: the attempt's own end, the time, a disk that fills. */
export async function limitBuild(context: BuildContext): Promise<BuildLimits> {
  const { config } = context;
  const time = limitTime(context);
  const disk = await watchDisk({
    directory: config.workDirectory,
    environment: toolEnvironment(config.machine),
  });
  return {
    signal: AbortSignal.any([time.signal, disk.signal]),
    explain: disk.explain,
    clear: () => {
      time.clear();
      disk.stop();
    },
  };
}

/** One limit for install and build together, from the start of the first. */
function limitTime({ spec, signal }: BuildContext): { signal: AbortSignal; clear: () => void } {
  const limit = new AbortController();
  const own = spec.build.limits?.minutes;
  const raise = own === undefined ? '' : ' "limits" in sphere.json can be raised.';
  const timer = setTimeout(() => {
    limit.abort(
      new SphereError(
        'BUILD_TIMED_OUT',
        `Install and build took longer than ${duration(spec.timeLimitMs)}, and were stopped.`,
        {
          hint: `Look in the log for what it was doing. A command that watches for changes never ends.${raise}`,
        },
      ),
    );
  }, spec.timeLimitMs);
  return { signal: AbortSignal.any([signal, limit.signal]), clear: () => clearTimeout(timer) };
}
