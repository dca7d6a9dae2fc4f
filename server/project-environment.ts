/** The environment values of projects: kept sealed, given to builders, and never given out again where they are secrets. */
import { createHash } from 'node:crypto';
import type { Selectable, Transaction } from 'kysely';
import type {
  EnvironmentList,
  RemoveEnvironmentValueAnswer,
  SetEnvironmentValue,
  SetEnvironmentValueAnswer,
} from '../contract/environment-api.ts';
import {
  type BuildValue,
  clientPrefixOf,
  type EnvironmentScope,
  environmentLimits,
  environmentNameProblem,
  environmentScopes,
  mergeEnvironment,
  scopeOf,
  utf8Bytes,
} from '../contract/environment-values.ts';
import { SphereError } from '../contract/errors.ts';
import { recordChange } from './audit.ts';
import type { EnvironmentValueTable, Tables } from './database/tables.ts';
import type { DeploymentRow } from './deployments.ts';
import type { Keys } from './keys.ts';
import type { Plane, Queries } from './plane.ts';
import { noSuchProject } from './projects.ts';

type Row = Selectable<EnvironmentValueTable>;
type Place = Pick<Row, 'project_id' | 'scope' | 'name' | 'sensitive'>;

/**
 * What a value is sealed for. Whoever can write to the database can neither move a secret into another project or scope,
 * nor have it given out by calling it plain.
 */
export const sealedFor = ({ project_id, scope, name, sensitive }: Place) =>
  `environment ${project_id} ${scope} ${name} ${sensitive ? 'sensitive' : 'plain'}`;

/** The values of `project`, by name; those of secrets are left out. */
export async function listEnvironment(
  plane: Plane,
  project: string,
  scope: EnvironmentScope | undefined,
): Promise<EnvironmentList> {
  let query = plane.database.query
    .selectFrom('environment_values')
    .selectAll()
    .where('project_id', '=', project);
  if (scope !== undefined) query = query.where('scope', '=', scope);
  const rows = await query.orderBy('name').orderBy('scope').execute();
  return {
    values: rows.map((row) => ({
      name: row.name,
      scope: row.scope,
      sensitive: row.sensitive,
      ...(row.sensitive ? {} : shownValue(plane.keys, row)),
      updatedAt: row.updated_at.toISOString(),
    })),
  };
}

/**
 * Sets `name` in each of the scopes, in one transaction, and reads it back. A value that is there already is left as it
 * is. Throws `REQUEST_INVALID` for names and values that cannot be, and beyond the limits of a project.
 */
export async function setEnvironmentValue(
  plane: Plane,
  project: string,
  account: string,
  name: string,
  request: SetEnvironmentValue,
): Promise<SetEnvironmentValueAnswer> {
  refuseName(name);
  refusePublicSecret(name, request.sensitive);
  const { value, sensitive } = request;
  return plane.database.transaction(async (trx) => {
    // One at a time for each project: the limits are for what is there in the end.
    const owner = await lockProject(trx, project);
    await recordChange(trx, { ...owner, action: 'setEnvironmentValue', object: name });
    const scopes: SetEnvironmentValueAnswer['scopes'] = [];
    for (const scope of request.scopes) {
      const place = { project_id: project, scope, name, sensitive };
      const before = await findValue(trx, place);
      if (before?.sensitive !== sensitive || tryOpen(plane.keys, before) !== value) {
        await write(plane, trx, place, value, account);
      }
      scopes.push({ scope, replaced: before !== undefined });
      await refuseTooMany(trx, place);
    }
    const stored = await Promise.all(
      request.scopes.map(async (scope) => {
        const row = await findValue(trx, { project_id: project, scope, name, sensitive });
        return row && openValue(plane.keys, row);
      }),
    );
    if (stored.some((one) => one !== value)) throw new Error(`the value of ${name} was stored wrongly`);
    return {
      name,
      scopes,
      sensitive,
      sha256: createHash('sha256')
        .update(stored[0] ?? '')
        .digest('hex'),
    };
  });
}

const findValue = (trx: Queries, { project_id, scope, name }: Place) =>
  trx
    .selectFrom('environment_values')
    .selectAll()
    .where('project_id', '=', project_id)
    .where('scope', '=', scope)
    .where('name', '=', name)
    .executeTakeFirst();

async function write(
  { keys, now }: Plane,
  trx: Transaction<Tables>,
  place: Place,
  value: string,
  account: string,
): Promise<void> {
  const content = {
    sealed: keys.seal(value, sealedFor(place)),
    key_id: keys.id,
    sensitive: place.sensitive,
    bytes: place.name.length + utf8Bytes(value) + 2,
    updated_at: new Date(now()),
    updated_by: account,
  };
  await trx
    .insertInto('environment_values')
    .values({ ...place, ...content })
    .onConflict((conflict) => conflict.columns(['project_id', 'scope', 'name']).doUpdateSet(content))
    .execute();
}

async function refuseTooMany(trx: Transaction<Tables>, { project_id, scope }: Place): Promise<void> {
  const { values, totalBytes } = environmentLimits;
  const has = await trx
    .selectFrom('environment_values')
    .select((eb) => [eb.fn.countAll<string>().as('values'), eb.fn.sum<string>('bytes').as('bytes')])
    .where('project_id', '=', project_id)
    .where('scope', '=', scope)
    .executeTakeFirstOrThrow();
  if (Number(has.values) <= values && Number(has.bytes) <= totalBytes) return;
  throw new SphereError(
    'REQUEST_INVALID',
    `a project may have ${values} values and ${totalBytes} bytes of them in ${scope}, and this would be more`,
    {
      hint: 'Remove what is not used with `sphere env rm`, or keep large values in a file that the build fetches.',
    },
  );
}

