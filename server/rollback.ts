/** Rollback: an earlier deployment becomes live again. */
import { sql } from 'kysely';
import type { RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { type DeploymentRow, liveDeployments } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import { begunSinceEmptied } from './publication-history.ts';
import { type Choice, checkFiles, republish } from './republish.ts';

/** More than whose files are ever kept. */
const mostPublished = 100;

/**
 * Makes `id` live again, or without an id the deployment that was live before. Throws `NOTHING_TO_ROLL_BACK`, and as
 * `republish` does.
 */
export async function rollback(
  plane: Plane,
  account: string,
  slug: string,
  id: string | undefined,
): Promise<RollbackAnswer> {
  return republish(plane, { account, slug, kind: 'rollback' }, async (db, project) =>
    choose(await publishedDeployments(db, project.id), slug, id),
  );
}

/**
 * What a rollback to `id`, or without one to what was live before, would put in the place of what. Throws as `rollback`
 * does for what cannot be live again.
 */
export async function chooseRollback(
  plane: Plane,
  project: { id: string; slug: string },
  id: string | undefined,
): Promise<Choice> {
  const chosen = choose(await publishedDeployments(plane.database.query, project.id), project.slug, id);
  // Looking for files can take seconds where they are far away: nobody has to wait for that.
  await checkFiles(plane, chosen.to);
  return chosen;
}

/** A deployment that has been live, and when it was first asked for there: a promoted one has two orders. */
type PublishedRow = DeploymentRow & { place: number };
type Published = { rows: PublishedRow[]; live: PublishedRow | undefined };

/** What has been live on the project's live target, newest first, and what is. */
async function publishedDeployments(db: Queries, project: string): Promise<Published> {
  const places = await db
    .selectFrom('publications')
    .select([
      'deployment_id',
      // A rollback brings back what was asked for before, and does not make it newer.
      sql<number>`coalesce(max("order") filter (where kind <> 'rollback'), max("order"))`.as('place'),
    ])
    .where('project_id', '=', project)
    .where('target', '=', LIVE)
    .where('state', '=', 'done')
    .where(begunSinceEmptied(project, LIVE))
    .groupBy('deployment_id')
    .orderBy('place', 'desc')
    .limit(mostPublished)
    .execute();
  const ids = places.map((row) => row.deployment_id);
  const deployments =
    ids.length === 0 ? [] : await db.selectFrom('deployments').selectAll().where('id', 'in', ids).execute();
  const byId = new Map(deployments.map((row) => [row.id, row]));
  const rows = places.flatMap(({ deployment_id, place }) => {
    const row = byId.get(deployment_id);
    return row ? [{ ...row, place }] : [];
  });
  const live = (await liveDeployments(db, [project])).get(`${project} ${LIVE}`);
  return { rows, live: rows.find((row) => row.id === live) };
}

function choose({ rows, live }: Published, slug: string, id: string | undefined): Choice {
  if (id === undefined) {
    const to = rows.find((row) => live !== undefined && row.place < live.place);
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
      hint: `See \`sphere ls ${slug}\`; only what has been live can be live again. What a preview serves: \`sphere promote\`.`,
    });
  }
  if (to.id === live?.id) {
    throw new SphereError('NOTHING_TO_ROLL_BACK', `${id} is what is live now`, {
      hint: `See \`sphere ls ${slug}\`.`,
    });
  }
  return { to, from: live };
}
