/**
 * A whole hosted plane on this machine, of real programs: Nginx with TLS, replicas of the built server, PostgreSQL, Redis,
 * radosgw for S3, and an emulated ECS that runs the real builder program. The CLI reaches it as from anywhere.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { packageRoot } from '../../files/package-root.ts';
import { createProcessLauncher } from '../peers/ecs/launchers.ts';
import { startEcs } from '../peers/ecs.ts';
import { freePort } from '../peers/free-port.ts';
import { startNginx } from '../peers/nginx.ts';
import { startPostgres } from '../peers/postgres.ts';
import { startRadosgw } from '../peers/radosgw.ts';
import { startRedis } from '../peers/redis.ts';
import { createReplicaProcess, hostedEnvironment } from '../peers/replica-process.ts';
import { openSphere, type RunOptions } from './sphere.ts';

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
    ...hostedEnvironment({
      home: root,
      databaseUrl: await postgres.createDatabase(),
      redisUrl: redis.url,
      ecsUrl: ecs.url,
      s3,
      publicUrl: nginx.url,
      adminToken,
    }),
    NODE_EXTRA_CA_CERTS: nginx.certificateFile,
    SPHERE_LEASE_SECONDS: '5',
    ...settings,
  };

  const replicas = ports.map((port) => createReplicaProcess(root, port, environment));
  await Promise.all(replicas.map((replica) => replica.start()));
  closers.push(async () => void (await Promise.all(replicas.map((replica) => replica.stop()))));

  // The people's side: a machine that knows nothing but the address and a token.
  const sphere = openSphere();
  const reaching = { SPHERE_URL: nginx.url, NODE_EXTRA_CA_CERTS: nginx.certificateFile };
  const asAdmin = { ...reaching, SPHERE_TOKEN: adminToken };
  const newToken = async (account: string) => {
    const args = ['token', 'create', '--account', account, '--scope', 'admin', '--yes'];
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
    /** When the lease on the newest deployment of `slug` runs out, in milliseconds since 1970. */
    async leasedUntil(slug: string): Promise<number> {
      const client = new pg.Client({ connectionString: environment.DATABASE_URL });
      await client.connect();
      try {
        const { rows } = await client.query<{ lease_expires_at: Date | null }>(
          'select lease_expires_at from deployments where project_slug = $1 order by created_at desc limit 1',
          [slug],
        );
        return rows[0]?.lease_expires_at?.getTime() ?? 0;
      } finally {
        await client.end();
      }
    },
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
