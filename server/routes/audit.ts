/** The audit log, for the admin and for those of an account who look after it. */
import { SphereError } from '../../contract/errors.ts';
import { listChanges } from '../audit.ts';
import type { Plane } from '../plane.ts';
import type { RouteTable } from './mount.ts';

/** The route of the audit log. The admin sees all of it, an account its own part, a token of one project that one's. */
export function auditRoutes(plane: Plane): RouteTable {
  return {
    audit: {
      async answer({ request, holder, reach }) {
        const { limit, before } = request.query;
        const { account, project: only } = holder();
        const project = request.query.project ?? only ?? undefined;
        const most = limit === undefined ? 50 : Number(limit);
        if (!Number.isInteger(most) || most < 1 || most > 500) {
          throw new SphereError('REQUEST_INVALID', '"limit" takes a whole number from 1 to 500');
        }
        if (project !== undefined && typeof project !== 'string') {
          throw new SphereError('REQUEST_INVALID', '"project" takes a slug');
        }
        if (before !== undefined && typeof before !== 'string') {
          throw new SphereError('REQUEST_INVALID', '"before" takes the "next" of an earlier answer');
        }
        if (project !== undefined) reach(project);
        return listChanges(plane.database.query, { account, project, limit: most, before });
      },
    },
  };
}
