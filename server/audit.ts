/** The audit log: every change, who has made it, when, and from where. */
import { type SqlBool, sql } from 'kysely';
import type { ActorKind, AuditEntry, AuditList } from '../contract/accounts-api.ts';
import { SphereError } from '../contract/errors.ts';
import { asker } from './asked-by.ts';
import type { Queries } from './plane.ts';

export type Change = {
  /** The name of the route, or what the plane does by itself. */
  action: string;
  /** Whose object it is; default: the asker's account. */
  account?: string | null;
  /** The slug. */
  project?: string | null;
  object?: string | null;
  /** Who makes it, where that is not whose token was shown. */
  actor?: { kind: ActorKind; id: string | null };
};

/** Writes a change down, in the transaction that makes it where there is one. */
export async function recordChange(db: Queries, change: Change): Promise<void> {
  const who = asker();
  const actor = change.actor ?? { kind: who?.kind ?? 'plane', id: who?.id ?? null };
  await db
    .insertInto('audit')
    .values({
      at: new Date(),
      account_id: change.account === undefined ? (who?.account ?? null) : change.account,
      actor_kind: actor.kind,
      actor: actor.id,
      action: change.action,
      project: change.project ?? null,
      object: change.object ?? null,
      address: who?.address ?? null,
      request_id: who?.requestId ?? null,
    })
    .execute();
  if (who) who.recorded = true;
}

export type AuditQuery = {
  /** Null: of every account, and of the plane itself. */
  account: string | null;
  project: string | undefined;
  limit: number;
  before: string | undefined;
};

/** A page of the log, newest first. Throws `REQUEST_INVALID` for a cursor that is none. */
export async function listChanges(
  db: Queries,
  { account, project, limit, before }: AuditQuery,
): Promise<AuditList> {
  if (before !== undefined && !/^[1-9]\d{0,17}$/.test(before)) {
    throw new SphereError('REQUEST_INVALID', '"before" takes the "next" of an earlier answer');
  }
  let query = db
    .selectFrom('audit')
    .leftJoin('accounts', 'accounts.id', 'audit.account_id')
    .selectAll('audit')
    .select('accounts.name as account')
    .orderBy('audit.id', 'desc')
    // One more than is shown: whether there is another page.
    .limit(limit + 1);
  if (account !== null) query = query.where('audit.account_id', '=', account);
  if (project !== undefined) query = query.where('audit.project', '=', project);
  if (before !== undefined) query = query.where(sql<SqlBool>`audit.id < ${before}::bigint`);
  const rows = await query.execute();
  const entries = rows.slice(0, limit).map(
    (row): AuditEntry => ({
      id: String(row.id),
      at: row.at.toISOString(),
      account: row.account,
      actor: { kind: row.actor_kind, id: row.actor },
      action: row.action,
      project: row.project,
      object: row.object,
      address: row.address,
      requestId: row.request_id,
    }),
  );
  return { entries, next: rows.length > limit ? (entries.at(-1)?.id ?? null) : null };
}
