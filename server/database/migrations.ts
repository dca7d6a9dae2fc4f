/** Every migration, oldest first. SQL stays within PostgreSQL 15 and runs unchanged on PGlite. */
import {
  DEFAULT_MIGRATION_TABLE,
  type Kysely,
  type Migration,
  type MigrationProvider,
  Migrator,
  sql,
} from 'kysely';
import { environmentScopes } from '../../contract/environment-values.ts';
import { deploymentStatuses, publicationKinds, publicationStates, scopes } from '../../contract/words.ts';
import type { Tables } from './tables.ts';

/** `check (column in (…))`: a closed list is easier to extend later than an enum type. */
const oneOf = (column: string, values: readonly string[]) =>
  sql`${sql.ref(column)} in (${sql.join(values.map((value) => sql.lit(value)))})`;

const initial: Migration = {
  async up(db: Kysely<unknown>) {
    const now = sql`now()`;
    await db.schema
      .createTable('accounts')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .execute();

    await db.schema
      .createTable('projects')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id'))
      .addColumn('slug', 'text', (c) => c.notNull().unique())
      .addColumn('bucket_location', 'text', (c) => c.notNull())
      .addColumn('origin', 'text', (c) => c.notNull())
      .addColumn('port', 'integer')
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .addColumn('updated_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .execute();

    await db.schema
      .createTable('targets')
      .addColumn('project_id', 'text', (c) => c.notNull().references('projects.id'))
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('next_order', 'integer', (c) => c.notNull().defaultTo(1))
      .addColumn('live_publication_id', 'text')
      .addPrimaryKeyConstraint('targets_pkey', ['project_id', 'name'])
      .execute();

    await db.schema
      .createTable('deployments')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id'))
      .addColumn('project_id', 'text', (c) => c.notNull().references('projects.id'))
      .addColumn('target', 'text', (c) => c.notNull())
      .addColumn('project_slug', 'text', (c) => c.notNull())
      .addColumn('bucket_location', 'text', (c) => c.notNull())
      .addColumn('git_url', 'text')
      .addColumn('deployment_url', 'text', (c) => c.notNull())
      .addColumn('deployment_status', 'text', (c) =>
        c.notNull().check(oneOf('deployment_status', deploymentStatuses)),
      )
      .addColumn('reason', 'text')
      .addColumn('error', 'jsonb')
      .addColumn('phase', 'text')
      .addColumn('phases', 'jsonb', (c) => c.notNull())
      .addColumn('detections', 'jsonb', (c) => c.notNull())
      .addColumn('warnings', 'jsonb', (c) => c.notNull())
      .addColumn('figures', 'jsonb')
      .addColumn('source', 'jsonb', (c) => c.notNull())
      .addColumn('build', 'jsonb', (c) => c.notNull())
      .addColumn('serving', 'jsonb', (c) => c.notNull())
      .addColumn('no_cache', 'boolean', (c) => c.notNull())
      .addColumn('fingerprint', 'text', (c) => c.notNull())
      .addColumn('order', 'integer', (c) => c.notNull())
      .addColumn('attempt', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('lease_owner', 'text')
      .addColumn('lease_epoch', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('lease_expires_at', 'timestamptz')
      .addColumn('runner', 'jsonb')
      .addColumn('builder_token_hash', 'text')
      .addColumn('seen_at', 'timestamptz')
      .addColumn('lost_attempts', 'integer', (c) => c.notNull().defaultTo(0))
      .addColumn('stop_requested_at', 'timestamptz')
      .addColumn('stopped_at', 'timestamptz')
      .addColumn('git_token', 'text')
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .addColumn('updated_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .addColumn('started_at', 'timestamptz')
      .addColumn('finished_at', 'timestamptz')
      .addUniqueConstraint('deployments_order', ['project_id', 'target', 'order'])
      .execute();
    await db.schema
      .createIndex('deployments_history')
      .on('deployments')
      .columns(['project_id', 'created_at desc', 'id'])
      .execute();
    await db.schema
      .createIndex('deployments_of_account')
      .on('deployments')
      .columns(['account_id', 'created_at desc', 'id'])
      .execute();
    await sql`create index deployments_unfinished on deployments (deployment_status, created_at)
      where deployment_status in ('queued', 'building')`.execute(db);
    await sql`create index deployments_to_stop on deployments (id)
      where stop_requested_at is not null and stopped_at is null`.execute(db);

    await db.schema
      .createTable('publications')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('project_id', 'text', (c) => c.notNull().references('projects.id'))
      .addColumn('target', 'text', (c) => c.notNull())
      .addColumn('deployment_id', 'text', (c) => c.notNull().references('deployments.id'))
      .addColumn('kind', 'text', (c) => c.notNull().check(oneOf('kind', publicationKinds)))
      .addColumn('order', 'integer', (c) => c.notNull())
      .addColumn('state', 'text', (c) => c.notNull().check(oneOf('state', publicationStates)))
      .addColumn('lease_owner', 'text')
      .addColumn('lease_expires_at', 'timestamptz')
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .addColumn('started_at', 'timestamptz')
      .addColumn('finished_at', 'timestamptz')
      .addUniqueConstraint('publications_order', ['project_id', 'target', 'order'])
      .execute();
    await sql`create unique index publications_one_runs on publications (project_id, target)
      where state = 'running'`.execute(db);
    await sql`create index publications_unfinished on publications (state, project_id)
      where state in ('waiting', 'running')`.execute(db);
    await db.schema
      .createIndex('publications_of_deployment')
      .on('publications')
      .columns(['deployment_id'])
      .execute();

    await db.schema
      .createTable('idempotency_keys')
      .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id'))
      .addColumn('key', 'text', (c) => c.notNull())
      .addColumn('body_hash', 'text', (c) => c.notNull())
      .addColumn('deployment_id', 'text', (c) => c.notNull().references('deployments.id'))
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(now))
      .addPrimaryKeyConstraint('idempotency_keys_pkey', ['account_id', 'key'])
      .execute();
  },
};

/** Several processes on one database, tokens of several accounts, and pages of history. */
const hosted: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('tokens')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('account_id', 'text', (c) => c.references('accounts.id'))
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('hash', 'text', (c) => c.notNull().unique())
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
      .addColumn('expires_at', 'timestamptz')
      .addColumn('last_used_at', 'timestamptz')
      .execute();
    await db.schema
      .createIndex('tokens_of_account')
      .on('tokens')
      .columns(['account_id', 'created_at'])
      .execute();
    await db.schema.createIndex('accounts_name').on('accounts').column('name').unique().execute();
    await db.schema.alterTable('projects').addColumn('removed_at', 'timestamptz').execute();
    await db.schema.alterTable('deployments').addColumn('log_removed_at', 'timestamptz').execute();
    await sql`create index deployments_old_logs on deployments (finished_at) where log_removed_at is null`.execute(
      db,
    );
    await db.schema.alterTable('targets').addColumn('emptied_at', 'timestamptz').execute();
    await db.schema
      .createTable('duties')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('lease_owner', 'text')
      .addColumn('lease_expires_at', 'timestamptz')
      .addColumn('done_at', 'timestamptz')
      .execute();
    await db.schema
      .createTable('plane_facts')
      .addColumn('name', 'text', (c) => c.primaryKey())
      .addColumn('value', 'text', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('idempotency_keys_age').on('idempotency_keys').column('created_at').execute();
    // Pages of history are cut by all three; the indexes of the first version stay until no plane of it runs.
    for (const [name, owner] of [
      ['deployments_project_pages', 'project_id'],
      ['deployments_account_pages', 'account_id'],
    ] as const) {
      await sql`create index ${sql.ref(name)} on deployments (${sql.ref(owner)}, created_at desc, "order" desc, id desc)`.execute(
        db,
      );
    }
    await sql`create index deployments_queue on deployments (created_at) where deployment_status = 'queued'`.execute(
      db,
    );
    await sql`create index deployments_building on deployments (lease_owner, lease_expires_at)
      where deployment_status = 'building'`.execute(db);
    await sql`create index publications_done on publications (project_id, target, "order" desc)
      where state = 'done'`.execute(db);
  },
};

/** What the caller wants of isolation. */
const isolation: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('deployments').addColumn('isolation', 'text').execute();
  },
};

