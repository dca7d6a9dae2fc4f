/** Makes something live that was published before: what rollback and promote have in common. Nothing is built or uploaded. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { nothingChanged } from './asked-by.ts';
import { recordChange } from './audit.ts';
import type { Tables } from './database/tables.ts';
import { type DeploymentRow, findManifest, manifestName, showDeployment, siteOf } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import { findProject, liveSite, type ProjectRow } from './projects.ts';
import { publishNext, type Target } from './publication-claims.ts';
import { insertPublication, lockTarget } from './publications.ts';
import { refuseRemoved } from './targets.ts';

/** How long the caller waits for the publication, in milliseconds, and how often it is looked at: ever less often. */
const wait = { forMs: 60_000, firstMs: 50, longestMs: 1_000 } as const;
/** So many may wait for one target: each of them makes the one before it pointless. */
const mostWaiting = 5;

/** What becomes live, and what is until then. */
export type Choice = { to: DeploymentRow; from: DeploymentRow | undefined };

/**
 * Makes live what `choose` chooses. It takes its place in the target's order now, so that every build that was asked for
 * earlier is outrun. Throws what `choose` throws, `NOT_PUBLISHED`, `NOT_FOUND`, `PUBLISHING`, `DEPLOYMENT_OUTRUN`,
 * `PUBLISH_FAILED`.
 */
export async function republish(
  plane: Plane,
  { account, slug, kind }: { account: string; slug: string; kind: 'rollback' | 'promote' },
  choose: (db: Queries, project: ProjectRow) => Promise<Choice>,
): Promise<RollbackAnswer> {
  const project = await findProject(plane, account, slug);
  const wanted = await choose(plane.database.query, project);
  const answer = async ({ to, from }: Choice): Promise<RollbackAnswer> => ({
    kind,
    url: plane.addresses.site(liveSite(project)),
    address: plane.addresses.direct(liveSite(project)),
    deployment: await showDeployment(plane, to),
    previous: from ? await showDeployment(plane, from) : null,
  });
  // What is live already need not be made so.
  if (wanted.to.id === wanted.from?.id) {
    nothingChanged();
    return answer(wanted);
  }
  // Looking for files can take seconds where they are far away: nobody has to wait for that.
  await checkFiles(plane, wanted.to);
  const { publication, chosen } = await plane.database.transaction(async (trx) => {
    await refuseRemoved(trx, project);
    const target = await lockTarget(trx, project.id, LIVE);
    await refuseWhileManyWait(trx, project);
    const chosen = await choose(trx, project);
    if (chosen.to.id !== wanted.to.id) throw changedMeanwhile(slug, kind, chosen);
    const order = target.next_order;
    await trx
      .updateTable('targets')
      .set({ next_order: order + 1 })
      .where('project_id', '=', project.id)
      .where('name', '=', LIVE)
      .execute();
    await recordChange(trx, { action: kind, account, project: slug, object: chosen.to.id });
    const site = { id: chosen.to.id, project_id: project.id, target: LIVE };
    return { publication: await insertPublication(trx, site, kind, order, plane.now()), chosen };
  });
  await publicationEnd(plane, { project_id: project.id, target: LIVE }, publication, kind);
  return answer(chosen);
}

async function refuseWhileManyWait(
  trx: Transaction<Tables>,
  { id, slug }: Pick<ProjectRow, 'id' | 'slug'>,
): Promise<void> {
  const waiting = await trx
    .selectFrom('publications')
    .select('id')
    .where('project_id', '=', id)
    .where('target', '=', LIVE)
    .where('state', '=', 'waiting')
    .where('kind', '<>', 'deploy')
    .limit(mostWaiting)
    .execute();
  if (waiting.length < mostWaiting) return;
  throw new SphereError('PUBLISHING', `${mostWaiting} rollbacks or promotions of "${slug}" wait already`, {
    hint: `See what becomes live with \`sphere ls ${slug}\`, and try again then.`,
  });
}

function changedMeanwhile(slug: string, kind: string, { from }: Choice): SphereError {
  return new SphereError(
    'PUBLISHING',
    `"${slug}" has changed meanwhile: ${from?.id ?? 'nothing'} is live now`,
    {
      hint: `See \`sphere ls ${slug}\`, then name the one that you mean: \`sphere ${kind} ID\`.`,
    },
  );
}

/** `prune` keeps the files of the last deployments that were live, not of all. */
export async function checkFiles(plane: Plane, row: DeploymentRow): Promise<void> {
  const site = siteOf(row);
  const manifest = await findManifest(plane.sites, site, manifestName(row));
  const blobs = new Map(Object.values(manifest?.files ?? {}).map((file) => [file.blob, file.bytes]));
  if (manifest && (await plane.sites.missingBlobs(site, blobs)).length === 0) return;
  throw new SphereError('NOT_PUBLISHED', `the files of ${row.id} have been freed: it cannot be live again`, {
    hint: 'Deploy its commit again.',
  });
}

async function publicationEnd(plane: Plane, target: Target, id: string, kind: string): Promise<void> {
  const what = kind === 'promote' ? 'promotion' : kind;
  const deadline = plane.now() + wait.forMs;
  // At once, where nothing runs on the target; else by whoever looks next: what becomes of it, its state says.
  await publishNext(plane, target).catch((error: unknown) =>
    plane.report(`the ${what} met a failure`, error),
  );
  plane.wake();
  for (
    let pause: number = wait.firstMs;
    plane.now() < deadline;
    pause = Math.min(pause * 1.5, wait.longestMs)
  ) {
    const { state } = await plane.database.query
      .selectFrom('publications')
      .select('state')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    if (state === 'done') return;
    if (state === 'outrun' || state === 'cancelled') {
      throw new SphereError('DEPLOYMENT_OUTRUN', 'something that was asked for later is live');
    }
    if (state === 'failed') throw new SphereError('PUBLISH_FAILED', `the ${what} could not be published`);
    await delay(pause);
  }
  throw new SphereError('PUBLISH_FAILED', `the ${what} has not been published after ${wait.forMs / 1000} s`, {
    hint: 'It goes on; see `sphere ls`.',
  });
}
