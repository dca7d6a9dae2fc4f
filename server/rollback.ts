/** Rollback: an earlier deployment becomes live again. */
import type { RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { type DeploymentRow, deploymentOfProject, liveDeployments } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import { begunSinceEmptied } from './publication-history.ts';
import { type Choice, checkFiles, republish } from './republish.ts';

/** So many changes of what is live are looked back over: more than files are kept of. */
const mostChanges = 200;

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
    choose(db, project, id),
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
  const chosen = await choose(plane.database.query, project, id);
  // Looking for files can take seconds where they are far away: nobody has to wait for that.
  await checkFiles(plane, chosen.to);
  return chosen;
}

async function choose(
  db: Queries,
  { id: project, slug }: { id: string; slug: string },
  id: string | undefined,
): Promise<Choice> {
  const live = (await liveDeployments(db, [project])).get(`${project} ${LIVE}`);
  const wanted = id ?? (live === undefined ? undefined : liveBefore(await changesOf(db, project)));
  if (wanted === undefined) {
    throw new SphereError(
      'NOTHING_TO_ROLL_BACK',
      live === undefined
        ? `"${slug}" serves nothing live`
        : `"${slug}" has nothing that was live before ${live} to go back to`,
      {
        hint: `To return to another one: \`sphere rollback ID\`, with an id of \`sphere ls ${slug}\`.`,
      },
    );
  }
  if (wanted === live) {
    throw new SphereError('NOTHING_TO_ROLL_BACK', `${wanted} is what is live now`, {
      hint: `See \`sphere ls ${slug}\`.`,
    });
  }
  const [to, from] = await Promise.all([
    hasBeenLive(db, project, wanted),
    live === undefined ? undefined : deploymentOfProject(db, project, live),
  ]);
  if (to) return { to, from };
  throw new SphereError('NOT_PUBLISHED', `"${slug}" has no deployment "${wanted}" that has been live`, {
    hint: `See \`sphere ls ${slug}\`; only what has been live can be live again. What a preview serves: \`sphere promote\`.`,
  });
}

/** One change of what is live: by `rollback`, or by anything that put something new there. */
export type LiveChange = { deployment: string; kind: 'deploy' | 'promote' | 'rollback' };

/**
 * What was live before what is, as people mean it: what somebody has gone back from is not gone back to, whatever has
 * been deployed since. `changes`: oldest first. Pure.
 */
export function liveBefore(changes: readonly LiveChange[]): string | undefined {
  let stack: string[] = [];
  for (const { deployment, kind } of changes) {
    const at = kind === 'rollback' ? stack.lastIndexOf(deployment) : -1;
    // A return to what had been left behind is something new.
    stack = at === -1 ? [...stack, deployment] : stack.slice(0, at + 1);
  }
  const live = stack.at(-1);
  return stack.findLast((deployment) => deployment !== live);
}

/** The last changes of what is live, oldest first. */
async function changesOf(db: Queries, project: string): Promise<LiveChange[]> {
  const rows = await db
    .selectFrom('publications')
    .select(['deployment_id as deployment', 'kind'])
    .where('project_id', '=', project)
    .where('target', '=', LIVE)
    .where('state', '=', 'done')
    .where(begunSinceEmptied(project, LIVE))
    .orderBy('order', 'desc')
    .limit(mostChanges)
    .execute();
  return rows.reverse();
}

/** The deployment `id`, if it has been live since the site was emptied last. */
async function hasBeenLive(db: Queries, project: string, id: string): Promise<DeploymentRow | undefined> {
  const published = await db
    .selectFrom('publications')
    .select('id')
    .where('project_id', '=', project)
    .where('target', '=', LIVE)
    .where('deployment_id', '=', id)
    .where('state', '=', 'done')
    .where(begunSinceEmptied(project, LIVE))
    .executeTakeFirst();
  return published && deploymentOfProject(db, project, id);
}
