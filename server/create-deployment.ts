/** `POST /v1/deployments`: from a pinned source to a row in the queue, in one transaction. */
import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import type { CreateDeployment, CreateDeploymentAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { asker, nothingChanged } from './asked-by.ts';
import { recordChange } from './audit.ts';
import { checkRequest, regionOf, targetOf } from './check-creation.ts';
import type { Tables } from './database/tables.ts';
import {
  type DeploymentRow,
  endDeployment,
  liveDeployments,
  lockDeployment,
  sayEnd,
  viewDeployment,
} from './deployments.ts';
import { ensureProject } from './ensure-project.ts';
import { findByKey, type KeyedRequest, keyedRequest, keyTaken, rememberKey } from './idempotency-keys.ts';
import { newId } from './keys.ts';
import { databaseNow, leaseUntil } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import { environmentVersion } from './project-environment.ts';
import { type ProjectRow, siteOn } from './projects.ts';
import { checkDeployments } from './quotas.ts';
import { openPreview, type TargetRow, takeTarget } from './targets.ts';
import type { Turns } from './turns.ts';

type Created = {
  /** Absent when another request has made the row, under the same key. */
  target?: TargetRow;
  row: DeploymentRow;
  outcome: CreateDeploymentAnswer['outcome'];
  superseded: DeploymentRow[];
};

/**
 * Queues a deployment, or finds that the same thing is live already. `key` (optional) makes a repeated call answer
 * what the first one made. `turns`: this process's at each target, so that whoever waits for one holds no connection.
 * Throws `SLUG_IN_USE`, `SOURCE_UNAVAILABLE`, `IDEMPOTENCY_KEY_REUSED`, `LIMIT_REACHED`, `REQUEST_INVALID`.
 */
export async function createDeployment(
  plane: Plane,
  account: string,
  request: CreateDeployment,
  key: string | undefined,
  turns: Turns,
): Promise<CreateDeploymentAnswer> {
  checkRequest(plane, request);
  const region = regionOf(plane, request);
  const keyed = key === undefined ? null : keyedRequest(account, key, request);
  const known = keyed ? await findByKey(plane, keyed) : undefined;
  if (known) {
    nothingChanged();
    return answerAgain(plane, known);
  }

  if (request.source.kind === 'upload' && !(await plane.sites.hasSource(account, request.source.digest))) {
    throw new SphereError(
      'SOURCE_UNAVAILABLE',
      `the plane has no source ${request.source.digest.slice(0, 12)}`,
      {
        hint: 'Upload it first (POST /v1/sources).',
      },
    );
  }
  const project = await ensureProject(plane, account, request, region);
  const insert = async () => {
    if (request.source.kind === 'prebuilt') await prepareSite(plane, account, project, targetOf(request));
    return plane.database.transaction((trx) =>
      insertDeployment(plane, trx, account, project, request, keyed),
    );
  };
  const created = await turns(project.id, insert).catch(async (error: unknown): Promise<Created> => {
    if (error !== keyTaken || keyed === null) throw error;
    const first = await findByKey(plane, keyed);
    if (!first) throw error;
    return { row: first, outcome: 'created', superseded: [] };
  });
  if (created.target && created.target.name !== LIVE) await openPreview(plane, project, created.target);
  for (const old of created.superseded) {
    await sayEnd(plane, old, 'queue', `Superseded by ${created.row.id} before it started.`);
  }
  plane.wake();
  const { row, outcome, target } = created;
  if (!target) return answerAgain(plane, row);
  const live = outcome === 'created' ? new Map<string, string>() : await liveAlready(plane, row);
  return answer(plane, row, outcome, { live, expiresAt: target.expires_at });
}

/** Whoever builds it elsewhere has begun already: the place of the site is made first. */
async function prepareSite(
  plane: Plane,
  account: string,
  project: ProjectRow,
  target: string,
): Promise<void> {
  await checkDeployments(plane, plane.database.query, { account, project: project.id, target });
  await plane.sites.prepare(siteOn(project, target));
}

/** Where `row`, which is live, is so: what a preview serves may have been promoted. */
async function liveAlready(plane: Plane, row: DeploymentRow): Promise<ReadonlyMap<string, string>> {
  if (row.target === LIVE) return new Map([[`${row.project_id} ${LIVE}`, row.id]]);
  return liveDeployments(plane.database.query, [row.project_id]);
}

/** What makes two deployments the same: source, settings, environment values and how they are served. */
export function fingerprintOf(request: CreateDeployment, environment: string | null): string {
  const { source } = request;
  // Nothing is added where there are no values: what was live before there were any is still the same.
  const values =
    source.kind === 'prebuilt' || (environment === null && request.environment === undefined)
      ? []
      : [environment, request.environment ?? {}];
  // Whether and how long it may be built changes nothing of what comes out.
  const { ignoreCommand: _ignoreCommand, limits: _limits, ...build } = request.build;
  const content = source.kind === 'git' ? [source.repository, source.commit] : [source.kind, source.digest];
  const settings = Object.entries(build).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([content, settings, request.serving ?? null, ...values]))
    .digest('hex');
}

