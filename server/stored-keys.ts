/** Whether the plane's key is the one that what is stored was sealed with: a wrong one would else show in the builds alone. */
import { SphereError } from '../contract/errors.ts';
import type { Database } from './database/database.ts';
import type { Keys } from './keys.ts';

/** How many environment values are stored, and how many of them `keys` do not open. */
export async function countStored(
  { query }: Pick<Database, 'query'>,
  keys: Pick<Keys, 'ids'>,
): Promise<{ all: number; unopened: number }> {
  const counts = await query
    .selectFrom('environment_values')
    .select(({ fn }) => ['key_id', fn.countAll<string>().as('values')])
    .groupBy('key_id')
    .execute();
  const sum = (rows: typeof counts) => rows.reduce((total, { values }) => total + Number(values), 0);
  return { all: sum(counts), unopened: sum(counts.filter(({ key_id }) => !keys.ids.includes(key_id))) };
}

/** Throws `CONFIGURATION_INVALID` where the key opens nothing of what is stored: it is another plane's, or was lost. */
export async function checkStoredKey(
  database: Pick<Database, 'query'>,
  keys: Pick<Keys, 'ids'>,
): Promise<void> {
  const { all, unopened } = await countStored(database, keys);
  if (all === 0 || unopened < all) return;
  throw new SphereError(
    'CONFIGURATION_INVALID',
    `SPHERE_KEY opens none of the ${all} environment values in the database: they were sealed with another key`,
    {
      hint: 'Set SPHERE_KEY as it is on the other replicas, or was before. If it is lost: `delete from environment_values` in the database, and set the values again.',
    },
  );
}
