/** Carrying out a publication that this process has claimed. Every step may be repeated after an interruption. */
import type { Transaction } from 'kysely';
import type { ErrorBody } from '../contract/errors.ts';
import type { Manifest } from '../contract/manifest.ts';
import { LIVE } from '../contract/words.ts';
import type { Tables } from './database/tables.ts';
import { endDeployment, findManifest, lockDeployment, publishedManifest, sayEnd } from './deployments.ts';
import type { Plane } from './plane.ts';
import type { Site, SitePublication } from './ports.ts';
import { historyBefore, manifestOf } from './publication-history.ts';
import { givePublicationBack, holdPublication, type PublicationLease } from './publication-lease.ts';
import { compareManifests } from './publication-plan.ts';
import { finishPublication, lockTarget, type PublicationRow } from './publications.ts';
import { ServedWrongly, settle } from './settle.ts';

/** For how long it is tried to put back what was live before a publication that failed, in milliseconds. */
const restoreForMs = 120_000;

/** For how long a publication may be written. */
type Within = Pick<SitePublication, 'signal' | 'until'>;

/** Publishes, moves live and settles the deployment. A failure is written down; a lost lease leaves it to its new holder. */
export async function carryOut(plane: Plane, publication: PublicationRow): Promise<void> {
  if (plane.publishing.has(publication.id)) return;
  plane.publishing.add(publication.id);
  try {
    const lease = await holdPublication(plane, publication.id);
    if (lease === null) return;
    await carryOutWithin(plane, publication, lease);
  } finally {
    plane.publishing.delete(publication.id);
  }
  plane.wake();
}

async function carryOutWithin(
  plane: Plane,
  publication: PublicationRow,
  lease: PublicationLease,
): Promise<void> {
  try {
    const site = await siteOfPublication(plane, publication);
    const manifest = await publishFiles(plane, publication, site, lease);
    await moveLive(plane, publication, site, manifest);
    lease.release();
    await settleLive(plane, publication, manifest);
  } catch (error) {
    if (lease.signal.aborted || Date.now() >= lease.until()) {
      return await leave(plane, publication, lease.signal.reason ?? error);
    }
    plane.report(`the publication ${publication.id} failed`, error);
    await failPublication(plane, publication, error as Error, lease);
  } finally {
    lease.release();
  }
}

/** Finishes a publication after which live had moved when its process was gone. Throws what `settle` does of itself. */
export async function finishSettling(plane: Plane, publication: PublicationRow): Promise<void> {
  const site = await siteOfPublication(plane, publication);
  const manifest = await findManifest(plane.sites, site, await manifestOf(plane, publication));
  await settleOrFail(plane, publication, manifest);
}

/** What is live is so, whatever goes wrong from here on: it is settled by the next look (`settleLeft`). */
async function settleLive(plane: Plane, publication: PublicationRow, manifest: Manifest): Promise<void> {
  try {
    await settleOrFail(plane, publication, manifest);
  } catch (error) {
    plane.report(`${publication.deployment_id} is live, and could not be settled yet`, error);
  }
}

async function settleOrFail(
  plane: Plane,
  publication: PublicationRow,
  manifest: Manifest | null,
): Promise<void> {
  try {
    await settle(plane, publication, manifest);
  } catch (error) {
    if (!(error instanceof ServedWrongly)) throw error;
    await failDeployment(plane, publication, error, async () => true);
  }
}

async function leave(plane: Plane, publication: PublicationRow, reason: unknown): Promise<void> {
  plane.report(`the publication ${publication.id} is left to another process`, reason);
  await givePublicationBack(plane, publication.id);
}

async function siteOfPublication(plane: Plane, publication: PublicationRow): Promise<Site> {
  const { slug, bucket_location } = await plane.database.query
    .selectFrom('projects')
    .select(['slug', 'bucket_location'])
    .where('id', '=', publication.project_id)
    .executeTakeFirstOrThrow();
  return {
    project: publication.project_id,
    slug,
    region: bucket_location,
    target: publication.target,
  };
}

async function publishFiles(
  plane: Plane,
  publication: PublicationRow,
  site: Site,
  { signal, until }: Within,
): Promise<Manifest> {
  const [history, deployment] = await Promise.all([
    historyBefore(plane, publication),
    manifestOf(plane, publication),
  ]);
  await plane.sites.publish({
    site,
    deployment,
    order: publication.order,
    ...history,
    signal,
    until,
  });
  signal.throwIfAborted();
  return plane.sites.getManifest(site, deployment);
}

