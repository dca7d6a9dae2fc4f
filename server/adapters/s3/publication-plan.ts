/**
 * Plans what has to be written so that a bucket serves a manifest. Pure, and one for deploy, rollback and promote: from
 * the history of the bucket to steps in the order in which a visitor may see them.
 */
import type { Manifest } from '../../../contract/manifest.ts';
import {
  compileContent,
  isSameObject,
  isSameWebsite,
  type SiteContent,
  type SiteObject,
  staysForTabs,
  type Website,
} from './site-objects.ts';

/** What may lie in the bucket. */
export type SiteHistory = {
  /** Null when nothing is, and when it is not certain. */
  live: Manifest | null;
  /** Manifests that were live lately, newest first. */
  recent: readonly Manifest[];
  /** Manifests whose publication began and did not finish since. When one is lost, `live` is null. */
  unfinished: readonly Manifest[];
  /**
   * Manifests whose fingerprinted files the last finished publication left beside its own, newest first. `certain`:
   * that publication was live's, and none of them is lost.
   */
  left: { manifests: readonly Manifest[]; certain: boolean };
};

export type Write = { key: string; object: SiteObject };

/** The stages in their order; each is complete before the next begins. Writes of one stage may happen in any order. */
export type SitePublicationPlan = {
  writes: readonly { stage: 'assets' | 'files' | 'pages' | 'redirects'; writes: readonly Write[] }[];
  /** Null when the bucket has these settings already. */
  website: Website | null;
  /** Keys of our own manifests that are to go. */
  removals: readonly string[];
};

/**
 * Plans `manifest`. New assets come first, because pages name them; pages and service workers after all that they name;
 * redirects and the settings of the website, which may lead to new pages, after those; and last goes what only old
 * pages and settings named.
 */
export function planSitePublication(history: SiteHistory, manifest: Manifest): SitePublicationPlan {
  const content = compileContent(manifest);
  const live = history.live ? compileContent(history.live) : null;
  const recent = history.recent.map(compileContent);
  const unfinished = history.unfinished.map(compileContent);
  const left = history.left.manifests.map(compileContent);

  const wanted = new Map(content.objects);
  for (const [key, object] of retainedObjects(live, recent)) {
    if (!wanted.has(key)) wanted.set(key, object);
  }
  const known = knownObjects(live, history.left.certain ? left : [], unfinished);
  const stages: Record<Stage, Write[]> = { assets: [], files: [], pages: [], redirects: [] };
  for (const [key, object] of wanted) {
    if (!isSameObject(known(key), object)) stages[stageOf(key, object)].push({ key, object });
  }
  const sameWebsite =
    live !== null && unfinished.length === 0 && isSameWebsite(live.website, content.website);
  return {
    writes: order.map((stage) => ({ stage, writes: stages[stage] })),
    website: sameWebsite ? null : content.website,
    removals: keysOfHistory(history).filter((key) => !wanted.has(key)),
  };
}

/** Whether the bucket is as it should be already. */
export function changesNothing({ writes, website, removals }: SitePublicationPlan): boolean {
  return website === null && removals.length === 0 && writes.every((stage) => stage.writes.length === 0);
}

/** Every key that a publication of ours may have written. */
export function keysOfHistory({ live, recent, unfinished, left }: SiteHistory): string[] {
  const keys = new Set<string>();
  for (const manifest of [...(live ? [live] : []), ...recent, ...unfinished, ...left.manifests]) {
    for (const key of compileContent(manifest).objects.keys()) keys.add(key);
  }
  return [...keys];
}

type Stage = SitePublicationPlan['writes'][number]['stage'];
const order: readonly Stage[] = ['assets', 'files', 'pages', 'redirects'];

/** Scripts that decide what a browser keeps: they name the other files, as pages do. */
const serviceWorker = /(?:^|\/)(?:[\w-]*(?:service-?worker|-sw)|sw|ngsw-worker)\.m?js$|(?:^|\/)ngsw\.json$/i;

function stageOf(key: string, object: SiteObject): Stage {
  if (object.kind === 'redirect') return 'redirects';
  if (staysForTabs(key, object)) return 'assets';
  const isPage = object.headers.contentType.startsWith('text/html') || /\.x?html?$/i.test(key);
  return isPage || serviceWorker.test(key) ? 'pages' : 'files';
}

/**
 * Fingerprinted files of what was live lately: tabs that are open still ask for them. What is live until now is lately
 * live too. The newest wins.
 */
function retainedObjects(live: SiteContent | null, recent: readonly SiteContent[]): Map<string, SiteObject> {
  const retained = new Map<string, SiteObject>();
  for (const { objects } of [...(live ? [live] : []), ...recent]) {
    for (const [key, object] of objects) {
      if (!retained.has(key) && staysForTabs(key, object)) retained.set(key, object);
    }
  }
  return retained;
}

/**
 * What is certain to lie under a key: what live's publication wrote or left. Publications that did not finish have written some of their keys and pruned some
 * of others': of what they may have touched only that is certain which they had no reason to change.
 */
function knownObjects(
  live: SiteContent | null,
  left: readonly SiteContent[],
  unfinished: readonly SiteContent[],
): (key: string) => SiteObject | undefined {
  if (live === null) return () => undefined;
  const retained = retainedObjects(live, left);
  return (key) => {
    const there = live.objects.get(key);
    if (unfinished.length === 0) return there ?? retained.get(key);
    return unfinished.every(({ objects }) => isSameObject(objects.get(key), there)) ? there : undefined;
  };
}
