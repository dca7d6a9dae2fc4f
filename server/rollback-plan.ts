/** What a rollback would change, before anybody asks for it. */
import type { RollbackPlan } from '../contract/api.ts';
import type { Manifest } from '../contract/manifest.ts';
import { manifestName, showDeployment, siteOf } from './deployments.ts';
import type { Plane } from './plane.ts';
import { findProject } from './projects.ts';
import { chooseRollback } from './rollback.ts';

/** How many paths of each kind are named. */
const shownPaths = 20;

/** Answers what `rollback` with the same arguments would do now, and throws what it would throw. */
export async function planRollback(
  plane: Plane,
  account: string,
  slug: string,
  id: string | undefined,
): Promise<RollbackPlan> {
  const project = await findProject(plane, account, slug);
  const { to, from } = await chooseRollback(plane, project, id);
  const [after, before, deployment, previous] = await Promise.all([
    plane.sites.getManifest(siteOf(to), manifestName(to)),
    from ? plane.sites.getManifest(siteOf(from), manifestName(from)) : null,
    showDeployment(plane, to),
    from ? showDeployment(plane, from) : null,
  ]);
  return { deployment, previous, ...changesOf(before, after) };
}

/** The files that differ when `after` takes the place of `before`. Pure. */
export function changesOf(before: Manifest | null, after: Manifest): Pick<RollbackPlan, 'figures' | 'paths'> {
  const old = before?.files ?? {};
  const paths = Object.keys(after.files).sort();
  const added = paths.filter((path) => old[path] === undefined);
  const changed = paths.filter((path) => old[path] && old[path].blob !== after.files[path]?.blob);
  const removed = Object.keys(old)
    .filter((path) => after.files[path] === undefined)
    .sort();
  return {
    figures: {
      added: added.length,
      changed: changed.length,
      removed: removed.length,
      same: paths.length - added.length - changed.length,
    },
    paths: {
      added: added.slice(0, shownPaths),
      changed: changed.slice(0, shownPaths),
      removed: removed.slice(0, shownPaths),
    },
  };
}
