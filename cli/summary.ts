/** What a deployment came to, in words. Pure. */
import type { Deployment } from '../contract/api.ts';
import { LIVE } from '../contract/words.ts';
import { bytes, count, duration } from './format.ts';

/** What was published: files and bytes, how many changed, how many were there already. Null where unknown. */
export function publishedLine(deployment: Deployment): string | null {
  const { figures } = deployment;
  if (!figures) return null;
  const parts = [
    `${figures.changed.toLocaleString('en-US')} changed`,
    `${(figures.files - figures.changed).toLocaleString('en-US')} reused`,
    ...(figures.removed > 0 ? [`${figures.removed.toLocaleString('en-US')} removed`] : []),
  ];
  const sent = figures.uploaded > 0 ? `; uploaded ${bytes(figures.uploadedBytes)}` : '; nothing uploaded';
  return `Published ${count(figures.files, 'file')}, ${bytes(figures.bytes)}: ${parts.join(', ')}${sent}.`;
}

/** Where the time went, phase by phase; what took under 50 ms is left out. `totalMs` is what the person waited. */
export function timeLine(deployment: Deployment, totalMs: number): string {
  const spent = new Map<string, number>();
  for (const { phase, durationMs } of deployment.phases) {
    spent.set(phase, (spent.get(phase) ?? 0) + (durationMs ?? 0));
  }
  const parts = [...spent].filter(([, ms]) => ms >= 50).map(([phase, ms]) => `${phase} ${duration(ms)}`);
  return `Took ${duration(totalMs)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

/** A deployment's source in a few words. */
export function sourceText({ source }: Pick<Deployment, 'source'>): string {
  if (source.kind === 'git') return `${source.ref ?? 'HEAD'} ${source.commit.slice(0, 7)}`;
  const { git } = source;
  const what = source.kind === 'prebuilt' ? 'prebuilt' : 'upload';
  if (!git) return `${what} ${source.digest.slice(0, 7)}`;
  return `${what} of ${git.branch ?? 'HEAD'} ${git.commit.slice(0, 7)}${git.dirty ? ' with changes' : ''}`;
}

/** Where a deployment was published: its target, and whether it was promoted from there. */
export function targetText({ target, liveOn }: Pick<Deployment, 'target' | 'liveOn'>): string {
  return target !== LIVE && liveOn?.includes(LIVE) ? `${target}, promoted` : target;
}

/** A deployment's status with its reason, and whether it is live. */
export function statusText({ status, reason, live }: Pick<Deployment, 'status' | 'reason' | 'live'>): string {
  if (live) return `${status}, live`;
  return reason ? `${status} (${reason.replaceAll('_', ' ')})` : status;
}
