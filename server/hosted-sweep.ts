/** Frees what a hosted plane's stores keep for nothing: blobs, manifests and old logs. */
import type { PruneAnswer } from '../contract/api.ts';
import type { S3Sweep } from './adapters/s3/sweep.ts';
import type { Duty } from './duties.ts';
import { keptDeployments } from './kept-deployments.ts';
import { removeOldLogs } from './old-logs.ts';
import type { Plane } from './plane.ts';

/** Logs of deployments that ended this long ago, and were not live lately, are freed. */
const oldLogMs = 90 * 24 * 3600_000;
/** A run that has these to do for the first time does not take all day. */
const logsPerRun = 1_000;

/** Sweeps every project, one after the other, and says how much was freed. */
export async function sweepStores(plane: Plane, sweep: S3Sweep): Promise<PruneAnswer> {
  const projects = await plane.database.query
    .selectFrom('projects')
    .select(['id', 'bucket_location'])
    .execute();
  let files = 0;
  for (const { id, bucket_location } of projects) {
    plane.ending.throwIfAborted();
    // Just before: a sweep of many projects takes hours, in which others become live.
    const kept = (await keptDeployments(plane, id)).get(id) ?? new Set();
    const figures = await sweep({
      project: id,
      region: bucket_location,
      kept,
      longestBuildMs: plane.settings.timeLimitMs + plane.settings.startLimitMs,
      now: plane.now(),
    });
    files += figures.freedBytes;
  }
  const kept = await keptDeployments(plane);
  const logs = await removeOldLogs(plane, {
    kept: new Set([...kept.values()].flatMap((set) => [...set])),
    olderThanMs: oldLogMs,
    most: logsPerRun,
  });
  const parts = [
    { what: 'files of old deployments', freedBytes: files },
    { what: 'logs older than 90 days', freedBytes: logs },
  ];
  return { freedBytes: files + logs, parts };
}

/** The sweep as a duty: every six hours, by one replica. */
export function sweepDuty(sweep: S3Sweep): Duty {
  return {
    name: 'sweep',
    everyMs: 6 * 3600_000,
    async run(plane) {
      await sweepStores(plane, sweep);
    },
  };
}
