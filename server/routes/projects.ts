/** Projects, their targets, rollback and promote, for accounts. */
import { promoteSchema, rollbackSchema } from '../../contract/api.ts';
import type { Plane } from '../plane.ts';
import { findProject, showProjects } from '../projects.ts';
import { promote } from '../promote.ts';
import { removeProject } from '../remove-project.ts';
import { removePreview } from '../remove-targets.ts';
import { rollback } from '../rollback.ts';
import { showTargets } from '../targets.ts';
import { parse, type RouteTable } from './mount.ts';

/** The routes of projects. */
export function projectRoutes(plane: Plane): RouteTable {
  return {
    listProjects: {
      async answer({ account, holder }) {
        const { project } = holder();
        const rows = await plane.database.query
          .selectFrom('projects')
          .selectAll()
          .where('account_id', '=', account())
          .where('removed_at', 'is', null)
          .$if(project !== null, (query) => query.where('slug', '=', project))
          .orderBy('slug')
          .execute();
        return { projects: await showProjects(plane, rows) };
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
