/** The history of deployments, newest first, a page at a time. */
import { sql } from 'kysely';
import type { DeploymentList } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { type DeploymentStatus, LIVE } from '../contract/words.ts';
import { shownColumns, viewDeployment } from './deployments.ts';
import type { Plane } from './plane.ts';

export type HistoryPage = {
  /** The id of the project; undefined: all of the account. */
  project: string | undefined;
  limit: number;
  /** `next` of the page before. */
  before: string | undefined;
  /** Only deployments in one of these. */
  statuses?: readonly DeploymentStatus[] | undefined;
  /** Only deployments of this branch. */
  branch?: string | undefined;
};

/** The branch of a source as it is kept. The index `deployments_branch_pages` is on the very same expression. */
export const branchOf = sql<string>`coalesce(source ->> 'branch', source #>> '{git,branch}', source ->> 'ref')`;

/** Where a page ends: what the index sorts by. Several deployments may share a millisecond. */
type Cursor = { createdAt: Date; order: number; id: string };

/** The targets that serve it: its own, and `live` when it was promoted. As `liveDeployments` has it. */
const liveOn = sql<string[]>`array(
  select targets.name from targets join publications on publications.id = targets.live_publication_id
  where targets.project_id = deployments.project_id and targets.name in (deployments.target, ${LIVE})
    and publications.deployment_id = deployments.id and (targets.expires_at is null or targets.expires_at > now()))`;

/** A page of the account's deployments. Throws `REQUEST_INVALID` for a cursor that is none. */
export async function listDeployments(
  plane: Plane,
  account: string,
  { project, limit, before, statuses, branch }: HistoryPage,
): Promise<DeploymentList> {
  let query = plane.database.query
    .selectFrom('deployments')
    .select(shownColumns)
    .select(['order', liveOn.as('live_on')])
    .where('account_id', '=', account)
    .orderBy('created_at', 'desc')
    .orderBy('order', 'desc')
    .orderBy('id', 'desc')
    // One more than is shown: whether there is another page.
    .limit(limit + 1);
  if (project !== undefined) query = query.where('project_id', '=', project);
  if (statuses !== undefined) query = query.where('deployment_status', 'in', statuses);
  if (branch !== undefined) query = query.where(branchOf, '=', branch);
  if (before !== undefined) {
    const { createdAt, order, id } = readCursor(before);
    query = query.where(
      sql<boolean>`(created_at, "order", id) < (${createdAt}::timestamptz, ${order}::integer, ${id})`,
    );
  }
  const rows = await query.execute();
  const page = rows.slice(0, limit);
  const live = new Map(
    page.flatMap((row) => row.live_on.map((target) => [`${row.project_id} ${target}`, row.id])),
  );
  const last = page.at(-1);
  return {
    deployments: page.map((row) => viewDeployment(plane, row, live)),
    next:
      rows.length > limit && last
        ? writeCursor({ createdAt: last.created_at, order: last.order, id: last.id })
        : null,
  };
}

function writeCursor({ createdAt, order, id }: Cursor): string {
  return Buffer.from(JSON.stringify([createdAt.getTime(), order, id])).toString('base64url');
}

/** The end of the year 9999: later, and before 1970, no deployment is, and PostgreSQL takes not every time. */
const latestMs = Date.UTC(9999, 11, 31);

function readCursor(text: string): Cursor {
  try {
    const [time, order, id] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [
      number,
      number,
      string,
    ];
    const createdAt = new Date(time);
    const isTime = createdAt.getTime() >= 0 && createdAt.getTime() <= latestMs;
    const isOrder = Number.isInteger(order) && order >= 0 && order <= 2 ** 31 - 1;
    if (!isTime || !isOrder || !/^[a-z0-9_]{1,64}$/.test(id)) throw new Error();
    return { createdAt, order, id };
  } catch (cause) {
    throw new SphereError('REQUEST_INVALID', '"before" takes the "next" of an earlier answer', { cause });
  }
}
