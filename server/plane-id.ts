/** The id of a hosted plane, the same in all its replicas: its buckets and tasks are tagged with it. */
import type { Database } from './database/database.ts';
import { newId } from './keys.ts';

/** Reads the id, which is drawn once. Any number of processes may do so at once. */
export async function planeId({ query }: Database): Promise<string> {
  await query
    .insertInto('plane_facts')
    .values({ name: 'id', value: newId('pln') })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const { value } = await query
    .selectFrom('plane_facts')
    .select('value')
    .where('name', '=', 'id')
    .executeTakeFirstOrThrow();
  return value;
}
