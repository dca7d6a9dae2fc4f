/** Rollback: an earlier deployment becomes live again. Nothing is built and nothing uploaded. */
import { setTimeout as delay } from 'node:timers/promises';
import type { RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { type DeploymentRow, showDeployment } from './deployments.ts';
import type { Plane } from './plane.ts';
import { findProject } from './projects.ts';
import { insertPublication, runPublications } from './publications.ts';

/** How long the caller waits for the publication, in milliseconds, and how often it is looked at. */
const wait = { forMs: 60_000, everyMs: 50 } as const;

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
  const { publication, to, from } = await plane.database.transaction(async (trx) => {
    const target = await trx
      .selectFrom('targets')
      .selectAll()
      .where('project_id', '=', project.id)
      .where('name', '=', LIVE)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const published = await trx
      .selectFrom('deployments')
      .selectAll()
      .where('project_id', '=', project.id)
      .where('target', '=', LIVE)
      .where((eb) =>
        eb.exists(
          eb
            .selectFrom('publications')
            .select('id')
            .whereRef('publications.deployment_id', '=', 'deployments.id')
            .where('state', '=', 'done'),
        ),
      )
      .orderBy('order', 'desc')
      .execute();
    const live = await trx
      .selectFrom('publications')
      .select('deployment_id')
      .where('id', '=', target.live_publication_id ?? '')
      .executeTakeFirst();
    const from = published.find((row) => row.id === live?.deployment_id);
    const to = choose(published, from, slug, id);
    await checkFiles(plane, slug, to);
    const order = target.next_order;
    await trx
      .updateTable('targets')
      .set({ next_order: order + 1 })
      .where('project_id', '=', project.id)
      .where('name', '=', LIVE)
      .execute();
    return { publication: await insertPublication(trx, to, 'rollback', order, plane.now()), to, from };
  });
  await publicationEnd(plane, publication);
  return {
    kind: 'rollback',
    deployment: await showDeployment(plane, to),
    previous: from ? await showDeployment(plane, from) : null,
  };
}

/** `prune` keeps the files of the last deployments that were live, not of all. */
async function checkFiles(plane: Plane, slug: string, row: DeploymentRow): Promise<void> {
  const manifest = await plane.sites.getManifest(slug, row.id).catch(() => null);
  const blobs = Object.values(manifest?.files ?? {}).map((file) => file.blob);
  if (manifest && (await plane.sites.missingBlobs(slug, blobs)).length === 0) return;
  throw new SphereError('NOT_PUBLISHED', `the files of ${row.id} have been freed: it cannot be live again`, {
    hint: 'Deploy its commit again.',
  });
}

function choose(
  published: readonly DeploymentRow[],
  live: DeploymentRow | undefined,
  slug: string,
  id: string | undefined,
): DeploymentRow {
  if (id === undefined) {
    const before = published.find((row) => live !== undefined && row.order < live.order);
    if (before) return before;
    throw new SphereError(
      'NOTHING_TO_ROLL_BACK',
      `"${slug}" has nothing older than ${live?.id ?? 'nothing'} to go back to`,
      {
        hint: `To return to a newer one: \`sphere rollback ID\`, with an id of \`sphere ls ${slug}\`.`,
      },
    );
  }
  const row = published.find((candidate) => candidate.id === id);
  if (!row) {
    throw new SphereError('NOT_PUBLISHED', `"${slug}" has no deployment "${id}" that has been live`, {
      hint: `See \`sphere ls ${slug}\`; only what has been live can be live again.`,
    });
  }
  if (row.id === live?.id) {
    throw new SphereError('NOTHING_TO_ROLL_BACK', `${id} is what is live now`, {
      hint: `See \`sphere ls ${slug}\`.`,
    });
  }
  return row;
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
