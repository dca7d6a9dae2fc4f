/**
 * The hosted plane: 200 deployments at once on two replicas, requests a second of one replica, and what an idle one costs.
 * Needs Debian's PostgreSQL, Redis and Ceph. For whoever looks for what to mend: SPHERE_BENCH_ONLY (`at once`, `requests`),
 * SPHERE_BENCH_STATEMENTS=1 (the costliest statements, to stderr), SPHERE_BENCH_NODE_OPTIONS (such as --cpu-prof).
 */
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { Pool } from 'undici';
import { median, quantile } from './measure.mjs';
import { cpuMs, familyCpuMs, residentMb } from './processes.mjs';

const atOnce = 200;
const lineCount = 20;
const connections = 32;
const loadMs = Number(process.env.SPHERE_BENCH_LOAD_MS ?? 10_000);
const many = { deployments: 20_000, projects: 1_000, accounts: 20 };

const reported = (figure, measured) => ({ figure, goal: 'reported', measured });
const load = () => `load average ${loadavg()[0].toFixed(1)}`;

export async function* hostedRows() {
  const parts = await loadParts();
  const only = process.env.SPHERE_BENCH_ONLY;
  if (only !== 'requests') yield* atOnceRows(parts);
  if (only !== 'at once') yield* requestRows(parts);
}

/** Two rounds: 200 new sites, whose buckets are made, and a second version of each. */
async function* atOnceRows(parts) {
  const plane = await parts.startBenchPlane({
    replicas: 2,
    accounts: 4,
    build: { lines: lineCount, everyMs: 50 },
    environment: { SPHERE_MAX_BUILDS: String(atOnce), SPHERE_DATABASE_CONNECTIONS: '10' },
    nodeOptions: process.env.SPHERE_BENCH_NODE_OPTIONS?.split(' ') ?? [],
  });
  try {
    const tokens = [];
    for (let n = 1; n <= 4; n++) tokens.push(await plane.newToken(`account-${n}`));
    await parts.deployAndFollow(plane, { token: tokens[0], slug: 'bench-warm-up', replica: 0 });
    for (const what of ['new sites', 'sites that are there']) {
      yield* await oneRound(parts, plane, tokens, what);
    }
  } finally {
    await plane.stop();
  }
}

async function oneRound(parts, plane, tokens, what) {
  const pids = plane.pids();
  const before = pids.map(residentMb);
  const cpuBefore = { replicas: sum(pids.map(cpuMs)), database: familyCpuMs(plane.backend) };
  const peak = [...before];
  const sampling = setInterval(() => {
    for (const [n, pid] of pids.entries()) peak[n] = Math.max(peak[n], residentMb(pid));
  }, 100);
  await plane.sql.query('select pg_stat_statements_reset()');
  const started = performance.now();
  const followed = await Promise.all(
    Array.from({ length: atOnce }, (_, n) =>
      parts.deployAndFollow(plane, { token: tokens[n % tokens.length], slug: `bench-site-${n}`, replica: n }),
    ),
  );
  const tookMs = performance.now() - started;
  const cpu = {
    replicas: sum(pids.map(cpuMs)) - cpuBefore.replicas,
    database: familyCpuMs(plane.backend) - cpuBefore.database,
  };
  const { calls } = (await plane.sql.query('select sum(calls)::int as calls from pg_stat_statements'))
    .rows[0];
  if (process.env.SPHERE_BENCH_STATEMENTS) await showStatements(plane);
  clearInterval(sampling);
  await delay(5_000);
  const after = pids.map(residentMb);

  const expected = Array.from({ length: lineCount }, (_, n) => `line ${n + 1}`).join();
  const wrong = followed.filter(({ status, lines }) => status !== 'ready' || lines.join() !== expected);
  const times = (pick) => {
    const all = followed.map(pick);
    return `${seconds(median(all))} and ${seconds(quantile(all, 0.99))}`;
  };
  const title = `${atOnce} deployments at once, two replicas, ${what}`;
  return [
    {
      figure: `${title}: ready, and every line once`,
      goal: 'all',
      measured: `${atOnce - wrong.length} in ${seconds(tookMs)}, ${load()}`,
      pass: wrong.length === 0,
    },
    reported(
      'of these, answered to POST (median and 99th percentile)',
      times((one) => one.queuedMs),
    ),
    reported(
      'of these, to the first line',
      times((one) => one.firstLineMs),
    ),
    reported(
      'of these, to the end',
      times((one) => one.endMs),
    ),
    ...['queue', 'prepare', 'build', 'upload', 'publish'].map((phase) =>
      reported(
        `of these, the phase ${phase}`,
        times((one) => durationOf(one, phase)),
      ),
    ),
    reported(
      'resident memory of the replicas before, at the peak and 5 s after',
      `${pids
        .map((_, n) => [before[n], peak[n], after[n]].map((mb) => `${Math.round(mb)}`).join(', '))
        .join(' MB; ')} MB`,
    ),
    reported(
      'a deployment costs',
      `${Math.round(cpu.replicas / atOnce)} ms of the replicas' CPU, ${Math.round(cpu.database / atOnce)} ms of the database's, ${Math.round(calls / atOnce)} statements`,
    ),
  ];
}

