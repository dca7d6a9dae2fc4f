/** Carries out the publication of a site: reads the history, plans, and writes with many requests at once. */
import { setMaxListeners } from 'node:events';
import {
  PutBucketWebsiteCommand,
  PutObjectCommand,
  type Redirect,
  type RoutingRule as S3RoutingRule,
  type WebsiteConfiguration,
} from '@aws-sdk/client-s3';
import { SphereError } from '../../../contract/errors.ts';
import type { Manifest } from '../../../contract/manifest.ts';
import { forEachBounded } from '../../../files/bounded.ts';
import type { ArtifactStore, Site, SitePublication } from '../../ports.ts';
import { artifactKeys } from './artifact-bucket.ts';
import { removeKeys } from './artifacts.ts';
import { concurrency, type S3 } from './client.ts';
import { type Fence, sendFenced } from './fence.ts';
import { type Footprint, footprintOfBeginning, readFootprint } from './footprint.ts';
import type { Manifests } from './manifests.ts';
import type { ObjectWriter } from './object-writer.ts';
import {
  changesNothing,
  planSitePublication,
  type SiteHistory,
  type SitePublicationPlan,
  type Write,
} from './publication-plan.ts';
import { nameOf } from './retry.ts';
import type { Website } from './site-objects.ts';
import type { RoutingRule } from './site-redirects.ts';

/** Where a publication reads from and writes to. */
export type Places = {
  bucket: string;
  artifactBucket: string;
  artifacts: ArtifactStore;
  manifests: Manifests;
  writer: ObjectWriter;
};

/** Makes the bucket serve `publication.deployment`. Stops at once and throws when it may write no more. */
export async function publishSite(s3: S3, places: Places, publication: SitePublication): Promise<void> {
  const { site, deployment } = publication;
  const { project, region } = site;
  const footprintKey = artifactKeys.footprint(project, places.bucket);
  const [manifest, before] = await Promise.all([
    places.manifests.get(project, region, deployment),
    readFootprint(places.artifacts, footprintKey),
  ]);
  const history = await readHistory(s3, places, site, { ...publication, footprint: before });
  const plan = planSitePublication(history, manifest);
  const keep = (footprint: Footprint, last: Footprint | null) =>
    JSON.stringify(footprint) === JSON.stringify(last)
      ? Promise.resolve()
      : writeFootprint(s3, places, { region, key: footprintKey, footprint }, publication);

  const beginning = changesNothing(plan) ? before : footprintOfBeginning(before, deployment);
  if (beginning) await keep(beginning, before);
  await carryOut(s3, places, site, plan, publication);
  const left = lately(publication).filter((id) => id !== deployment);
  await keep({ deployment, left, begun: [] }, beginning);
}

async function writeFootprint(
  s3: S3,
  { artifactBucket }: Places,
  what: { region: string; key: string; footprint: Footprint },
  fence: Fence,
): Promise<void> {
  const Body = Buffer.from(JSON.stringify(what.footprint));
  await s3.call(
    what.region,
    (client, options) => {
      const put = new PutObjectCommand({ Bucket: artifactBucket, Key: what.key, Body, ...s3.owner });
      return sendFenced(s3, what.region, put, fence, (fenced) => client.send(fenced, options));
    },
    fence.signal,
  );
}

/** What was live until now, and what was before, newest first. */
function lately({ live, recent }: Pick<SitePublication, 'live' | 'recent'>): string[] {
  return [...new Set([...(live === null ? [] : [live]), ...recent])];
}

/**
 * The manifests of all that may lie in the bucket. Of one that is lost it is said that its files stay. What is live counts
 * as such only where the bucket's own footprint agrees, and no publication that cannot be read any more has begun since:
 * else every key is unknown, and what is called live is one of those that were so lately.
 */