/** Lookups that read the whole queue, or whole tables, when there are many deployments and projects. */
const indexes: Migration = {
  async up(db: Kysely<unknown>) {
    // Of a target: by status alone, one target's were looked for among all that is queued.
    await sql`create index deployments_unfinished_of_target on deployments (project_id, target)
      where deployment_status in ('queued', 'building')`.execute(db);
    // Whose turn it is: the clause is that of the claim.
    await sql`create index deployments_claimable on deployments (account_id, created_at)
      where deployment_status = 'queued' and (runner is null or stopped_at is not null)`.execute(db);
    await sql`create index projects_of_account on projects (account_id, slug) where removed_at is null`.execute(
      db,
    );
  },
};

/** Previews: they end by themselves, and have a port of their own on embedded planes. */
const previews: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('targets')
      .addColumn('port', 'integer')
      .addColumn('expires_at', 'timestamptz')
      .addColumn('removed_at', 'timestamptz')
      .execute();
    await sql`create index targets_expiring on targets (expires_at) where expires_at is not null`.execute(db);
    await sql`create index targets_removed on targets (removed_at) where removed_at is not null`.execute(db);
  },
};

/** Pages of history by branch and by status. Adds, and changes nothing that the versions before read. */
const filters: Migration = {
  async up(db: Kysely<unknown>) {
    const page = sql`created_at desc, "order" desc, id desc`;
    await sql`create index deployments_branch_pages on deployments
      (project_id, (coalesce(source ->> 'branch', source #>> '{git,branch}', source ->> 'ref')), ${page})`.execute(
      db,
    );
    await sql`create index deployments_status_pages on deployments
      (project_id, deployment_status, ${page})`.execute(db);
  },
};

