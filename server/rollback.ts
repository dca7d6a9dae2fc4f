/** Rollback: an earlier deployment becomes live again. Nothing is built and nothing uploaded. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { recordChange } from './audit.ts';
import { type DeploymentRow, liveDeployments, showDeployment, siteOf } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import { findProject } from './projects.ts';
import { runPublications } from './publication-claims.ts';
import { begunSinceEmptied } from './publication-history.ts';
import { insertPublication } from './publications.ts';

/** How long the caller waits for the publication, in milliseconds, and how often it is looked at. */
const wait = { forMs: 60_000, everyMs: 50 } as const;

/** More than whose files are ever kept. */
const mostPublished = 100;

/**
 * Makes `id` live again, or without an id the deployment that was live before. It takes its place in the target's
 * order now, so that every build that was asked for earlier is outrun. Throws `NOTHING_TO_ROLL_BACK`,
 * `NOT_PUBLISHED`, `NOT_FOUND`, `PUBLISH_FAILED`.
 */
export async function rollback(
  plane: Plane,
  account: string,
  slug: string,
  id: string | undefined,
): Promise<RollbackAnswer> {
  const project = await findProject(plane, account, slug);
  const wanted = choose(await publishedDeployments(plane.database.query, project.id), slug, id);
  // Looking for files can take seconds where they are far away: nobody has to wait for that.
  await checkFiles(plane, wanted.to);
  const { publication, to, from } = await plane.database.transaction(async (trx) => {
    const target = await trx
      .selectFrom('targets')
      .selectAll()
      .where('project_id', '=', project.id)
      .where('name', '=', LIVE)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const { to, from } = choose(await publishedDeployments(trx, project.id), slug, id);
    if (to.id !== wanted.to.id) {
      throw new SphereError('PUBLISHING', `"${slug}" has changed meanwhile: ${from?.id} is live now`, {
        hint: `See \`sphere ls ${slug}\`, then name the one to go back to: \`sphere rollback ID\`.`,
      });
    }
    const order = target.next_order;
    await trx
      .updateTable('targets')
      .set({ next_order: order + 1 })
      .where('project_id', '=', project.id)
      .where('name', '=', LIVE)
      .execute();
    await recordChange(trx, { action: 'rollback', account, project: slug, object: to.id });
    return { publication: await insertPublication(trx, to, 'rollback', order, plane.now()), to, from };
  });
  await publicationEnd(plane, publication);
  return {
    kind: 'rollback',
    deployment: await showDeployment(plane, to),
    previous: from ? await showDeployment(plane, from) : null,
  };
}

type Published = { rows: DeploymentRow[]; live: DeploymentRow | undefined };

/** What has been live on the project's live target, newest first, and what is. */
async function publishedDeployments(db: Queries, project: string): Promise<Published> {
  const rows = await db
    .selectFrom('deployments')
    .selectAll()
    .where('project_id', '=', project)
    .where('target', '=', LIVE)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('publications')
          .select('id')
          .whereRef('publications.deployment_id', '=', 'deployments.id')
          .where('state', '=', 'done')
          .where(begunSinceEmptied(project, LIVE)),
      ),
    )
    .orderBy('order', 'desc')
    .limit(mostPublished)
    .execute();
  const live = (await liveDeployments(db, [project])).get(`${project} ${LIVE}`);
  return { rows, live: rows.find((row) => row.id === live) };
}

/** `prune` keeps the files of the last deployments that were live, not of all. */
async function checkFiles(plane: Plane, row: DeploymentRow): Promise<void> {
  const site = siteOf(row);
  const manifest = await plane.sites.getManifest(site, row.id).catch(() => null);
  const blobs = new Map(Object.values(manifest?.files ?? {}).map((file) => [file.blob, file.bytes]));
  if (manifest && (await plane.sites.missingBlobs(site, blobs)).length === 0) return;
  throw new SphereError('NOT_PUBLISHED', `the files of ${row.id} have been freed: it cannot be live again`, {
    hint: 'Deploy its commit again.',
  });
}

function choose(
  { rows, live }: Published,
  slug: string,
  id: string | undefined,
): { to: DeploymentRow; from: DeploymentRow | undefined } {
  if (id === undefined) {
    const to = rows.find((row) => live !== undefined && row.order < live.order);
    if (to) return { to, from: live };
    throw new SphereError(
      'NOTHING_TO_ROLL_BACK',
      `"${slug}" has nothing older than ${live?.id ?? 'nothing'} to go back to`,
      {
        hint: `To return to a newer one: \`sphere rollback ID\`, with an id of \`sphere ls ${slug}\`.`,
      },
    );
  }
  const to = rows.find((candidate) => candidate.id === id);
  if (!to) {
    throw new SphereError('NOT_PUBLISHED', `"${slug}" has no deployment "${id}" that has been live`, {
      hint: `See \`sphere ls ${slug}\`; only what has been live can be live again.`,
    });
  }
  if (to.id === live?.id) {
    throw new SphereError('NOTHING_TO_ROLL_BACK', `${id} is what is live now`, {
      hint: `See \`sphere ls ${slug}\`.`,
    });
  }
  return { to, from: live };
}

async function publicationEnd(plane: Plane, id: string): Promise<void> {
  const deadline = plane.now() + wait.forMs;
  while (plane.now() < deadline) {
    await runPublications(plane);
    const { state } = await plane.database.query
      .selectFrom('publications')
      .select('state')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    if (state === 'done') return;
    if (state === 'outrun' || state === 'cancelled') {
      throw new SphereError('DEPLOYMENT_OUTRUN', 'a deployment or rollback that was asked for later is live');
    }
    if (state === 'failed') throw new SphereError('PUBLISH_FAILED', 'the rollback could not be published');
    await delay(wait.everyMs);
  }
  throw new SphereError(
    'PUBLISH_FAILED',
    `the rollback has not been published after ${wait.forMs / 1000} s`,
    {
      hint: 'It goes on; see `sphere ls`.',
    },
  );
}
