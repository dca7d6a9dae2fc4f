/** `POST /v1/deployments`: from a pinned source to a row in the queue, in one transaction. */
import { createHash } from 'node:crypto';
import type { Selectable, Transaction } from 'kysely';
import type { CreateDeployment, CreateDeploymentAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE, reservedSlugs } from '../contract/words.ts';
import { asker, nothingChanged } from './asked-by.ts';
import { recordChange } from './audit.ts';
import type { ProjectTable, Tables } from './database/tables.ts';
import {
  type DeploymentRow,
  endDeployment,
  findDeployment,
  lockDeployment,
  sayEnd,
  showDeployment,
} from './deployments.ts';
import { newId } from './keys.ts';
import { leaseUntil } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import { liveSite } from './projects.ts';

type Project = Selectable<ProjectTable>;
type Created = {
  row: DeploymentRow;
  outcome: CreateDeploymentAnswer['outcome'];
  superseded: DeploymentRow[];
};

/** How long an idempotency key is remembered. */
const keyLifeMs = 24 * 3600_000;

/**
 * Queues a deployment, or finds that the same thing is live already. `key` (optional) makes a repeated call answer
 * what the first one made. Throws `SLUG_IN_USE`, `SOURCE_UNAVAILABLE`, `IDEMPOTENCY_KEY_REUSED`, `REQUEST_INVALID`.
 */
export async function createDeployment(
  plane: Plane,
  account: string,
  request: CreateDeployment,
  key: string | undefined,
): Promise<CreateDeploymentAnswer> {
  checkRequest(request);
  const region = regionOf(plane, request);
  const bodyHash = createHash('sha256').update(JSON.stringify(request)).digest('hex');
  const known = key === undefined ? undefined : await findByKey(plane, account, key, bodyHash);
  if (known) {
    nothingChanged();
    return answer(plane, known, 'created');
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
  // Whoever builds it elsewhere has begun already: the place of the site is made first.
  if (request.source.kind === 'prebuilt') await plane.sites.prepare(liveSite(project));
  const created = await plane.database
    .transaction((trx) => insertDeployment(plane, trx, account, request, key, bodyHash))
    .catch(async (error: unknown) => {
      if (error !== keyTaken || key === undefined) throw error;
      const first = await findByKey(plane, account, key, bodyHash);
      if (!first) throw error;
      return { row: first, outcome: 'created' as const, superseded: [] };
    });
  for (const old of created.superseded) {
    await sayEnd(plane, old, 'queue', `Superseded by ${created.row.id} before it started.`);
  }
  plane.wake();
  return answer(plane, created.row, created.outcome);
}

function checkRequest(request: CreateDeployment): void {
  if (reservedSlugs.includes(request.project)) {
    throw new SphereError('REQUEST_INVALID', `the slug "${request.project}" is reserved`, {
      hint: 'Choose another with --slug.',
    });
  }
  if (request.gitToken !== undefined && request.source.kind !== 'git') {
    throw new SphereError('REQUEST_INVALID', 'a Git token goes with a repository only');
  }
}

/** The region that is asked for, or null where the plane chooses. Throws `REQUEST_INVALID` for one that it has not. */
function regionOf(plane: Plane, request: CreateDeployment): string | null {
  const { region } = request;
  const { regions } = plane.sites;
  if (region === undefined || regions.includes(region)) return region ?? null;
  throw new SphereError('REQUEST_INVALID', `this plane has no region "${region}"`, {
    hint: `Choose one of: ${regions.join(', ')}.`,
  });
}

/** What makes two deployments the same: source, settings and how they are served. */
export function fingerprintOf(request: CreateDeployment): string {
  const { source } = request;
  const content = source.kind === 'git' ? [source.repository, source.commit] : [source.kind, source.digest];
  const settings = Object.entries(request.build).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([content, settings, request.serving ?? null]))
    .digest('hex');
}

