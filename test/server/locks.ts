/** Who waits for whom in PostgreSQL. */
import { sql } from 'kysely';
import type { Database } from '../../server/database/database.ts';

/** How many statements of the database wait for a lock now. */
export async function waitingForLocks({ query }: Database): Promise<number> {
  const { rows } = await sql`select 1 from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`.execute(query);
  return rows.length;
}
