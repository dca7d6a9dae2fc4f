/** What `scripts/bench hosted` needs of the program and the tests, as functions of its own: it is bundled for that script. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { io } from 'socket.io-client';
import type { CreateTokenAnswer } from '../../contract/accounts-api.ts';
import type { CreateDeploymentAnswer, Deployment } from '../../contract/api.ts';
import { decodeLines, followPath, type LogBatch } from '../../contract/logs.ts';
import { startEcs } from '../peers/ecs.ts';
import { freePort } from '../peers/free-port.ts';
import { insertManyRows } from '../peers/many-rows.ts';
import { startPostgres } from '../peers/postgres.ts';
import { startRadosgw } from '../peers/radosgw.ts';
import { startRedis } from '../peers/redis.ts';
import { createReplicaProcess, hostedEnvironment } from '../peers/replica-process.ts';
import { createPlayedLauncher, type PlayedBuild } from './played-builders.ts';

const adminToken = 'sph_admin_of_the_benchmarks_000000001';

export type BenchPlane = Awaited<ReturnType<typeof startBenchPlane>>;

/** Starts replicas of the built server and all that they need. `tokens`: of the accounts `account-1`, `account-2` … */
export async function startBenchPlane(options: {
  replicas: number;
  accounts: number;
  build: PlayedBuild;
  environment?: Record<string, string>;
  nodeOptions?: readonly string[];
}) {
  const home = await mkdtemp(join(tmpdir(), 'sphere-bench-'));
  const urls: string[] = [];
  const builders = createPlayedLauncher(urls, options.build);
  const [postgres, redis, s3, ecs] = await Promise.all([
    // What a database on a machine of its own would have; its commits do not wait for a disk.
    startPostgres({ shared_preload_libraries: 'pg_stat_statements', shared_buffers: '512MB' }),
    startRedis(),
    startRadosgw(),
    // RunTask as AWS limits it (T16).
    startEcs({ launch: builders.launch, runTaskRate: { burst: 100, perSecond: 20 } }),
  ]);
  // Last: what starts before takes ports of its own.
  const ports = await Promise.all(Array.from({ length: options.replicas }, freePort));
  urls.push(...ports.map((port) => `http://127.0.0.1:${port}`));
  const databaseUrl = await postgres.createDatabase();
  const sql = new pg.Client(databaseUrl);
  await sql.connect();
  await sql.query('create extension pg_stat_statements');
  const environment = {
    ...hostedEnvironment({
      home,
      databaseUrl,
      redisUrl: redis.url,
      ecsUrl: ecs.url,
      s3,
      publicUrl: urls[0] as string,
      adminToken,
    }),
    ...options.environment,
  };
  const replicas = ports.map((port) => createReplicaProcess(home, port, environment));
  for (const replica of replicas) await replica.start(options.nodeOptions);

  const call = async <T>(token: string, path: string, body?: unknown, replica = 0): Promise<T> => {
    const answer = await fetch(`${urls[replica % urls.length]}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text) as T;
  };
  const newToken = async (account: string) => {
    await call(adminToken, '/v1/accounts', { name: account });
    return (await call<CreateTokenAnswer>(adminToken, `/v1/accounts/${account}/tokens`, { name: 'bench' }))
      .token;
  };
  const tokens: string[] = [];
  const { rows } = await sql.query<{ pid: number }>('select pg_backend_pid() as pid');

  return {
    urls,
    tokens,
    newToken,
    call,
    sql,
    /** A process of PostgreSQL, whose parent is the postmaster. */
    backend: rows[0]?.pid as number,
    pids: () => replicas.map((replica) => replica.pid()),
    printed: () => replicas.map((replica) => replica.printed()).join(''),
    tasks: () => ecs.tasks().length,
    fill: (many: Parameters<typeof insertManyRows>[1]) => insertManyRows(databaseUrl, many),
    async stop() {
      await Promise.all(replicas.map((replica) => replica.stop()));
      await sql.end();
      await builders.close();
      for (const peer of [ecs, redis, postgres, s3]) await peer.stop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** What a person's terminal would have shown of one deployment. Milliseconds since it was asked for. */
export type Followed = {
  slug: string;
  queuedMs: number;
  firstLineMs: number;
  endMs: number;
  status: string;
  /** The texts of the builder's own lines, as they came. */
  lines: string[];
  phases: Deployment['phases'];
};

/** Deploys and follows to the end, as the CLI does: REST, a socket, and REST for the status. */
export async function deployAndFollow(
  plane: BenchPlane,
  { token, slug, replica }: { token: string; slug: string; replica: number },
): Promise<Followed> {
  const started = performance.now();
  const { deployment } = await plane.call<CreateDeploymentAnswer>(
    token,
    '/v1/deployments',
    deploymentOf(slug),
    replica,
  );
  const queuedMs = performance.now() - started;
  const socket = io(plane.urls[replica % plane.urls.length] as string, {
    path: followPath,
    transports: ['websocket'],
    auth: { token },
    forceNew: true,
  });
  let firstLineMs = Number.NaN;
  let last = 0;
  const lines: string[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      socket.on('batch', (_: string, batch: LogBatch, received?: () => void) => {
        received?.();
        if (last === 0) firstLineMs = performance.now() - started;
        if (batch.first !== last + 1) reject(new Error(`${slug}: line ${batch.first} after ${last}`));
        last = batch.last;
        for (const line of decodeLines(batch.lines)) if (line.stream === 'stdout') lines.push(line.text);
      });
      socket.on('end', () => resolve());
      socket.on('connect_error', reject);
      socket.on('connect', () =>
        socket.emit('follow', { deployment: deployment.id, after: last }, (answer: { ok: boolean }) => {
          if (!answer.ok) reject(new Error(`${slug} is not followed: ${JSON.stringify(answer)}`));
        }),
      );
    });
  } finally {
    socket.close();
  }
  const { status, phases } = await plane.call<Deployment>(
    token,
    `/v1/deployments/${deployment.id}`,
    undefined,
    replica,
  );
  return { slug, queuedMs, firstLineMs, endMs: performance.now() - started, status, lines, phases };
}

let commits = 0;

/** A valid body of `POST /v1/deployments`, of a commit of its own. */
export function deploymentOf(slug: string) {
  const repository = `https://example.com/team/${slug}.git`;
  const commit = (++commits).toString(16).padStart(40, '0');
  return {
    project: slug,
    projectNamed: false,
    origin: repository,
    source: { kind: 'git', repository, commit },
    build: {},
    force: false,
    noCache: false,
  };
}
