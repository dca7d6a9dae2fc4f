/** What is true of a hosted plane as a whole, the same in all its replicas. */
import { SphereError } from '../contract/errors.ts';
import type { Database } from './database/database.ts';
import type { PlaneFactTable } from './database/tables.ts';
import { newId } from './keys.ts';

/** The id of the plane, which is drawn once: its buckets and tasks are tagged with it. */
export function planeId(database: Database): Promise<string> {
  return remembered(database, 'id', newId('pln'));
}

/** The value of a fact, which is `first` from now on where there was none. Any number of processes may ask at once. */
async function remembered({ query }: Database, name: PlaneFactTable['name'], first: string): Promise<string> {
  await query
    .insertInto('plane_facts')
    .values({ name, value: first })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const { value } = await query
    .selectFrom('plane_facts')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirstOrThrow();
  return value;
}

/** The settings that the names of buckets come from, as they are called in the environment; null: not set. */
export type BucketNameSettings = Readonly<Record<string, string | null>>;

/**
 * Refuses other names of buckets than those that the plane has used: its sites, and all that it keeps of them, lie in
 * buckets of the old names. As long as it has no project it may be called otherwise. Throws `CONFIGURATION_INVALID`.
 */
export async function keepBucketNames(database: Database, settings: BucketNameSettings): Promise<void> {
  const wanted = JSON.stringify(settings);
  const known = await remembered(database, 'bucket names', wanted);
  if (known === wanted) return;
  const { query } = database;
  const project = await query.selectFrom('projects').select('slug').limit(1).executeTakeFirst();
  if (!project) {
    await query
      .updateTable('plane_facts')
      .set({ value: wanted })
      .where('name', '=', 'bucket names')
      .execute();
    return;
  }
  throw new SphereError(
    'CONFIGURATION_INVALID',
    'the buckets would be called otherwise than those in which the sites of this plane lie',
    {
      details: changesOf(JSON.parse(known) as BucketNameSettings, settings),
      hint: 'Set them as they were. Other names need a plane of its own, with a database of its own.',
    },
  );
}

function changesOf(known: BucketNameSettings, wanted: BucketNameSettings): string[] {
  const names = [...new Set([...Object.keys(known), ...Object.keys(wanted)])];
  const shown = (value: string | null | undefined) => (value == null ? 'not set' : value);
  return names
    .filter((name) => known[name] !== wanted[name])
    .map((name) => `${name} was ${shown(known[name])}, and is ${shown(wanted[name])}`);
}
