/** The plane itself: health, status, stop, prune. */
import {
  type Health,
  type PlaneStatus,
  type PruneAnswer,
  type RegionList,
  stopPlaneSchema,
  type WhoAmI,
} from '../../contract/api.ts';
import { SphereError } from '../../contract/errors.ts';
import { version } from '../../contract/version.ts';
import type { Plane } from '../plane.ts';
import { describeRegions } from '../regions.ts';
import { whoAmI } from '../whoami.ts';
import { parse, type RouteTable } from './mount.ts';

export type PlaneRoutesOptions = {
  /** Null for a plane that keeps nothing on its machine. */
  dataDirectory: string | null;
  startedAt: string;
  /** What it cannot reach just now and waits for. */
  waitingFor(): string[];
  /** Frees what nothing refers to. */
  prune(): Promise<PruneAnswer>;
  /** Ends this process in order, after the answer has been sent. */
  shutDown(): void;
};

/** The routes of the plane itself. */
export function planeRoutes(plane: Plane, options: PlaneRoutesOptions): RouteTable {
  const runningBuilds = () =>
    plane.database.query
      .selectFrom('deployments')
      .select(['id', 'project_slug'])
      .where('deployment_status', '=', 'building')
      .execute();
  return {
    health: {
      async answer(): Promise<Health> {
        const waitingFor = options.waitingFor();
        return { status: 'ok', version, ...(waitingFor.length === 0 ? {} : { waitingFor }) };
      },
    },
    whoami: {
      async answer({ caller }): Promise<WhoAmI> {
        if (caller.kind !== 'holder') throw new Error('this route is for holders of tokens');
        return whoAmI(plane, caller.holder, caller.token);
      },
    },
    regions: {
      async answer(): Promise<RegionList> {
        return { regions: describeRegions(plane.sites.regions) };
      },
    },
    plane: {
      async answer(): Promise<PlaneStatus> {
        const builds = await runningBuilds();
        return {
          status: 'ok',
          version,
          pid: process.pid,
          url: plane.settings.url,
          dataDirectory: options.dataDirectory,
          startedAt: options.startedAt,
          runningBuilds: builds.map((row) => ({ deployment: row.id, project: row.project_slug })),
          memory: process.memoryUsage.rss(),
        };
      },
    },
    stopPlane: {
      async answer({ request, response }) {
        const { ifIdle } = parse(stopPlaneSchema, request.body);
        const builds = ifIdle ? await runningBuilds() : [];
        if (builds.length > 0) {
          throw new SphereError('PLANE_BUSY', `${builds.length} builds are running`, {
            hint: 'Wait for them, or cancel them with `sphere cancel`.',
            details: builds.map((row) => `${row.project_slug} ${row.id}`),
          });
        }
        response.on('finish', options.shutDown);
        return {};
      },
    },
    prune: { answer: () => options.prune() },
  };
}
