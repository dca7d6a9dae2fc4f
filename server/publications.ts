/** Publications: rows that are claimed one per target, carried out by the site store, and finished in one transaction. */
import type { Selectable, Transaction } from 'kysely';
import type { ErrorBody } from '../contract/errors.ts';
import type { Manifest } from '../contract/manifest.ts';
import { type Attempt, onBuiltAttempt } from './attempts.ts';
import type { PublicationTable, Tables } from './database/tables.ts';
import { nextStatus } from './deployment-status.ts';
import { type DeploymentRow, endDeployment, lockDeployment, sayEnd } from './deployments.ts';
import { newId } from './keys.ts';
import { endPhases, enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import { compareManifests, nextPublication, recentlyLive } from './publication-plan.ts';
import { checkServed, type Seen } from './served-document.ts';

export type PublicationRow = Selectable<PublicationTable>;

/** Asks for the publication of what an attempt has built. Repeating it changes nothing. */
export async function requestPublication(
  plane: Plane,
  attempt: Attempt,
  built: { uploaded: number; uploadedBytes: number; warnings: string[]; manifest: Manifest },
): Promise<void> {
  await onBuiltAttempt(plane, attempt, async (trx, row) => {
    const now = plane.now();
    const asked = await trx
      .selectFrom('publications')
      .select('id')
      .where('deployment_id', '=', row.id)
      .where('kind', '=', 'deploy')
      .executeTakeFirst();
    if (asked) return;
    const figures = {
      ...compareManifests(null, built.manifest),
      uploaded: built.uploaded,
      uploadedBytes: built.uploadedBytes,
    };
    await trx
      .updateTable('deployments')
      .set({
        phase: 'publish',
        phases: JSON.stringify(enterPhase(row.phases, 'publish', now)),
        warnings: JSON.stringify(built.warnings),
        figures: JSON.stringify(figures),
        git_token: null,
        updated_at: new Date(now),
      })
      .where('id', '=', row.id)
      .execute();
    await insertPublication(trx, row, 'deploy', row.order, now);
  });
  plane.wake();
}

/** Adds a waiting publication of `row` with its place in the target's order. */
export async function insertPublication(
  trx: Transaction<Tables>,
  row: Pick<DeploymentRow, 'id' | 'project_id' | 'target'>,
  kind: PublicationRow['kind'],
  order: number,
  now: number,
): Promise<string> {
  const id = newId('pub');
  await trx
    .insertInto('publications')
    .values({
      id,
      project_id: row.project_id,
      target: row.target,
      deployment_id: row.id,
      kind,
      order,
      state: 'waiting',
      created_at: new Date(now),
    })
    .execute();
  return id;
}

type Claimed = { publication: PublicationRow | undefined; outrun: DeploymentRow[] };

/** Runs every publication that may run now. Returns when none is left that this process could claim. */
export async function runPublications(plane: Plane): Promise<void> {
  const targets = await plane.database.query
    .selectFrom('publications')
    .select(['project_id', 'target'])
    .distinct()
    .where('state', '=', 'waiting')
    .execute();
  await Promise.all(
    targets.map(async (target) => {
      const claimed = await plane.database.transaction((trx) => claimPublication(plane, trx, target));
      for (const row of claimed.outrun) {
        await sayEnd(plane, row, 'publish', 'Not published: what is live now was asked for later.');
      }
      if (claimed.publication) await carryOut(plane, claimed.publication);
    }),
  );
  await resumePublications(plane);
}

/** Carries out what is marked as running and is in nobody's hands: even its failure could not be written down. */
async function resumePublications(plane: Plane): Promise<void> {
  const running = await plane.database.query
    .selectFrom('publications')
    .selectAll()
    .where('state', '=', 'running')
    .execute();
  for (const publication of running) await carryOut(plane, publication);
}

async function claimPublication(
  plane: Plane,
  trx: Transaction<Tables>,
  { project_id, target }: { project_id: string; target: string },
): Promise<Claimed> {
  const place = await trx
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project_id)
    .where('name', '=', target)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const rows = await trx
    .selectFrom('publications')
    .selectAll()
    .where('project_id', '=', project_id)
    .where('target', '=', target)
    .where((eb) =>
      eb.or([eb('state', 'in', ['waiting', 'running']), eb('id', '=', place.live_publication_id ?? '')]),
    )
    .execute();
  if (rows.some((row) => row.state === 'running')) return { publication: undefined, outrun: [] };
  const now = plane.now();
  const liveOrder = rows.find((row) => row.id === place.live_publication_id)?.order ?? 0;
  const { run, outrun } = nextPublication(
    rows.filter((row) => row.state === 'waiting'),
    liveOrder,
  );
  const ended: DeploymentRow[] = [];
  for (const publication of outrun) {
    await finish(trx, publication, 'outrun', now);
    const row =
      publication.kind === 'deploy' ? await lockDeployment(trx, publication.deployment_id) : undefined;
    if (row?.deployment_status !== 'building') continue;
    const error = { code: 'DEPLOYMENT_OUTRUN' as const, message: 'what is live now was asked for later' };
    await endDeployment(trx, row, 'cancel', { reason: 'outrun', error }, now);
    ended.push(row);
  }
  if (!run) return { publication: undefined, outrun: ended };
  await trx
    .updateTable('publications')
    .set({
      state: 'running',
      started_at: new Date(now),
      lease_owner: plane.id,
      lease_expires_at: new Date(now + plane.settings.leaseMs),
    })
    .where('id', '=', run.id)
    .execute();
  return { publication: run, outrun: ended };
}