async function insertDeployment(
  plane: Plane,
  trx: Transaction<Tables>,
  account: string,
  project: ProjectRow,
  request: CreateDeployment,
  keyed: KeyedRequest | null,
): Promise<Created> {
  const name = targetOf(request);
  const now = plane.now();
  // The row lock makes everybody who asks for this target take turns: order, "already live" and supersede agree.
  const target = await takeTarget(trx, project, name, { expireAfterDays: request.expireAfterDays, now });
  const unfinished = await trx
    .selectFrom('deployments')
    .select(['id', 'deployment_status'])
    .where('project_id', '=', project.id)
    .where('target', '=', name)
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  const fingerprint = fingerprintOf(request, await environmentVersion(trx, project.id, name));
  if (!request.force && unfinished.length === 0 && target.live_publication_id) {
    const live = await trx
      .selectFrom('deployments')
      .innerJoin('publications', 'publications.deployment_id', 'deployments.id')
      .selectAll('deployments')
      .where('publications.id', '=', target.live_publication_id)
      .executeTakeFirst();
    // One that was promoted was built for its preview, not for this target.
    const same = live?.fingerprint === fingerprint && live.target === name;
    if (same && live.deployment_status === 'ready') {
      nothingChanged();
      return { row: live, outcome: 'already_live', superseded: [], target };
    }
  }

  await checkDeployments(plane, trx, { account, project: project.id, target: name });
  await trx
    .updateTable('targets')
    .set({ next_order: target.next_order + 1 })
    .where('project_id', '=', project.id)
    .where('name', '=', name)
    .execute();
  // A prebuilt output is built by its caller: it is claimed as it is made.
  const prebuilt = request.source.kind === 'prebuilt';
  const queued = enterPhase([], 'queue', now);
  const row = await trx
    .insertInto('deployments')
    .values({
      id: newId('dpl'),
      account_id: account,
      project_id: project.id,
      target: name,
      project_slug: project.slug,
      bucket_location: project.bucket_location,
      git_url: request.source.kind === 'git' ? request.source.repository : null,
      deployment_url: plane.addresses.site(siteOn(project, name)),
      deployment_status: prebuilt ? 'building' : 'queued',
      phase: prebuilt ? 'prepare' : 'queue',
      phases: JSON.stringify(prebuilt ? enterPhase(queued, 'prepare', now) : queued),
      detections: '[]',
      warnings: '[]',
      source: JSON.stringify(request.source),
      build: JSON.stringify(request.build),
      serving: JSON.stringify(request.serving ?? {}),
      environment: request.environment === undefined ? null : JSON.stringify(request.environment),
      no_cache: request.noCache,
      isolation: request.isolation ?? null,
      fingerprint,
      order: target.next_order,
      attempt: prebuilt ? 1 : 0,
      lease_owner: prebuilt ? plane.id : null,
      lease_expires_at: prebuilt ? leaseUntil(plane.settings.leaseMs) : null,
      seen_at: prebuilt ? databaseNow : null,
      started_at: prebuilt ? new Date(now) : null,
      git_token: request.gitToken === undefined ? null : plane.keys.seal(request.gitToken),
      token_id: asker()?.token ?? null,
      created_at: new Date(now),
      updated_at: new Date(now),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(trx, { action: 'createDeployment', account, project: project.slug, object: row.id });
  if (keyed) await rememberKey(trx, keyed, row.id, now);
  const superseded: DeploymentRow[] = [];
  for (const { id, deployment_status } of unfinished) {
    if (deployment_status !== 'queued') continue;
    // It may have been claimed or cancelled since it was read.
    const old = await lockDeployment(trx, id);
    if (old?.deployment_status !== 'queued') continue;
    const error = {
      code: 'DEPLOYMENT_SUPERSEDED' as const,
      message: `superseded by ${row.id}, which was asked for later`,
    };
    await endDeployment(trx, old, 'cancel', { reason: 'superseded', error }, now);
    superseded.push(old);
  }
  return { row, outcome: 'created', superseded, target };
}

/** What a request is answered that is sent again. */
async function answerAgain(plane: Plane, row: DeploymentRow): Promise<CreateDeploymentAnswer> {
  const { query } = plane.database;
  const live = await liveDeployments(query, [row.project_id]);
  const target = await query
    .selectFrom('targets')
    .select('expires_at')
    .where('project_id', '=', row.project_id)
    .where('name', '=', row.target)
    .executeTakeFirst();
  return answer(plane, row, 'created', { live, expiresAt: target?.expires_at ?? null });
}

function answer(
  plane: Plane,
  row: DeploymentRow,
  outcome: CreateDeploymentAnswer['outcome'],
  { live, expiresAt }: { live: ReadonlyMap<string, string>; expiresAt: Date | null },
): CreateDeploymentAnswer {
  const deployment = viewDeployment(plane, row, live);
  const made = { outcome, deployment, ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}) };
  if (outcome === 'already_live' || row.source.kind !== 'prebuilt') return made;
  const bootstrapToken = plane.keys.bootstrapToken(row.id, row.attempt);
  return { ...made, builder: { attempt: row.attempt, bootstrapToken } };
}
