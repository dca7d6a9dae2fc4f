/** Pure decisions about publications: who goes next, what one changes, how a site is checked. */
import type { PublicationFigures } from '../contract/api.ts';
import type { Manifest } from '../contract/manifest.ts';

/** For how long, and for how many deployments at least, fingerprinted files of what was live stay reachable. */
export const retention = { ms: 24 * 3600_000, deployments: 2 } as const;

/**
 * Of the publications that wait for a target: the one to run, and those that never start because they were asked for
 * before what is live, or before the one that runs now.
 */
export function nextPublication<P extends { order: number }>(
  waiting: readonly P[],
  liveOrder: number,
): { run: P | undefined; outrun: P[] } {
  const newest = waiting.reduce<P | undefined>(
    (best, p) => (best && best.order > p.order ? best : p),
    undefined,
  );
  if (!newest || newest.order < liveOrder) return { run: undefined, outrun: [...waiting] };
  return { run: newest, outrun: waiting.filter((publication) => publication !== newest) };
}

/**
 * The deployments that were live lately, newest first, of the publications that made something live (newest first too).
 * What counts is when one stopped being live, which is when the next one came: its tabs are open since before then.
 */
export function recentlyLive(
  done: readonly { deployment_id: string; finished_at: Date | null }[],
  now: number,
): string[] {
  const recent: string[] = [];
  for (const [index, { deployment_id }] of done.entries()) {
    const replacedAt = done[index - 1]?.finished_at?.getTime() ?? now;
    const young = now - replacedAt < retention.ms;
    if (!young && recent.length >= retention.deployments) break;
    if (!recent.includes(deployment_id)) recent.push(deployment_id);
  }
  return recent;
}

/** What changes when `after` takes the place of `before`. */
export function compareManifests(
  before: Manifest | null,
  after: Manifest,
): Pick<PublicationFigures, 'files' | 'bytes' | 'changed' | 'removed'> {
  const old = before?.files ?? {};
  const entries = Object.entries(after.files);
  return {
    files: entries.length,
    bytes: entries.reduce((sum, [, file]) => sum + file.bytes, 0),
    changed: entries.filter(([path, file]) => old[path]?.blob !== file.blob).length,
    removed: Object.keys(old).filter((path) => after.files[path] === undefined).length,
  };
}

/** The document by which a published site is checked: the root, else the first HTML file. Null when there is none. */
export function documentToCheck(manifest: Manifest): { path: string; blob: string } | null {
  const root = manifest.files['index.html'];
  if (root) return { path: '/', blob: root.blob };
  const first = Object.keys(manifest.files)
    .filter((path) => path.endsWith('.html'))
    .sort()[0];
  const file = first === undefined ? undefined : manifest.files[first];
  if (first === undefined || !file) return null;
  return { path: `/${first.split('/').map(encodeURIComponent).join('/')}`, blob: file.blob };
}
