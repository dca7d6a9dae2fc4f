/** `POST /v1/deployments/:id/redeploy`: the same source and settings once more, as a new deployment. */
import type { CreateDeploymentAnswer, Redeploy } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE } from '../contract/words.ts';
import { createDeployment } from './create-deployment.ts';
import { findDeployment } from './deployments.ts';
import type { Plane } from './plane.ts';
import { findProject } from './projects.ts';
import type { Turns } from './turns.ts';

/**
 * Queues what `id` deployed again, built anew. Throws `NOT_FOUND`, and `SOURCE_UNAVAILABLE` where its source is not kept:
 * an output that was built elsewhere never is, an uploaded directory for a while.
 */
export async function redeploy(
  plane: Plane,
  account: string,
  id: string,
  { noCache, gitToken }: Redeploy,
  key: string | undefined,
  turns: Turns,
): Promise<CreateDeploymentAnswer> {
  const row = await findDeployment(plane.database.query, account, id);
  const { source } = row;
  if (source.kind === 'prebuilt') {
    throw new SphereError(
      'SOURCE_UNAVAILABLE',
      `${id} was built elsewhere: there is no source to build again`,
      {
        hint: `To publish the same files again: \`sphere rollback ${id}\`.`,
      },
    );
  }
  if (source.kind === 'upload' && !(await plane.sites.hasSource(account, source.digest))) {
    throw new SphereError('SOURCE_UNAVAILABLE', `the directory that ${id} deployed is not kept any more`, {
      hint: 'Deploy the directory again: `sphere deploy`.',
    });
  }
  const project = await findProject(plane, account, row.project_slug);
  const request = {
    project: project.slug,
    projectNamed: true,
    origin: project.origin,
    ...(row.target === LIVE ? {} : { target: row.target }),
    source,
    build: row.build,
    ...(row.environment === null ? {} : { environment: row.environment }),
    ...(row.isolation === null ? {} : { isolation: row.isolation }),
    force: true,
    noCache,
    ...(gitToken === undefined ? {} : { gitToken }),
  };
  return createDeployment(plane, account, request, key, turns);
}
