/** The audit log, for the admin and for those of an account who look after it. */
import { listChanges } from '../audit.ts';
import type { Plane } from '../plane.ts';
import type { RouteTable } from './mount.ts';
import { oneText, pageSize } from './query.ts';

/** The route of the audit log. The admin sees all of it, an account its own part, a token of one project that one's. */
export function auditRoutes(plane: Plane): RouteTable {
  return {
    audit: {
      async answer({ request, holder, reach }) {
        const { limit, before } = request.query;
        const { account, project: only } = holder();
        const project = oneText('project', request.query.project) ?? only ?? undefined;
        if (project !== undefined) reach(project);
        return listChanges(plane.database.query, {
          account,
          project,
          limit: limit === undefined ? 50 : pageSize(limit, 500),
          before: oneText('before', before),
        });
      },
    },
  };
}
