/** Projects, their targets, rollback and promote, for accounts. */
import { type ProjectList, promoteSchema, rollbackSchema } from '../../contract/api.ts';
import type { Plane } from '../plane.ts';
import { findProject, listProjects, showProjects } from '../projects.ts';
import { promote } from '../promote.ts';
import { removeProject } from '../remove-project.ts';
import { removePreview } from '../remove-targets.ts';
import { rollback } from '../rollback.ts';
import { planRollback } from '../rollback-plan.ts';
import { showTargets } from '../targets.ts';
import { parse, type RouteTable } from './mount.ts';
import { oneText, pageSize } from './query.ts';

/** The routes of projects. */
export function projectRoutes(plane: Plane): RouteTable {
  return {
    listProjects: {
      async answer({ request, account, holder }): Promise<ProjectList> {
        const { limit, after } = request.query;
        const most = limit === undefined ? undefined : pageSize(limit);
        return listProjects(plane, account(), {
          limit: most,
          after: oneText('after', after),
          only: holder().project,
        });
      },
    },
    getProject: {
      async answer({ account, parameter }) {
        const row = await findProject(plane, account(), parameter('slug'));
        return (await showProjects(plane, [row]))[0];
      },
    },
    removeProject: {
      answer: ({ account, parameter }) => removeProject(plane, account(), parameter('slug')),
    },
    planRollback: {
      answer: ({ request, account, parameter }) =>
        planRollback(plane, account(), parameter('slug'), oneText('deployment', request.query.deployment)),
    },
    rollback: {
      async answer({ request, account, parameter }) {
        const { deployment } = parse(rollbackSchema, request.body ?? {});
        return rollback(plane, account(), parameter('slug'), deployment);
      },
    },
    promote: {
      async answer({ request, account, parameter }) {
        return promote(plane, account(), parameter('slug'), parse(promoteSchema, request.body ?? {}));
      },
    },
    listTargets: {
      async answer({ account, parameter }) {
        const row = await findProject(plane, account(), parameter('slug'));
        return { targets: await showTargets(plane, row) };
      },
    },
    removeTarget: {
      answer: ({ account, parameter }) =>
        removePreview(plane, account(), parameter('slug'), parameter('name')),
    },
  };
}