export async function readHistory(
  s3: S3,
  places: Places,
  site: Site,
  was: Pick<SitePublication, 'live' | 'recent' | 'unfinished'> & { footprint: Footprint | null },
): Promise<SiteHistory> {
  const lost = new Set<string>();
  const find = async (deployment: string | null) => {
    if (deployment === null) return null;
    const manifest = await places.manifests.find(site.project, site.region, deployment);
    if (manifest === null) lost.add(deployment);
    return manifest;
  };
  const findAll = (deployments: readonly string[]) => Promise.all(deployments.map(find));
  const { footprint } = was;
  const begun = [...new Set([...was.unfinished, ...(footprint?.begun ?? [])])];
  const [live, recent, unfinished, left, last] = await Promise.all([
    find(was.live),
    findAll(was.recent),
    findAll(begun),
    findAll(footprint?.left ?? []),
    find(footprint?.deployment ?? null),
  ]);
  for (const deployment of lost) {
    s3.options.report(
      `The manifest of ${deployment} is lost: what only it put into ${places.bucket} stays there.`,
    );
  }
  const there = (manifests: readonly (Manifest | null)[]) => manifests.flatMap((manifest) => manifest ?? []);
  const known = footprint !== null && footprint.deployment === was.live && !unfinished.includes(null);
  const certain = known && !left.includes(null);
  return {
    live: known ? live : null,
    recent: there(known ? recent : [live, ...recent]),
    unfinished: there(unfinished),
    left: { manifests: there(certain ? left : [last, ...left]), certain },
  };
}

/** Stage by stage: what a page names is there before the page is, and what old pages name goes after them. */
async function carryOut(
  s3: S3,
  places: Places,
  site: Site,
  plan: SitePublicationPlan,
  fence: Fence,
): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([fence.signal, stop.signal]);
  // Every request listens to it, and more than ten listeners look like a leak to Node.
  setMaxListeners(0, signal);
  const until = () => fence.until();
  for (const { writes } of plan.writes) {
    await forEachBounded(writes, concurrency, async (write) => {
      try {
        await writeObject(places.writer, places, site, write, { signal, until });
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    });
  }
  const { website } = plan;
  if (website !== null) await putWebsite(s3, places, site, website, fence);
  await removeKeys(s3, { region: site.region, bucket: places.bucket, keys: plan.removals }, fence);
}

/** Puts the settings of the bucket as a website. */
export async function putWebsite(
  s3: S3,
  { bucket }: Pick<Places, 'bucket'>,
  { region }: Pick<Site, 'region'>,
  website: Website,
  fence?: Fence,
): Promise<void> {
  await s3.call(
    region,
    (client, options) => {
      const put = new PutBucketWebsiteCommand({
        Bucket: bucket,
        WebsiteConfiguration: websiteConfiguration(website),
        ...s3.owner,
      });
      return sendFenced(s3, region, put, fence, (fenced) => client.send(fenced, options));
    },
    fence?.signal,
  );
}

async function writeObject(
  writer: ObjectWriter,
  places: Places,
  { project, region }: Site,
  { key, object }: Write,
  fence: Fence,
): Promise<void> {
  const { bucket, artifactBucket } = places;
  try {
    await writer.write({ project, region, bucket, artifactBucket, key, object }, fence);
  } catch (error) {
    if (nameOf(error) !== 'NoSuchKey') throw error;
    throw new SphereError('PUBLISH_FAILED', `The content of ${key} is not there any more.`, {
      hint: 'Deploy again.',
      cause: error,
    });
  }
}

/** `website` in S3's words. */
export function websiteConfiguration({ errorDocument, rules }: Website): WebsiteConfiguration {
  return {
    IndexDocument: { Suffix: 'index.html' },
    ...(errorDocument === null ? {} : { ErrorDocument: { Key: errorDocument } }),
    ...(rules.length === 0 ? {} : { RoutingRules: rules.map(routingRule) }),
  };
}

function routingRule(rule: RoutingRule): S3RoutingRule {
  return {
    ...(rule.prefix === '' ? {} : { Condition: { KeyPrefixEquals: rule.prefix } }),
    Redirect: {
      HttpRedirectCode: String(rule.status),
      ...(rule.host === undefined ? {} : { HostName: rule.host }),
      ...(rule.protocol === undefined ? {} : { Protocol: rule.protocol }),
      ...replacement(rule),
    },
  };
}

function replacement(rule: RoutingRule): Pick<Redirect, 'ReplaceKeyPrefixWith' | 'ReplaceKeyWith'> {
  if (!('replacePrefix' in rule)) return { ReplaceKeyWith: rule.replaceKey };
  return rule.replacePrefix === rule.prefix ? {} : { ReplaceKeyPrefixWith: rule.replacePrefix };
}