function refuseName(name: string): void {
  const problem = environmentNameProblem(name);
  if (problem !== null) throw new SphereError('REQUEST_INVALID', `"${name.slice(0, 200)}" ${problem}`);
}

function refusePublicSecret(name: string, sensitive: boolean): void {
  const prefix = sensitive ? clientPrefixOf(name) : null;
  if (prefix === null) return;
  throw new SphereError(
    'REQUEST_INVALID',
    `${name} cannot be a secret: frameworks put what begins with ${prefix} into the pages, where everybody reads it`,
    { hint: 'Store it with --plain if everybody may read it, else under a name without that prefix.' },
  );
}

/**
 * Whoever changes values of the project takes turns: locked first, so that no two wait for each other. Whose they are.
 * Throws `NOT_FOUND` when it was removed meanwhile, and its values with it.
 */
async function lockProject(
  trx: Transaction<Tables>,
  id: string,
): Promise<{ account: string; project: string }> {
  const { slug, account_id, removed_at } = await trx
    .selectFrom('projects')
    .select(['slug', 'account_id', 'removed_at'])
    .where('id', '=', id)
    .forNoKeyUpdate()
    .executeTakeFirstOrThrow();
  if (removed_at !== null) throw noSuchProject(slug);
  return { account: account_id, project: slug };
}

/** Removes `name` from `scope`, or from both. Throws `NOT_FOUND`. */
export async function removeEnvironmentValue(
  plane: Plane,
  project: string,
  name: string,
  scope: EnvironmentScope | undefined,
): Promise<RemoveEnvironmentValueAnswer> {
  const removed = await plane.database.transaction(async (trx) => {
    const owner = await lockProject(trx, project);
    const rows = await trx
      .deleteFrom('environment_values')
      .where('project_id', '=', project)
      .where('name', '=', name)
      .where('scope', 'in', scope === undefined ? environmentScopes : [scope])
      .returning('scope')
      .execute();
    if (rows.length > 0)
      await recordChange(trx, { ...owner, action: 'removeEnvironmentValue', object: name });
    return rows;
  });
  if (removed.length > 0) return { name, scopes: removed.map((row) => row.scope).sort() };
  const where = scope === undefined ? '' : ` for ${scope}`;
  throw new SphereError('NOT_FOUND', `there is no environment value "${name.slice(0, 200)}"${where}`, {
    hint: 'See `sphere env ls`.',
  });
}

/** Takes all values of a project that is removed. */
export async function removeEnvironment(trx: Transaction<Tables>, project: string): Promise<void> {
  await trx.deleteFrom('environment_values').where('project_id', '=', project).execute();
}

/**
 * Tells the values that a deployment to `target` would get now from those of another time, without telling anything of
 * them; null when there are none.
 */
export async function environmentVersion(
  db: Queries,
  project: string,
  target: string,
): Promise<string | null> {
  const rows = await db
    .selectFrom('environment_values')
    .select(['name', 'sensitive', 'updated_at'])
    .where('project_id', '=', project)
    .where('scope', '=', scopeOf(target))
    .orderBy('name')
    .execute();
  if (rows.length === 0) return null;
  const seen = rows.map((row) => [row.name, row.sensitive, row.updated_at.getTime()]);
  return createHash('sha256').update(JSON.stringify(seen)).digest('hex');
}

/**
 * What the commands of a deployment get. An output that is built already has no commands, and whoever publishes it gets
 * nothing. Throws `CONFIGURATION_INVALID` for a value that none of the plane's keys opens.
 */
export async function buildEnvironmentOf(plane: Plane, row: DeploymentRow): Promise<BuildValue[]> {
  if (row.source.kind === 'prebuilt') return [];
  const rows = await plane.database.query
    .selectFrom('environment_values')
    .selectAll()
    .where('project_id', '=', row.project_id)
    .where('scope', '=', scopeOf(row.target))
    .execute();
  const values = rows.map((one) => ({
    name: one.name,
    sensitive: one.sensitive,
    value: openValue(plane.keys, one),
  }));
  return mergeEnvironment(row.environment ?? {}, values);
}

/** Undefined when none of the keys opens it. */
function tryOpen(keys: Keys, row: Row): string | undefined {
  try {
    return keys.open(row.sealed, sealedFor(row));
  } catch {
    return undefined;
  }
}

/** One value that does not open must not hide the others. */
function shownValue(keys: Keys, row: Row): { value?: string } {
  const value = tryOpen(keys, row);
  return value === undefined ? {} : { value };
}

function openValue(keys: Keys, row: Row): string {
  try {
    return keys.open(row.sealed, sealedFor(row));
  } catch (cause) {
    throw new SphereError(
      'CONFIGURATION_INVALID',
      `the environment value ${row.name} cannot be opened with the key of this plane`,
      {
        hint: `Give the plane the key that it had before as SPHERE_KEY_PREVIOUS, or remove the value and set it again: \`sphere env rm ${row.name} --scope ${row.scope}\`.`,
        cause,
      },
    );
  }
}
