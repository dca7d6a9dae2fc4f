/** What a deployment came to, in words. Pure. */
import type { Deployment } from '../contract/api.ts';
import { LIVE } from '../contract/words.ts';
import { bytes, count, duration } from './format.ts';
import { commitText } from './git-state.ts';

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

/** What is not said of where the time went, in milliseconds. */
const leastSaid = { phase: 50, starting: 500 };

/**
 * Where the time went, phase by phase. `totalMs` is what the person waited: the rest went before there was a deployment,
 * for packing, sending, or starting a plane.
 */
export function timeLine(deployment: Deployment, totalMs: number): string {
  const spent = new Map<string, number>();
  for (const { phase, durationMs } of deployment.phases) {
    spent.set(phase, (spent.get(phase) ?? 0) + (durationMs ?? 0));
  }
  const before = totalMs - [...spent.values()].reduce((sum, ms) => sum + ms, 0);
  const parts = [
    ...(before >= leastSaid.starting ? [`starting ${duration(before)}`] : []),
    ...[...spent].filter(([, ms]) => ms >= leastSaid.phase).map(([phase, ms]) => `${phase} ${duration(ms)}`),
  ];
  return `Took ${duration(totalMs)}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

/** A deployment's source in a few words. */
export function sourceText({ source }: Pick<Deployment, 'source'>): string {
  if (source.kind === 'git') return `${source.ref ?? 'HEAD'} ${source.commit.slice(0, 7)}`;
  const { git } = source;
  const what = source.kind === 'prebuilt' ? 'prebuilt' : 'upload';
  return git ? `${what} of ${commitText(git)}` : `${what} ${source.digest.slice(0, 7)}`;
}

/** Everything that is known of where a deployment's source is from, as rows of name and value. */
export function sourceRows(deployment: Pick<Deployment, 'source'>): [name: string, value: string][] {
  const { source } = deployment;
  const text = sourceText(deployment);
  const git = source.kind === 'git' ? source : source.git;
  const unpushed = git && 'unpushed' in git && git.unpushed ? count(git.unpushed, 'commit') : null;
  const run = source.ci;
  return [
    ['source', source.kind === 'git' ? `${source.repository} ${text}` : text],
    ...(git ? [['commit', git.commit] as [string, string]] : []),
    ...(git?.branch ? [['branch', git.branch] as [string, string]] : []),
    ...(git?.author ? [['author', git.author] as [string, string]] : []),
    ...(unpushed ? [['unpushed', unpushed] as [string, string]] : []),
    ...(run ? [['run', [run.service, run.url].filter(Boolean).join(' ')] as [string, string]] : []),
    ...(run?.pullRequest ? [['pull request', `#${run.pullRequest}`] as [string, string]] : []),
  ];
}

/** Where a deployment was published: its target, and whether it was promoted from there. */
export function targetText({ target, liveOn }: Pick<Deployment, 'target' | 'liveOn'>): string {
  return target !== LIVE && liveOn?.includes(LIVE) ? `${target}, promoted` : target;
}

/** A deployment's status with its reason, and where it is served: `ready, live, on next`. */
export function statusText({
  status,
  reason,
  liveOn,
}: Pick<Deployment, 'status' | 'reason' | 'liveOn'>): string {
  const previews = liveOn.filter((target) => target !== LIVE);
  const served = [
    ...(liveOn.includes(LIVE) ? ['live'] : []),
    ...(previews.length > 0 ? [`on ${previews.join(', ')}`] : []),
  ];
  if (served.length > 0) return [status, ...served].join(', ');
  return reason ? `${status} (${reason.replaceAll('_', ' ')})` : status;
}