/** The records follow the store. Throws when another process has taken the publication over. */
async function moveLive(
  plane: Plane,
  publication: PublicationRow,
  site: Site,
  manifest: Manifest,
): Promise<void> {
  const before = await liveManifest(plane, publication, site);
  const change = compareManifests(before, manifest);
  await plane.database.transaction(async (trx) => {
    await lockTarget(trx, publication.project_id, publication.target);
    const { state, lease_owner } = await stateOf(trx, publication);
    if (state !== 'running' || lease_owner !== plane.id)
      throw new Error('another process carries out this publication');
    await finishPublication(trx, publication, 'done');
    await trx
      .updateTable('targets')
      .set({ live_publication_id: publication.id })
      .where('project_id', '=', publication.project_id)
      .where('name', '=', publication.target)
      .execute();
    const row = await lockDeployment(trx, publication.deployment_id);
    if (row?.deployment_status !== 'building') return;
    const figures = { uploaded: 0, uploadedBytes: 0, ...row.figures, ...change };
    await trx
      .updateTable('deployments')
      .set({ figures: JSON.stringify(figures) })
      .where('id', '=', row.id)
      .execute();
  });
}

/** The publication as it stands, locked until the transaction ends. */
async function stateOf(
  trx: Transaction<Tables>,
  publication: PublicationRow,
): Promise<Pick<PublicationRow, 'state' | 'lease_owner'>> {
  return trx
    .selectFrom('publications')
    .select(['state', 'lease_owner'])
    .where('id', '=', publication.id)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

async function liveManifest(plane: Plane, publication: PublicationRow, site: Site): Promise<Manifest | null> {
  const live = await plane.database.query
    .selectFrom('targets')
    .innerJoin('publications', 'publications.id', 'targets.live_publication_id')
    .select(publishedManifest.as('manifest'))
    .where('targets.project_id', '=', publication.project_id)
    .where('targets.name', '=', publication.target)
    .executeTakeFirst();
  return live ? plane.sites.getManifest(site, live.manifest).catch(() => null) : null;
}

/** The store may have been changed already: it is put back to what the records call live. */
async function restoreLive(plane: Plane, publication: PublicationRow, within: Within): Promise<void> {
  const { live_publication_id: id } = await plane.database.query
    .selectFrom('targets')
    .select('live_publication_id')
    .where('project_id', '=', publication.project_id)
    .where('name', '=', publication.target)
    .executeTakeFirstOrThrow();
  if (id === publication.id) return;
  const site = await siteOfPublication(plane, publication);
  if (id === null) {
    const { recent, unfinished } = await historyBefore(plane, publication);
    const was = { live: null, recent, unfinished: [...unfinished, await manifestOf(plane, publication)] };
    return plane.sites.unpublish(site, was, within);
  }
  const live = await plane.database.query
    .selectFrom('publications')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  await publishFiles(plane, live, site, within);
}

async function failPublication(
  plane: Plane,
  publication: PublicationRow,
  cause: Error,
  within: Within,
): Promise<void> {
  await restoreLive(plane, publication, within).catch((failure: unknown) => {
    // It is tried again, but not for ever: the next publication repairs what an unfinished one has left.
    const young = plane.now() - (publication.started_at?.getTime() ?? 0) < restoreForMs;
    if (young || within.signal.aborted) throw failure;
    plane.report(`what ${publication.id} has left half-way could not be put back`, failure);
  });
  await failDeployment(plane, publication, cause, async (trx) => {
    const { state, lease_owner } = await stateOf(trx, publication);
    // Another process carries it out by now, or it is done: the answer to that may have been lost with a connection.
    if (state !== 'running' || lease_owner !== plane.id) return false;
    await finishPublication(trx, publication, 'failed');
    return true;
  });
}

/** Ends the deployment with `cause`, if `holds` says so in the same transaction. */
async function failDeployment(
  plane: Plane,
  publication: PublicationRow,
  cause: Error,
  holds: (trx: Transaction<Tables>) => Promise<boolean>,
): Promise<void> {
  const error: ErrorBody = {
    code: 'PUBLISH_FAILED',
    message: `publishing failed: ${cause.message}`,
    hint: `Deploy again${publication.target === LIVE ? '; to go back to what was live before: `sphere rollback`' : ''}.`,
  };
  const ended = await plane.database.transaction(async (trx) => {
    if (!(await holds(trx))) return undefined;
    const row = await lockDeployment(trx, publication.deployment_id);
    if (row?.deployment_status !== 'building') return undefined;
    await endDeployment(trx, row, 'fail', { reason: 'publish_failed', error }, plane.now());
    return row;
  });
  if (ended) await sayEnd(plane, ended, 'publish', `Failed: ${error.message}`);
}
