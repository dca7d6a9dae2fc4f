/** Promote: what a preview serves becomes live, as it is. */
import type { Promote, RollbackAnswer } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { type DeploymentRow, deploymentOfProject, liveDeployments } from './deployments.ts';
import type { Plane, Queries } from './plane.ts';
import type { ProjectRow } from './projects.ts';
import { begunSinceEmptied } from './publication-history.ts';
import { republish } from './republish.ts';
import { findPreview } from './targets.ts';

/**
 * Makes live what the preview serves, or a deployment that one has served. Promoting what is live already changes
 * nothing and is no error. Throws `NOT_FOUND`, `NOT_PUBLISHED`, and as `republish` does.
 */
export async function promote(
  plane: Plane,
  account: string,
  slug: string,
  what: Promote,
): Promise<RollbackAnswer> {
  return republish(plane, { account, slug, kind: 'promote' }, async (db, project) => {
    const live = await liveDeployments(db, [project.id]);
    const find = (id: string | undefined) =>
      id === undefined ? undefined : deploymentOfProject(db, project.id, id);
    const to =
      'target' in what
        ? await servedBy(db, project, { name: what.target, live, now: plane.now() })
        : await onceServed(db, project, what.deployment);
    // Its status follows a moment after what is served.
    if (to.deployment_status !== 'ready') {
      throw new SphereError('PUBLISHING', `${to.id} is being published just now`, {
        hint: 'Try again in a moment.',
      });
    }
    return { to, from: await find(live.get(`${project.id} ${LIVE}`)) };
  });
}

/** What the preview `name` serves now. */
async function servedBy(
  db: Queries,
  project: ProjectRow,
  { name, live, now }: { name: string; live: ReadonlyMap<string, string>; now: number },
): Promise<DeploymentRow> {
  await findPreview(db, project, name, now);
  const id = live.get(`${project.id} ${name}`);
  const row = id === undefined ? undefined : await deploymentOfProject(db, project.id, id);
  if (row) return row;
  throw new SphereError('NOT_PUBLISHED', `the preview "${name}" of "${project.slug}" serves nothing yet`, {
    hint: 'Wait for its deployment, or deploy to it again.',
  });
}

/** The deployment `id`, which a preview has served that is still there. */
async function onceServed(db: Queries, project: ProjectRow, id: string): Promise<DeploymentRow> {
  const row = await deploymentOfProject(db, project.id, id);
  if (!row) {
    throw new SphereError('NOT_FOUND', `"${project.slug}" has no deployment "${id}"`, {
      hint: `See \`sphere ls ${project.slug}\`.`,
    });
  }
  if (row.target === LIVE) {
    throw new SphereError('NOT_PUBLISHED', `${id} was deployed to the live site, not to a preview`, {
      hint: `If it was live before: \`sphere rollback ${id}\`.`,
    });
  }
  const served = await db
    .selectFrom('publications')
    .select('id')
    .where('project_id', '=', project.id)
    .where('target', '=', row.target)
    .where('deployment_id', '=', id)
    .where('state', '=', 'done')
    .where(begunSinceEmptied(project.id, row.target))
    .executeTakeFirst();
  if (served) return row;
  throw new SphereError('NOT_PUBLISHED', `${id} was never served, or its preview is gone with its files`, {
    hint: 'Deploy its commit again.',
  });
}
