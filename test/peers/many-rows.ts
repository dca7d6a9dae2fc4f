/** Fills a database of the plane with the history of a busy team, as SQL: for what only shows with many rows. */
import pg from 'pg';

export type ManyRows = {
  deployments: number;
  projects: number;
  accounts: number;
  /** Of the deployments, the newest ones. */
  queued?: number;
  building?: number;
};

/**
 * Inserts accounts `acc_1` …, projects `prj_1` … (slug `project-1`, account `acc_1 + n % accounts`), deployments `dpl_1` …
 * of about 1.5 KB each, and a publication `pub_1` … of each that was live. Nine of ten are ready. The tables are analysed.
 */
export async function insertManyRows(url: string, rows: ManyRows): Promise<void> {
  const { deployments, projects, accounts, queued = 0, building = 0 } = rows;
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(`
      insert into accounts (id, name, created_at)
        select 'acc_' || n, 'account-' || n, now() - interval '1 year' from generate_series(1, ${accounts}) n;
      insert into tokens (id, account_id, name, hash, created_at, last_used_at)
        select 'tok_' || n, 'acc_' || (1 + n % ${accounts}), 'token', md5(n::text), now(), now()
        from generate_series(1, ${accounts * 4}) n;
      insert into projects (id, account_id, slug, bucket_location, origin, created_at, updated_at)
        select 'prj_' || n, 'acc_' || (1 + n % ${accounts}), 'project-' || n, 'eu-central-1',
          'https://example.com/team/project-' || n || '.git', now() - interval '300 days', now()
        from generate_series(1, ${projects}) n;
      insert into targets (project_id, name, next_order)
        select 'prj_' || n, 'live', ${deployments} from generate_series(1, ${projects}) n;`);
    const firstOpen = deployments - queued - building;
    await client.query(`
      insert into deployments (id, account_id, project_id, target, project_slug, bucket_location, git_url, deployment_url,
        deployment_status, reason, phase, phases, detections, warnings, figures, source, build, serving, no_cache,
        fingerprint, "order", attempt, lease_owner, lease_epoch, lease_expires_at, runner, builder_token_hash, seen_at,
        stop_requested_at, stopped_at, created_at, updated_at, started_at, finished_at)
      select 'dpl_' || n, account, project, 'live', slug, 'eu-central-1', url, 'http://' || slug || '.example.com/',
        status, case when status = 'error' then 'build_failed' end,
        case when status = 'queued' then 'queue' when status = 'building' then 'build' else 'publish' end,
        (select jsonb_agg(jsonb_build_object('phase', phase, 'startedAt', 1790000000000 + n, 'endedAt', 1790000001000 + n))
          from unnest(array['queue', 'prepare', 'clone', 'install', 'build', 'upload', 'publish']) phase),
        '[{"what": "framework", "value": "vite", "why": "vite.config.ts"},
          {"what": "package manager", "value": "pnpm 10", "why": "pnpm-lock.yaml"}]',
        '[]', '{"files": 40, "bytes": 900000, "changed": 4, "removed": 1, "uploaded": 4, "uploadedBytes": 90000}',
        jsonb_build_object('kind', 'git', 'repository', url, 'ref', 'main', 'commit', md5(n::text) || '00000000'),
        '{"buildCommand": "pnpm build", "outputDirectory": "dist"}',
        '{"headers": [{"source": "/assets/*", "headers": [{"key": "x-a", "value": "b"}]}], "spa": true}', false,
        md5(n::text) || md5(n::text), n,
        case when status = 'queued' then 0 else 1 end,
        case when status = 'building' then 'pln_' || (n % 2) end,
        1, case when status = 'building' then now() + interval '25 seconds' end,
        case when status = 'queued' then null else jsonb_build_object('task', 'arn:aws:ecs:eu-central-1:123456789012:task/sphere/' || md5(n::text)) end,
        md5(n::text) || md5(n::text), at,
        case when status in ('ready', 'error') then at end, case when status in ('ready', 'error') then at end,
        at, at, at, case when status in ('queued', 'building') then null else at + interval '1 minute' end
      from (
        select n, 'acc_' || (1 + (1 + n % ${projects}) % ${accounts}) as account, 'prj_' || (1 + n % ${projects}) as project,
          'project-' || (1 + n % ${projects}) as slug,
          'https://example.com/team/project-' || (1 + n % ${projects}) || '.git' as url,
          case when n > ${deployments - queued} then 'queued' when n > ${firstOpen} then 'building'
            when n % 10 = 0 then 'error' else 'ready' end as status,
          now() - (${deployments} - n) * interval '150 days' / ${deployments} as at
        from generate_series(1, ${deployments}) n) rows`);
    await client.query(`
      insert into publications (id, project_id, target, deployment_id, kind, "order", state, created_at, started_at, finished_at)
        select 'pub' || substr(id, 4), project_id, target, id, 'deploy', "order", 'done', created_at, created_at, finished_at
        from deployments where deployment_status = 'ready';
      update targets set live_publication_id = (select id from publications
        where publications.project_id = targets.project_id order by "order" desc limit 1);
      insert into idempotency_keys (account_id, key, body_hash, deployment_id, created_at)
        select account_id, md5(id), fingerprint, id, now() - interval '25 hours' * random()
        from deployments order by created_at desc limit ${Math.ceil(deployments / 10)};`);
    await client.query(`
      insert into environment_values (project_id, scope, name, sealed, key_id, sensitive, bytes, updated_at, updated_by)
        select 'prj_' || n, 'live', 'NAME_' || value, md5(n::text), 'key', true, 20, now(), 'acc_1'
        from generate_series(1, ${projects}) n, generate_series(1, 5) value;
      insert into used_id_tokens (id, expires_at)
        select md5(n::text), now() + n * interval '1 second' from generate_series(1, ${deployments / 10}) n`);
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}
