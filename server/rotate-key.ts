/** Changes the plane's key: what is kept sealed is sealed anew, so that the key before can be forgotten. */
import { join } from 'node:path';
import { sql } from 'kysely';
import { SphereError } from '../contract/errors.ts';
import { makeDataDirectory } from '../files/make-directory.ts';
import { packageRoot } from '../files/package-root.ts';
import { dataPaths, forgetPreviousKey, readKey, readPreviousKey, replaceKey } from './data-directory.ts';
import type { Database } from './database/database.ts';
import { openEmbeddedDatabase } from './database/embedded.ts';
import { lockDirectory } from './directory-lock.ts';
import { createKeys, type Keys } from './keys.ts';
import { sealedFor } from './project-environment.ts';

export type Resealed = {
  /** How many environment values and Git tokens are sealed anew. */
  values: number;
  tokens: number;
  /** What none of the keys opens: `NAME (live, of project SLUG)`. */
  unreadable: string[];
};

const pageSize = 100;

/**
 * Seals everything with the current key of `keys`. Safe to repeat and beside replicas at work: a row that has changed
 * meanwhile is left, because whoever changed it has sealed it.
 */
export async function resealAll(database: Database, keys: Keys): Promise<Resealed> {
  const values = await resealValues(database, keys);
  return { ...values, tokens: await resealTokens(database, keys) };
}

async function resealValues({ query }: Database, keys: Keys): Promise<Omit<Resealed, 'tokens'>> {
  const done = { values: 0, unreadable: [] as string[] };
  for (let after = { project_id: '', scope: '', name: '' }; ; ) {
    const rows = await query
      .selectFrom('environment_values')
      .innerJoin('projects', 'projects.id', 'environment_values.project_id')
      .select(['project_id', 'scope', 'name', 'sealed', 'sensitive', 'projects.slug'])
      .where('key_id', '<>', keys.id)
      .where(sql<boolean>`(project_id, scope, name) > (${after.project_id}, ${after.scope}, ${after.name})`)
      .orderBy('project_id')
      .orderBy('scope')
      .orderBy('name')
      .limit(pageSize)
      .execute();
    for (const row of rows) {
      const sealed = attempt(() => keys.reseal(row.sealed, sealedFor(row)) ?? row.sealed);
      if (sealed === null) {
        done.unreadable.push(`${row.name} (${row.scope}, of project ${row.slug})`);
        continue;
      }
      const { numUpdatedRows } = await query
        .updateTable('environment_values')
        .set({ sealed, key_id: keys.id })
        .where('project_id', '=', row.project_id)
        .where('scope', '=', row.scope)
        .where('name', '=', row.name)
        .where('sealed', '=', row.sealed)
        .executeTakeFirst();
      done.values += Number(numUpdatedRows);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < pageSize) return done;
    after = last;
  }
}

/** Tokens for repositories of deployments that have not come to their install. One that nobody can open is of no use. */
async function resealTokens({ query }: Database, keys: Keys): Promise<number> {
  const rows = await query
    .selectFrom('deployments')
    .select(['id', 'git_token'])
    .where('git_token', 'is not', null)
    .execute();
  let tokens = 0;
  for (const { id, git_token } of rows) {
    const sealed = attempt(() => keys.reseal(git_token ?? ''));
    if (sealed === null) continue;
    const { numUpdatedRows } = await query
      .updateTable('deployments')
      .set({ git_token: sealed })
      .where('id', '=', id)
      .where('git_token', '=', git_token)
      .executeTakeFirst();
    tokens += Number(numUpdatedRows);
  }
  return tokens;
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

/**
 * Draws a new key for the embedded plane of `home`, which must not run, and seals everything with it. An interruption
 * leaves both keys: the plane works with them, and the next call ends what this one began. Throws `PLANE_BUSY` while the
 * plane or a build runs, whose token is made with the key.
 */
export async function rotateEmbeddedKey(home: string): Promise<Resealed> {
  makeDataDirectory(home);
  const lock = await lockDirectory(home);
  if ('heldBy' in lock) {
    throw new SphereError('PLANE_BUSY', `Process ${lock.heldBy.pid} serves ${home}.`, {
      hint: 'Stop it first: `sphere server stop`.',
    });
  }
  try {
    const { database: directory, backups } = dataPaths(home);
    const assets = join(packageRoot(), 'dist', 'pglite');
    const database = await openEmbeddedDatabase({ directory, backups, assets });
    try {
      await refuseWhileBuilding(database);
      // What an interrupted call has left is of the keys that are there now.
      await resealAll(database, createKeys(await readKey(home), await readPreviousKey(home)));
      await replaceKey(home);
      const keys = createKeys(await readKey(home), await readPreviousKey(home));
      const resealed = await resealAll(database, keys);
      await forgetPreviousKey(home);
      return resealed;
    } finally {
      await database.close();
    }
  } finally {
    await lock.release();
  }
}

async function refuseWhileBuilding({ query }: Database): Promise<void> {
  const row = await query
    .selectFrom('deployments')
    .select(['id', 'project_slug'])
    .where('deployment_status', '=', 'building')
    .executeTakeFirst();
  if (!row) return;
  throw new SphereError('PLANE_BUSY', `${row.project_slug} is being built (${row.id}).`, {
    hint: `Wait for it with \`sphere logs ${row.id} -f\`, or cancel it: \`sphere cancel ${row.id}\`.`,
  });
}