const durationOf = ({ phases }, phase) =>
  phases
    .filter((record) => record.phase === phase)
    .reduce((total, { durationMs }) => total + (durationMs ?? 0), 0);

/** One replica, whose builds never start: the queue is full, as it is when this matters. */
async function* requestRows(parts) {
  const plane = await parts.startBenchPlane({
    replicas: 1,
    accounts: 0,
    build: { lines: 1, everyMs: 600_000 },
    environment: { SPHERE_MAX_BUILDS: '1', SPHERE_DATABASE_CONNECTIONS: '10' },
    nodeOptions: process.env.SPHERE_BENCH_NODE_OPTIONS?.split(' ') ?? [],
  });
  try {
    yield* await idleRows(plane, 'an empty plane');
    await plane.fill(many);
    const token = await plane.newToken('account-1');
    yield* await idleRows(plane, `${many.deployments} deployments`);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const list = { path: '/v1/deployments', method: 'GET', headers };
    yield await loadRow(plane, `GET /v1/deployments, a page of 20 of ${many.deployments}`, 200, () => list);
    let slugs = 0;
    const create = (slug) => ({
      path: '/v1/deployments',
      method: 'POST',
      headers,
      body: JSON.stringify(parts.deploymentOf(slug)),
    });
    yield await loadRow(plane, 'POST /v1/deployments, a new slug each', 201, () =>
      create(`bench-${slugs++}`),
    );
    yield await loadRow(plane, 'POST /v1/deployments, one slug', 201, () => create('bench-one-slug'));
    yield* await idleRows(plane, 'a full queue');
  } finally {
    await plane.stop();
  }
}

async function loadRow(plane, what, status, requestOf) {
  const [pid] = plane.pids();
  const pool = new Pool(plane.urls[0], { connections });
  const latencies = [];
  const until = (end) =>
    Promise.all(
      Array.from({ length: connections }, async () => {
        while (performance.now() < end) {
          const began = performance.now();
          const answer = await pool.request(requestOf());
          const text = await answer.body.text();
          if (answer.statusCode !== status) throw new Error(`${what}: ${answer.statusCode} ${text}`);
          latencies.push(performance.now() - began);
        }
      }),
    );
  await until(performance.now() + Math.min(1_000, loadMs));
  latencies.length = 0;
  await plane.sql.query('select pg_stat_statements_reset()');
  const before = { replica: cpuMs(pid), database: familyCpuMs(plane.backend) };
  const started = performance.now();
  await until(started + loadMs);
  const elapsed = performance.now() - started;
  const replica = cpuMs(pid) - before.replica;
  const database = familyCpuMs(plane.backend) - before.database;
  const { calls } = (await plane.sql.query('select sum(calls)::int as calls from pg_stat_statements'))
    .rows[0];
  if (process.env.SPHERE_BENCH_STATEMENTS) await showStatements(plane);
  await pool.close();
  const count = latencies.length;
  return reported(
    what,
    `${Math.round((count / elapsed) * 1000)}/s (median ${Math.round(median(latencies))} ms, 99th ${Math.round(quantile(latencies, 0.99))} ms); ` +
      `each ${(replica / count).toFixed(2)} ms of the replica's CPU, ${(database / count).toFixed(2)} ms of the database's, ` +
      `${(calls / count).toFixed(1)} statements; replica ${percent(replica / elapsed)}, database ${percent(database / elapsed)}, ${load()}`,
  );
}

/** To stderr, for whoever looks for what to mend. */
async function showStatements(plane) {
  const { rows } = await plane.sql.query(
    `select calls, round(total_exec_time::numeric) as ms, round(mean_exec_time::numeric, 3) as mean, left(query, 150) as query
       from pg_stat_statements order by total_exec_time desc limit 14`,
  );
  for (const row of rows)
    process.stderr.write(`${row.calls}\t${row.ms} ms\t${row.mean}\t${row.query.replace(/\s+/g, ' ')}\n`);
}

async function idleRows(plane, what) {
  const [pid] = plane.pids();
  await delay(4_000);
  await plane.sql.query('select pg_stat_statements_reset()');
  const before = { replica: cpuMs(pid), database: familyCpuMs(plane.backend) };
  const started = performance.now();
  await delay(Math.max(loadMs, 15_000));
  const elapsed = performance.now() - started;
  const replica = cpuMs(pid) - before.replica;
  const database = familyCpuMs(plane.backend) - before.database;
  const { calls } = (await plane.sql.query('select sum(calls)::int as calls from pg_stat_statements'))
    .rows[0];
  if (process.env.SPHERE_BENCH_STATEMENTS) await showStatements(plane);
  return [
    reported(
      `an idle replica, ${what}`,
      `${((calls / elapsed) * 1000).toFixed(1)} statements/s, CPU ${percent(replica / elapsed)}, database ${percent(database / elapsed)}`,
    ),
  ];
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

async function loadParts() {
  const root = join(import.meta.dirname, '..', '..');
  const outfile = join(root, 'dist', 'bench', 'hosted-parts.mjs');
  await build({
    entryPoints: [join(root, 'test', 'bench', 'hosted-parts.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
  });
  return import(pathToFileURL(outfile));
}
