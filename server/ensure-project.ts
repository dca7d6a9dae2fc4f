/** The project of a deployment: found, made on first use, or taken back into use after its removal. */
import { sql, type Transaction } from 'kysely';
import type { CreateDeployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { LIVE, slugRefusal } from '../contract/words.ts';
import type { Tables } from './database/tables.ts';
import { newId } from './keys.ts';
import type { Plane } from './plane.ts';
import { liveSite, type ProjectRow } from './projects.ts';
import { checkProjects } from './quotas.ts';
import { siteBeingRemoved } from './targets.ts';

/** Finds or makes the project, and refuses to deploy over one that belongs to another place. */
export async function ensureProject(
  plane: Plane,
  account: string,
  request: CreateDeployment,
  region: string | null,
): Promise<ProjectRow> {
  const { query } = plane.database;
  const find = () =>
    query.selectFrom('projects').selectAll().where('slug', '=', request.project).executeTakeFirst();
  // Somebody else may make it in the same moment.
  const found = await find();
  if (!found) checkNewSlug(plane, request.project);
  const project = found ?? (await makeProject(plane, account, request, region)) ?? (await find());
  if (!project) throw new Error(`the project ${request.project} was made and is not there`);
  checkOrigin(project, account, request);
  if (region !== null && region !== project.bucket_location) {
    throw new SphereError('SLUG_IN_USE', `the site "${project.slug}" is kept in ${project.bucket_location}`, {
      hint: `Leave --region out, or choose another slug for the site in ${region}.`,
    });
  }
  if (project.removed_at !== null) await revive(plane, project);
  const port = await plane.addresses.open(liveSite(project), project.port, null);
  if (port !== project.port) {
    await query.updateTable('projects').set({ port }).where('id', '=', project.id).execute();
  }
  return project;
}

/** Makes the project and its live target; undefined when the slug is taken by now. Throws `LIMIT_REACHED`. */
async function makeProject(
  plane: Plane,
  account: string,
  request: CreateDeployment,
  region: string | null,
): Promise<ProjectRow | undefined> {
  return plane.database.transaction(async (trx) => {
    await checkProjects(plane, trx, account);
    return insertProject(plane, trx, { account, request, region });
  });
}

async function insertProject(
  plane: Plane,
  trx: Transaction<Tables>,
  { account, request, region }: { account: string; request: CreateDeployment; region: string | null },
): Promise<ProjectRow | undefined> {
  const now = new Date(plane.now());
  return trx
    .with('made', (db) =>
      db
        .insertInto('projects')
        .values({
          id: newId('prj'),
          account_id: account,
          slug: request.project,
          bucket_location: region ?? (plane.sites.regions[0] as string),
          origin: request.origin,
          port: null,
          created_at: now,
          updated_at: now,
        })
        .onConflict((conflict) => conflict.column('slug').doNothing())
        .returningAll(),
    )
    .with('target', (db) =>
      db
        .insertInto('targets')
        .columns(['project_id', 'name'])
        .expression((eb) => eb.selectFrom('made').select(['made.id', eb.val(LIVE).as('name')])),
    )
    .selectFrom('made')
    .selectAll()
    .executeTakeFirst();
}

/** Takes a removed project back into use, once all that it served has been taken away. */
async function revive(plane: Plane, project: ProjectRow): Promise<void> {
  const { query } = plane.database;
  const half = await query
    .selectFrom('targets')
    .select('name')
    .where('project_id', '=', project.id)
    // A preview may have gone long before its project.
    .where(
      sql<boolean>`(emptied_at is null or emptied_at < coalesce(removed_at, ${project.removed_at}::timestamptz))`,
    )
    .executeTakeFirst();
  if (half) throw siteBeingRemoved(project);
  const revived = await query
    .updateTable('projects')
    .set({ removed_at: null })
    .where('id', '=', project.id)
    // Not one that was removed again since it was looked at. JavaScript's times have no microseconds.
    .where(sql<boolean>`date_trunc('milliseconds', removed_at) = ${project.removed_at}::timestamptz`)
    .returning('id')
    .executeTakeFirst();
  if (revived) return;
  const { removed_at } = await query
    .selectFrom('projects')
    .select('removed_at')
    .where('id', '=', project.id)
    .executeTakeFirstOrThrow();
  // Another request has taken it back into use.
  if (removed_at !== null) throw siteBeingRemoved(project);
}

function checkOrigin(project: ProjectRow, account: string, request: CreateDeployment): void {
  const foreign = project.account_id !== account;
  if (!foreign && (request.projectNamed || project.origin === request.origin)) return;
  const from = foreign ? 'another account' : project.origin;
  throw new SphereError(
    'SLUG_IN_USE',
    `the slug "${request.project}" is in use: that site is deployed from ${from}`,
    {
      hint: foreign
        ? 'Choose another with --slug.'
        : `Choose another with --slug, or replace that site on purpose with --slug ${request.project}.`,
    },
  );
}

/** Throws `REQUEST_INVALID`. On a plane that is its one user's own there is nobody to be taken in. */
function checkNewSlug({ settings }: Plane, slug: string): void {
  const refusal = settings.exclusive ? null : slugRefusal(slug);
  if (refusal !== null)
    throw new SphereError('REQUEST_INVALID', refusal, { hint: 'Choose another with --slug.' });
}
