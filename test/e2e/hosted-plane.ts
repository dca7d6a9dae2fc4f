/**
 * A whole hosted plane on this machine, of real programs: Nginx with TLS, replicas of the built server, PostgreSQL, Redis,
 * radosgw for S3, and an emulated ECS that runs the real builder program. The CLI reaches it as from anywhere.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../files/package-root.ts';
import { createProcessLauncher } from '../peers/ecs/launchers.ts';
import { ecsNames, region, startEcs } from '../peers/ecs.ts';
import { freePort } from '../peers/free-port.ts';
import { startNginx } from '../peers/nginx.ts';
import { startPostgres } from '../peers/postgres.ts';
import { startRadosgw } from '../peers/radosgw.ts';
import { startRedis } from '../peers/redis.ts';
import { cliFile, openSphere, type RunOptions, until } from './sphere.ts';

export type HostedPlane = Awaited<ReturnType<typeof startHostedPlane>>;

const adminToken = 'sph_admin_of_the_end_to_end_tests_0001';

/** Starts everything, with one account whose token the CLI has. Takes about 25 s, most of it for radosgw. */
export async function startHostedPlane(settings: Record<string, string> = {}) {
  const root = mkdtempSync(join(tmpdir(), 'sphere-hosted-'));
  const closers: (() => Promise<void>)[] = [];
  const opened = async <T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> => {
    const peer = await starting;
    closers.push(() => peer.stop());
    return peer;
  };
  const [postgres, redis, s3] = await Promise.all([
    opened(startPostgres()),
    opened(startRedis()),
    opened(startRadosgw()),
  ]);
  const ports = [await freePort(), await freePort()] as const;
  const nginx = await opened(startNginx([`127.0.0.1:${ports[0]}`, `127.0.0.1:${ports[1]}`]));
  const ecs = await opened(
    startEcs({
      launch: createProcessLauncher({
        file: join(packageRoot(), 'dist', 'builder', 'main.cjs'),
        imageEnvironment: { NODE_EXTRA_CA_CERTS: nginx.certificateFile },
      }),
    }),
  );
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOME: root,
    NODE_EXTRA_CA_CERTS: nginx.certificateFile,
    DATABASE_URL: await postgres.createDatabase(),
    REDIS_URL: redis.url,
    SPHERE_SITES: 's3',
    SPHERE_BUILDS: 'ecs',
    SPHERE_PUBLIC_URL: nginx.url,
    SPHERE_KEY: randomBytes(32).toString('hex'),
    SPHERE_ADMIN_TOKEN: adminToken,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    SPHERE_ACCOUNT_ID: '123456789012',
    SPHERE_ECS_CLUSTER: ecsNames.cluster,
    SPHERE_ECS_TASK_DEFINITION: ecsNames.taskDefinition,
    SPHERE_ECS_SUBNETS: ecsNames.subnets.join(','),
    SPHERE_ECS_SECURITY_GROUPS: ecsNames.securityGroups.join(','),
    SPHERE_ECS_ENDPOINT: ecs.url,
    SPHERE_S3_ENDPOINT: s3.endpoint,
    SPHERE_S3_WEBSITE: `http://{bucket}.web.localhost:${s3.port}`,
    SPHERE_S3_CONTENT_CHECK: 'x-amz-content-sha256',
    SPHERE_LEASE_SECONDS: '5',
    ...settings,
  };

  const replicas = ports.map((port) => createReplica(root, port, environment));
  await Promise.all(replicas.map((replica) => replica.start()));
  closers.push(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));

  // The people's side: a machine that knows nothing but the address and a token.
  const sphere = openSphere();
  const reaching = { SPHERE_URL: nginx.url, NODE_EXTRA_CA_CERTS: nginx.certificateFile };
  const asAdmin = { ...reaching, SPHERE_TOKEN: adminToken };
  const newToken = async (account: string) => {
    const args = ['token', 'create', '--account', account, '--yes'];
    const { code, stdout, stderr } = await sphere.run(args, { environment: asAdmin });
    if (code !== 0) throw new Error(`no token: ${stderr}`);
    return stdout.trim();
  };
  const environmentOf = (token: string) => ({ ...reaching, SPHERE_TOKEN: token });
  const team = environmentOf(await newToken('team'));
  const as = (options: RunOptions = {}): RunOptions => ({
    ...options,
    environment: { ...team, ...options.environment },
  });

  return {
    root: sphere.root,
    postgres,
    redis,
    s3,
    ecs,
    nginx,
    replicas,
    environment,
    asAdmin,
    newToken,
    environmentOf,
    start: (args: readonly string[], options?: RunOptions) => sphere.start(args, as(options)),
    run: (args: readonly string[], options?: RunOptions) => sphere.run(args, as(options)),
    json: <T>(args: readonly string[], options?: RunOptions) => sphere.json<T>(args, as(options)),
    async close() {
      await sphere.close();
      for (const close of closers.reverse()) await close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** One replica, as a process. It is looked for at its own port, past Nginx. */
function createReplica(cwd: string, port: number, environment: Record<string, string>) {
  let child: ChildProcess | undefined;
  let printed = '';
  const url = `http://127.0.0.1:${port}`;
  const end = async (signal: NodeJS.Signals) => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child?.once('exit', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await gone;
  };
  return {
    url,
    pid: () => child?.pid as number,
    /** What it has printed since its first start. */
    printed: () => printed,
    async start() {
      child = spawn(process.execPath, [cliFile, 'server'], {
        cwd,
        env: { ...environment, SPHERE_LISTEN: `127.0.0.1:${port}` },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          printed += text;
        });
      }
      await until(`the replica at ${url} answers`, async () => {
        if (child?.exitCode !== null) throw new Error(`the replica ended:\n${printed}`);
        return fetch(`${url}/v1/health`).then(
          (answer) => answer.ok,
          () => false,
        );
      });
    },
    /** As a crash or the kernel would. */
    kill: () => end('SIGKILL'),
    /** As an upgrade would. */
    stop: () => end('SIGTERM'),
    signal: (signal: NodeJS.Signals) => child?.kill(signal),
  };
}