async function finish(
  trx: Transaction<Tables>,
  publication: Pick<PublicationRow, 'id'>,
  state: 'done' | 'outrun' | 'failed',
  now: number,
): Promise<void> {
  await trx
    .updateTable('publications')
    .set({ state, finished_at: new Date(now), lease_owner: null, lease_expires_at: null })
    .where('id', '=', publication.id)
    .execute();
}

/** Publishes, moves live and settles the deployment. Every step may be repeated after an interruption. */
export async function carryOut(plane: Plane, publication: PublicationRow): Promise<void> {
  if (plane.publishing.has(publication.id)) return;
  plane.publishing.add(publication.id);
  try {
    const before = await liveManifest(plane, publication);
    const manifest = await publishFiles(plane, publication);
    const change = compareManifests(before, manifest);
    await plane.database.transaction(async (trx) => {
      await finish(trx, publication, 'done', plane.now());
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
    await settle(plane, publication, manifest);
  } catch (error) {
    plane.report(`the publication ${publication.id} failed`, error);
    await failPublication(plane, publication, error as Error);
  } finally {
    plane.publishing.delete(publication.id);
  }
  plane.wake();
}

/** Finishes a publication after which live had moved when an earlier process was killed. */
export async function finishSettling(plane: Plane, publication: PublicationRow, slug: string): Promise<void> {
  try {
    await settle(plane, publication, await plane.sites.getManifest(slug, publication.deployment_id));
  } catch (error) {
    await failPublication(plane, publication, error as Error);
  }
}

async function publishFiles(
  plane: Plane,
  publication: Pick<PublicationRow, 'project_id' | 'target' | 'deployment_id' | 'order'>,
): Promise<Manifest> {
  const { slug } = await plane.database.query
    .selectFrom('projects')
    .select('slug')
    .where('id', '=', publication.project_id)
    .executeTakeFirstOrThrow();
  const done = await plane.database.query
    .selectFrom('publications')
    .select(['deployment_id', 'finished_at'])
    .where('project_id', '=', publication.project_id)
    .where('target', '=', publication.target)
    .where('state', '=', 'done')
    .orderBy('order', 'desc')
    .limit(50)
    .execute();
  const recent = recentlyLive(done, plane.now()).filter((id) => id !== publication.deployment_id);
  await plane.sites.publish({
    project: slug,
    target: publication.target,
    deployment: publication.deployment_id,
    order: publication.order,
    recent,
  });
  return plane.sites.getManifest(slug, publication.deployment_id);
}

async function liveManifest(plane: Plane, publication: PublicationRow): Promise<Manifest | null> {
  const live = await plane.database.query
    .selectFrom('targets')
    .innerJoin('publications', 'publications.id', 'targets.live_publication_id')
    .innerJoin('projects', 'projects.id', 'targets.project_id')
    .select(['publications.deployment_id', 'projects.slug'])
    .where('targets.project_id', '=', publication.project_id)
    .where('targets.name', '=', publication.target)
    .executeTakeFirst();
  return live ? plane.sites.getManifest(live.slug, live.deployment_id).catch(() => null) : null;
}

/** Live has moved: check what is served, and end a deployment that was building as `ready`. */
async function settle(plane: Plane, publication: PublicationRow, manifest: Manifest): Promise<void> {
  const row = await plane.database.query
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', publication.deployment_id)
    .executeTakeFirstOrThrow();
  if (row.deployment_status !== 'building') return;
  const seen = await lookAtSite(plane, publication, row, manifest);
  if (seen.outcome === 'mismatch') throw new Error(seen.message);
  const ready = await plane.database.transaction(async (trx) => {
    const current = await lockDeployment(trx, row.id);
    if (current?.deployment_status !== 'building') return undefined;
    const now = plane.now();
    return trx
      .updateTable('deployments')
      .set({
        deployment_status: nextStatus(current.deployment_status, 'publish'),
        phases: JSON.stringify(endPhases(current.phases, now)),
        warnings: JSON.stringify([
          ...current.warnings,
          ...(seen.outcome === 'unreachable' ? [seen.message] : []),
        ]),
        finished_at: new Date(now),
        updated_at: new Date(now),
        lease_owner: null,
        lease_expires_at: null,
        ...(current.runner && !current.stopped_at ? { stop_requested_at: new Date(now) } : {}),
      })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirst();
  });
  if (!ready) return;
  const { figures } = ready;
  const files = figures?.files === 1 ? '1 file' : `${figures?.files ?? 0} files`;
  const text = `Published ${files} (${figures?.changed ?? 0} changed, ${figures?.removed ?? 0} removed).`;
  await sayEnd(plane, row, 'publish', text);
}

/** A mismatch counts when it is seen twice, and while this publication is what is live: another may follow at once. */
async function lookAtSite(
  plane: Plane,
  publication: PublicationRow,
  row: DeploymentRow,
  manifest: Manifest,
): Promise<Seen> {
  const address = plane.addresses.direct(row.project_slug);
  let seen = await checkServed(address, manifest);
  if (seen.outcome === 'mismatch') seen = await checkServed(address, manifest);
  if (seen.outcome !== 'mismatch') return seen;
  const { live_publication_id } = await plane.database.query
    .selectFrom('targets')
    .select('live_publication_id')
    .where('project_id', '=', publication.project_id)
    .where('name', '=', publication.target)
    .executeTakeFirstOrThrow();
  return live_publication_id === publication.id ? seen : { outcome: 'same' };
}

/** The store may have been switched already: it is put back to what the records call live. */
async function restoreLive(plane: Plane, publication: PublicationRow): Promise<void> {
  const place = await plane.database.query
    .selectFrom('targets')
    .innerJoin('projects', 'projects.id', 'targets.project_id')
    .select(['targets.live_publication_id', 'projects.slug'])
    .where('targets.project_id', '=', publication.project_id)
    .where('targets.name', '=', publication.target)
    .executeTakeFirstOrThrow();
  if (place.live_publication_id === publication.id) return;
  if (place.live_publication_id === null) return plane.sites.unpublish(place.slug, publication.target);
  const live = await plane.database.query
    .selectFrom('publications')
    .selectAll()
    .where('id', '=', place.live_publication_id)
    .executeTakeFirstOrThrow();
  await publishFiles(plane, live);
}

async function failPublication(plane: Plane, publication: PublicationRow, cause: Error): Promise<void> {
  const error: ErrorBody = {
    code: 'PUBLISH_FAILED',
    message: `publishing failed: ${cause.message}`,
    hint: 'Deploy again; to go back to what was live before: `sphere rollback`.',
  };
  await restoreLive(plane, publication);
  const ended = await plane.database.transaction(async (trx) => {
    const current = await trx
      .selectFrom('publications')
      .select('state')
      .where('id', '=', publication.id)
      .forUpdate()
      .executeTakeFirst();
    if (current?.state === 'running') await finish(trx, publication, 'failed', plane.now());
    const row = await lockDeployment(trx, publication.deployment_id);
    if (row?.deployment_status !== 'building') return undefined;
    await endDeployment(trx, row, 'fail', { reason: 'publish_failed', error }, plane.now());
    return row;
  });
  if (ended) await sayEnd(plane, ended, 'publish', `Failed: ${error.message}`);
}