/** Environment values of projects, and the plain ones of single deployments. */
const environment: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .createTable('environment_values')
      .addColumn('project_id', 'text', (c) => c.notNull().references('projects.id'))
      .addColumn('scope', 'text', (c) => c.notNull().check(oneOf('scope', environmentScopes)))
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('sealed', 'text', (c) => c.notNull())
      .addColumn('key_id', 'text', (c) => c.notNull())
      .addColumn('sensitive', 'boolean', (c) => c.notNull())
      .addColumn('bytes', 'integer', (c) => c.notNull())
      .addColumn('updated_at', 'timestamptz', (c) => c.notNull())
      .addColumn('updated_by', 'text', (c) => c.notNull())
      .addPrimaryKeyConstraint('environment_values_pkey', ['project_id', 'scope', 'name'])
      .execute();
    await db.schema.createIndex('environment_values_key').on('environment_values').column('key_id').execute();
    await db.schema.alterTable('deployments').addColumn('environment', 'jsonb').execute();
  },
};

/** Scopes of tokens, jobs that need none, and who has changed what. Adds, and changes nothing that older planes read. */
const tokens: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema
      .alterTable('tokens')
      // Tokens of older planes, which knew no scopes: they may go on deploying.
      .addColumn('scope', 'text', (c) => c.notNull().defaultTo('deploy').check(oneOf('scope', scopes)))
      .addColumn('project', 'text')
      .addColumn('trust_id', 'text')
      .addColumn('subject', 'text')
      .execute();
    await sql`create index tokens_of_trust on tokens (trust_id) where trust_id is not null`.execute(db);
    await db.schema.alterTable('deployments').addColumn('token_id', 'text').execute();
    await sql`create index deployments_of_token on deployments (token_id)
      where token_id is not null and deployment_status in ('queued', 'building')`.execute(db);
    await db.schema
      .createTable('trusts')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('account_id', 'text', (c) => c.notNull().references('accounts.id'))
      .addColumn('provider', 'text', (c) => c.notNull())
      .addColumn('issuer', 'text', (c) => c.notNull())
      .addColumn('repository', 'text', (c) => c.notNull())
      .addColumn('repository_id', 'text')
      .addColumn('ref', 'text')
      .addColumn('environment', 'text')
      .addColumn('project', 'text', (c) => c.notNull())
      .addColumn('created_at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
      .addColumn('last_used_at', 'timestamptz')
      .execute();
    await db.schema
      .createIndex('trusts_of_repository')
      .on('trusts')
      .columns(['issuer', 'repository'])
      .execute();
    await db.schema.createIndex('trusts_of_account').on('trusts').column('account_id').execute();
    await db.schema
      .createTable('used_id_tokens')
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('expires_at', 'timestamptz', (c) => c.notNull())
      .execute();
    await db.schema.createIndex('used_id_tokens_end').on('used_id_tokens').column('expires_at').execute();
    await db.schema
      .createTable('audit')
      .addColumn('id', 'bigint', (c) => c.primaryKey().generatedAlwaysAsIdentity())
      .addColumn('at', 'timestamptz', (c) => c.notNull().defaultTo(sql`now()`))
      .addColumn('account_id', 'text')
      .addColumn('actor_kind', 'text', (c) => c.notNull())
      .addColumn('actor', 'text')
      .addColumn('action', 'text', (c) => c.notNull())
      .addColumn('project', 'text')
      .addColumn('object', 'text')
      .addColumn('address', 'text')
      .addColumn('request_id', 'text')
      .execute();
    await db.schema.createIndex('audit_of_account').on('audit').columns(['account_id', 'id desc']).execute();
    await db.schema
      .createIndex('audit_of_project')
      .on('audit')
      .columns(['account_id', 'project', 'id desc'])
      .execute();
  },
};

