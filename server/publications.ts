/** Publications as rows: asking for one, its place in its target's order, and its end. */
import type { Selectable, Transaction } from 'kysely';
import type { Manifest } from '../contract/manifest.ts';
import { type Attempt, onBuiltAttempt } from './attempts.ts';
import type { PublicationTable, Tables, TargetTable } from './database/tables.ts';
import type { DeploymentRow } from './deployments.ts';
import { newId } from './keys.ts';
import { databaseNow } from './leases.ts';
import { enterPhase } from './phases.ts';
import type { Plane } from './plane.ts';
import { compareManifests } from './publication-plan.ts';

export type PublicationRow = Selectable<PublicationTable>;

/** Asks for the publication of what an attempt has built. Repeating it changes nothing. */
export async function requestPublication(
  plane: Plane,
  attempt: Attempt,
  built: { uploaded: number; uploadedBytes: number; warnings: string[]; manifest: Manifest },
): Promise<void> {
  await onBuiltAttempt(plane, attempt, async (trx, row) => {
    const now = plane.now();
    const asked = await trx
      .selectFrom('publications')
      .select('id')
      .where('deployment_id', '=', row.id)
      .where('kind', '=', 'deploy')
      .executeTakeFirst();
    if (asked) return;
    const figures = {
      ...compareManifests(null, built.manifest),
      uploaded: built.uploaded,
      uploadedBytes: built.uploadedBytes,
    };
    await trx
      .updateTable('deployments')
      .set({
        phase: 'publish',
        phases: JSON.stringify(enterPhase(row.phases, 'publish', now)),
        warnings: JSON.stringify(built.warnings),
        figures: JSON.stringify(figures),
        git_token: null,
        updated_at: new Date(now),
      })
      .where('id', '=', row.id)
      .execute();
    await insertPublication(trx, row, 'deploy', row.order, now);
  });
  plane.wake();
}

/** Adds a waiting publication of `row` with its place in the target's order. */
export async function insertPublication(
  trx: Transaction<Tables>,
  row: Pick<DeploymentRow, 'id' | 'project_id' | 'target'>,
  kind: PublicationRow['kind'],
  order: number,
  now: number,
): Promise<string> {
  const id = newId('pub');
  await trx
    .insertInto('publications')
    .values({
      id,
      project_id: row.project_id,
      target: row.target,
      deployment_id: row.id,
      kind,
      order,
      state: 'waiting',
      created_at: new Date(now),
    })
    .execute();
  return id;
}

/** The target, locked until the transaction ends. Whoever also locks publications or deployments does so afterwards. */
export async function lockTarget(
  trx: Transaction<Tables>,
  project: string,
  target: string,
): Promise<Selectable<TargetTable>> {
  return trx
    .selectFrom('targets')
    .selectAll()
    .where('project_id', '=', project)
    .where('name', '=', target)
    .forUpdate()
    .executeTakeFirstOrThrow();
}

/** Ends a publication. */
export async function finishPublication(
  trx: Transaction<Tables>,
  publication: Pick<PublicationRow, 'id'>,
  state: 'done' | 'outrun' | 'failed',
): Promise<void> {
  await trx
    .updateTable('publications')
    .set({ state, finished_at: databaseNow, lease_owner: null, lease_expires_at: null })
    .where('id', '=', publication.id)
    .execute();
}