async function findByKey(plane: Plane, account: string, key: string, bodyHash: string) {
  const known = await plane.database.query
    .selectFrom('idempotency_keys')
    .selectAll()
    .where('account_id', '=', account)
    .where('key', '=', key)
    .where('created_at', '>', new Date(plane.now() - keyLifeMs))
    .executeTakeFirst();
  if (!known) return undefined;
  if (known.body_hash !== bodyHash) {
    throw new SphereError(
      'IDEMPOTENCY_KEY_REUSED',
      'this Idempotency-Key was sent with another body before',
      {
        hint: 'Send a new key with a new request.',
      },
    );
  }
  return findDeployment(plane.database.query, account, known.deployment_id);
}

/** Finds or makes the project, and refuses to deploy over one that belongs to another place. */
async function ensureProject(
  plane: Plane,
  account: string,
  request: CreateDeployment,
  region: string | null,
): Promise<Project> {
  const { query } = plane.database;
  const find = () =>
    query.selectFrom('projects').selectAll().where('slug', '=', request.project).executeTakeFirst();
  let project = await find();
  if (!project) {
    const now = new Date(plane.now());
    const id = newId('prj');
    await plane.database.transaction(async (trx) => {
      const made = await trx
        .insertInto('projects')
        .values({
          id,
          account_id: account,
          slug: request.project,
          bucket_location: region ?? (plane.sites.regions[0] as string),
          origin: request.origin,
          port: null,
          created_at: now,
          updated_at: now,
        })
        .onConflict((conflict) => conflict.column('slug').doNothing())
        .returning('id')
        .executeTakeFirst();
      if (made)
        await trx
          .insertInto('targets')
          .values({ project_id: id, name: LIVE, live_publication_id: null })
          .execute();
    });
    project = await find();
  }
  if (!project) throw new Error(`the project ${request.project} was made and is not there`);
  checkOrigin(project, account, request);
  if (region !== null && region !== project.bucket_location) {
    throw new SphereError('SLUG_IN_USE', `the site "${project.slug}" is kept in ${project.bucket_location}`, {
      hint: `Leave --region out, or choose another slug for the site in ${region}.`,
    });
  }
  if (project.removed_at !== null) await revive(plane, project);
  const port = await plane.addresses.open(project.slug, project.port);
  if (port !== project.port) {
    await query.updateTable('projects').set({ port }).where('id', '=', project.id).execute();
  }
  return project;
}

/** Takes a removed project back into use, once all that it served has been taken away. */
async function revive(plane: Plane, project: Project): Promise<void> {
  const { query } = plane.database;
  const half = await query
    .selectFrom('targets')
    .select('name')
    .where('project_id', '=', project.id)
    .where((eb) => eb.or([eb('emptied_at', 'is', null), eb('emptied_at', '<', project.removed_at)]))
    .executeTakeFirst();
  if (half) {
    throw new SphereError('PUBLISHING', `the site "${project.slug}" is being removed just now`, {
      hint: `Try again in a moment; if it stays so, \`sphere rm ${project.slug}\` finishes the removal.`,
    });
  }
  await query.updateTable('projects').set({ removed_at: null }).where('id', '=', project.id).execute();
}

function checkOrigin(project: Project, account: string, request: CreateDeployment): void {
  const foreign = project.account_id !== account;
  if (!foreign && (request.projectNamed || project.origin === request.origin)) return;
  const from = foreign ? 'another account' : project.origin;
  throw new SphereError(
    'SLUG_IN_USE',
    `the slug "${request.project}" is in use: that site is deployed from ${from}`,
    {
      hint: foreign
        ? 'Choose another with --slug.'
        : `Choose another with --slug, or replace that site on purpose with --slug ${request.project}.`,
    },
  );
}