/** What an account has, with what it has removed, is counted. */
const quotas: Migration = {
  async up(db) {
    await db.schema.createIndex('projects_ever_of_account').on('projects').column('account_id').execute();
    // Those of 0003 that pages are read by took their place.
    for (const index of ['deployments_history', 'deployments_of_account'])
      await db.schema.dropIndex(index).execute();
  },
};

const migrations: Record<string, Migration> = {
  '0001-initial': initial,
  '0002-hosted': hosted,
  '0003-indexes': indexes,
  '0004-previews': previews,
  '0005-history-filters': filters,
  '0006-environment': environment,
  '0007-tokens': tokens,
  '0008-isolation': isolation,
  '0009-quotas': quotas,
};
const provider: MigrationProvider = { getMigrations: async () => migrations };

/**
 * The migrations that `db` lacks, by name. Reads the migrator's own table: what Kysely offers for this inspects the
 * whole schema first, a fifth of a second at every start.
 */
export async function pendingMigrations(db: Kysely<Tables>): Promise<string[]> {
  // Other schemas may have a table of that name, too.
  const { rows: tables } = await sql<{
    name: string | null;
  }>`select to_regclass(${DEFAULT_MIGRATION_TABLE})::text as name`.execute(db);
  if (!tables[0]?.name) return Object.keys(migrations);
  const { rows } = await sql<{
    name: string;
  }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db);
  const executed = new Set(rows.map((row) => row.name));
  return Object.keys(migrations).filter((name) => !executed.has(name));
}

/** The names of all migrations, oldest first. */
export const migrationNames: readonly string[] = Object.keys(migrations);

/** Brings `db` to where it was after the migration `name`: for tests of what an older program meets. */
export async function migrateTo(db: Kysely<Tables>, name: string): Promise<void> {
  const { error } = await new Migrator({ db, provider }).migrateTo(name);
  if (error !== undefined) throw error;
}

/** Brings `db` up to date; safe to call from several processes at once (Kysely holds an advisory lock). */
export async function migrate(db: Kysely<Tables>): Promise<void> {
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error;
}
