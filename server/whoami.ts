/** Whose token it is that calls. */
import type { WhoAmI } from '../contract/api.ts';
import { version } from '../contract/version.ts';
import type { Holder } from './callers.ts';
import { hashToken } from './keys.ts';
import type { Plane } from './plane.ts';

/** What is known of `token`, which `holder` holds. The token of an embedded plane is in no table. */
export async function whoAmI(
  { database: { query }, now }: Pick<Plane, 'database' | 'now'>,
  holder: Holder,
  token: string,
): Promise<WhoAmI> {
  const row = await query
    .selectFrom('tokens')
    .select(['id', 'name', 'expires_at'])
    .where('hash', '=', hashToken(token))
    .executeTakeFirst();
  const account =
    holder.account === null
      ? undefined
      : await query.selectFrom('accounts').select('name').where('id', '=', holder.account).executeTakeFirst();
  return {
    version,
    time: new Date(now()).toISOString(),
    account: account?.name ?? null,
    admin: holder.admin,
    token: row ? { id: row.id, name: row.name, expiresAt: row.expires_at?.toISOString() ?? null } : null,
  };
}