async function insertDeployment(
  plane: Plane,
  trx: Transaction<Tables>,
  account: string,
  request: CreateDeployment,
  key: string | undefined,
  bodyHash: string,
): Promise<Created> {
  const project = await trx
    .selectFrom('projects')
    .selectAll()
    .where('slug', '=', request.project)
    .executeTakeFirstOrThrow();
  // The row lock makes everybody who asks for this target take turns: order, "already live" and supersede agree.
  const target = await trx
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project.id)
    .where('name', '=', LIVE)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const unfinished = await trx
    .selectFrom('deployments')
    .selectAll()
    .where('project_id', '=', project.id)
    .where('target', '=', LIVE)
    .where('deployment_status', 'in', ['queued', 'building'])
    .execute();
  const fingerprint = fingerprintOf(request);
  if (!request.force && unfinished.length === 0 && target.live_publication_id) {
    const live = await trx
      .selectFrom('deployments')
      .innerJoin('publications', 'publications.deployment_id', 'deployments.id')
      .selectAll('deployments')
      .where('publications.id', '=', target.live_publication_id)
      .executeTakeFirst();
    if (live?.fingerprint === fingerprint && live.deployment_status === 'ready') {
      nothingChanged();
      return { row: live, outcome: 'already_live', superseded: [] };
    }
  }

  const now = plane.now();
  await trx
    .updateTable('targets')
    .set({ next_order: target.next_order + 1 })
    .where('project_id', '=', project.id)
    .where('name', '=', LIVE)
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
      target: LIVE,
      project_slug: project.slug,
      bucket_location: project.bucket_location,
      git_url: request.source.kind === 'git' ? request.source.repository : null,
      deployment_url: plane.addresses.site(liveSite(project)),
      deployment_status: prebuilt ? 'building' : 'queued',
      phase: prebuilt ? 'prepare' : 'queue',
      phases: JSON.stringify(prebuilt ? enterPhase(queued, 'prepare', now) : queued),
      detections: '[]',
      warnings: '[]',
      source: JSON.stringify(request.source),
      build: JSON.stringify(request.build),
      serving: JSON.stringify(request.serving ?? {}),
      no_cache: request.noCache,
      fingerprint,
      order: target.next_order,
      attempt: prebuilt ? 1 : 0,
      lease_owner: prebuilt ? plane.id : null,
      lease_expires_at: prebuilt ? leaseUntil(plane.settings.leaseMs) : null,
      seen_at: prebuilt ? new Date(now) : null,
      started_at: prebuilt ? new Date(now) : null,
      git_token: request.gitToken === undefined ? null : plane.keys.seal(request.gitToken),
      token_id: asker()?.token ?? null,
      created_at: new Date(now),
      updated_at: new Date(now),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  await recordChange(trx, { action: 'createDeployment', account, project: project.slug, object: row.id });
  if (key !== undefined) await rememberKey(trx, account, key, bodyHash, row.id, now);
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
  return { row, outcome: 'created', superseded };
}

/** Thrown to undo what a request has written whose key another one has used at the same time. */
const keyTaken = new Error('the key has been used meanwhile');

/** Keeps `key` for a day. Throws `keyTaken` when it is not free. */
async function rememberKey(
  trx: Transaction<Tables>,
  account: string,
  key: string,
  bodyHash: string,
  deployment: string,
  now: number,
): Promise<void> {
  const value = { body_hash: bodyHash, deployment_id: deployment, created_at: new Date(now) };
  const kept = await trx
    .insertInto('idempotency_keys')
    .values({ account_id: account, key, ...value })
    .onConflict((conflict) =>
      conflict
        .columns(['account_id', 'key'])
        .doUpdateSet(value)
        .where('idempotency_keys.created_at', '<=', new Date(now - keyLifeMs)),
    )
    .returning('key')
    .executeTakeFirst();
  if (!kept) throw keyTaken;
}

/** Removes keys that are no longer remembered. */
export async function forgetOldKeys(plane: Plane): Promise<void> {
  await plane.database.query
    .deleteFrom('idempotency_keys')
    .where('created_at', '<=', new Date(plane.now() - keyLifeMs))
    .execute();
}

async function answer(
  plane: Plane,
  row: DeploymentRow,
  outcome: CreateDeploymentAnswer['outcome'],
): Promise<CreateDeploymentAnswer> {
  const deployment = await showDeployment(plane, row);
  if (outcome === 'already_live' || row.source.kind !== 'prebuilt') return { outcome, deployment };
  const bootstrapToken = plane.keys.bootstrapToken(row.id, row.attempt);
  return { outcome, deployment, builder: { attempt: row.attempt, bootstrapToken } };
}
