/**
 * No query of the API or of the work loop reads a whole table that grows. PostgreSQL itself says so, of every statement
 * that two replicas really send (its module auto_explain), on a plane with a long history and a long queue.
 */
import { Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Deployment, DeploymentList } from '../../contract/api.ts';
import { createDatabase, type Database } from '../../server/database/database.ts';
import { migrate } from '../../server/database/migrations.ts';
import { createPool } from '../../server/database/postgres-pool.ts';
import type { Tables } from '../../server/database/tables.ts';
import { insertManyRows } from '../peers/many-rows.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';

/** One row per kind of work, whatever is built. */
const smallTables = ['duties', 'plane_facts'];

type Plan = { 'Node Type': string; 'Relation Name'?: string; Plans?: Plan[] };
type Explained = { 'Query Text': string; Plan: Plan };

let postgres: Postgres;
let database: Database;
let replicas: Replicas;
const explained: Explained[] = [];

beforeAll(async () => {
  postgres = await startPostgres({
    session_preload_libraries: 'auto_explain',
    'auto_explain.log_min_duration': '0',
    'auto_explain.log_format': 'json',
    'auto_explain.log_level': 'notice',
  });
  const url = await postgres.createDatabase();
  const empty = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: createPool({ connectionString: url }) }),
  });
  await migrate(empty);
  await empty.destroy();
  const many = { deployments: 100_000, projects: 1_000, accounts: 500, queued: 300, building: 200 };
  await insertManyRows(url, many);

  const pool = createPool({ connectionString: url, max: 10 });
  pool.on('connect', (client) => {
    client.on('notice', ({ message = '' }) => {
      const json = message.indexOf('{');
      if (json !== -1) explained.push(JSON.parse(message.slice(json)) as Explained);
    });
  });
  database = createDatabase(() => new PostgresDialect({ pool }));
  // Leases of 25 s are held by replicas that are not there; those of two rows run out at once.
  await database.query
    .updateTable('deployments')
    .set({ lease_expires_at: new Date(0) })
    .where('id', 'in', ['dpl_98000', 'dpl_97999'])
    .execute();
  replicas = await startReplicas(database, { maxBuilds: 3_000, maxBuildsPerAccount: 50 });
}, 120_000);
afterAll(async () => {
  await replicas?.stop();
  await database?.close();
  await postgres?.stop();
});

/** `table: query` of every sequential scan among what was explained. */
function wholeReads(): string[] {
  const scans = (plan: Plan): string[] => [
    ...(plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : []),
    ...(plan.Plans ?? []).flatMap(scans),
  ];
  const found = explained.flatMap(({ 'Query Text': query, Plan: plan }) =>
    scans(plan)
      .filter((table) => !smallTables.includes(table))
      .map((table) => `${table}: ${query}`),
  );
  return [...new Set(found)];
}

test('100,000 deployments of 1,000 projects: nothing reads all of a table that grows', async () => {
  const token = await replicas.account('account-7');
  const get = <T>(path: string) => replicas.call<T>(0, token, 'GET', path);

  const first = (await get<DeploymentList>('/v1/deployments')).body;
  expect(first.deployments).toHaveLength(20);
  const [project = ''] = first.deployments.map((deployment) => deployment.project);
  await get(`/v1/deployments?before=${first.next}`);
  const ofProject = (await get<DeploymentList>(`/v1/deployments?project=${project}`)).body;
  await get(`/v1/deployments?project=${project}&before=${ofProject.next}`);
  for (const filter of ['status=error', 'status=ready,error', 'branch=main', 'branch=none&status=queued']) {
    await get(`/v1/deployments?project=${project}&${filter}`);
    await get(`/v1/deployments?project=${project}&${filter}&before=${ofProject.next}`);
  }
  await get('/v1/projects');
  await get('/v1/projects?limit=5&after=p');
  await get('/v1/whoami');
  await get(`/v1/projects/${project}`);
  const ready = ofProject.deployments.filter((deployment) => deployment.status === 'ready');
  await get(`/v1/deployments/${ready[0]?.id}`);
  // Its files are nowhere: what is looked at here are the queries before that.
  await get(`/v1/projects/${project}/rollback`);
  await replicas.call(0, token, 'POST', `/v1/projects/${project}/rollback`, {});

  // From the request to the end, with a key, superseding the one before; then one that is cancelled.
  const key = { 'idempotency-key': 'the-same' };
  const queued = await replicas.create(0, token, { project: 'fresh' });
  const { deployment } = await replicas.create(1, token, { project: 'fresh', force: true }, key);
  await replicas.runner.whenStarted(deployment.id);
  expect((await replicas.deployment(0, token, queued.deployment.id)).status).toMatch(/cancelled|building/);
  const builder = replicas.builder(1, deployment.id);
  expect((await builder.register()).status).toBe(200);
  await builder.phase('build');
  await builder.log('one line');
  await builder.post('/heartbeat', {});
  expect((await builder.finish({ 'index.html': 'fresh' })).body.error).toBeUndefined();
  const logs = await fetch(`${replicas.running[0]?.url}/v1/deployments/${deployment.id}/logs?follow=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(await logs.text()).toContain('Published');
  const other = await replicas.create(0, token, { project: 'cancelled' });
  await replicas.call<Deployment>(0, token, 'POST', `/v1/deployments/${other.deployment.id}/cancel`);
  // A preview, promoted and removed.
  const beside = await replicas.create(0, token, { project: 'fresh', target: 'next' });
  await replicas.runner.whenStarted(beside.deployment.id);
  const playing = replicas.builder(0, beside.deployment.id);
  await playing.register();
  await playing.finish({ 'index.html': 'beside' });
  const status = async () => (await replicas.deployment(0, token, beside.deployment.id)).status;
  await expect.poll(status, { timeout: 10_000 }).toBe('ready');
  const promoted = await replicas.call(0, token, 'POST', '/v1/projects/fresh/promote', { target: 'next' });
  expect(promoted.status).toBe(200);
  await get('/v1/projects/fresh/targets');
  expect((await replicas.call(0, token, 'DELETE', '/v1/projects/fresh/targets/next')).status).toBe(200);
  await replicas.call(0, token, 'DELETE', '/v1/projects/fresh');

  const queries = explained.map((one) => one['Query Text']).join('\n');
  // The loop's own are among them: takeover, stops, publications, the claim, the leases, the watch.
  for (const part of [
    'update "deployments" set "lease_owner"',
    'stop_requested_at',
    'skip locked',
    'cross join lateral',
    'expires_at',
    'publications',
  ])
    expect(queries).toContain(part);
  expect(wholeReads()).toEqual([]);
}, 60_000);
