/** A replica of the built server as a process of its own, and the environment in which it finds the servers of a test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { packageRoot } from '../../files/package-root.ts';
import { ecsNames, region } from './ecs.ts';
import type { Radosgw } from './radosgw.ts';

const cliFile = join(packageRoot(), 'dist', 'cli', 'main.cjs');

export type HostedServers = {
  /** The home directory of the replicas. */
  home: string;
  databaseUrl: string;
  redisUrl: string;
  ecsUrl: string;
  s3: Radosgw;
  publicUrl: string;
  adminToken: string;
};

/** What a replica is started with to use these servers. */
export function hostedEnvironment(servers: HostedServers): Record<string, string> {
  const { s3 } = servers;
  return {
    PATH: process.env.PATH ?? '',
    HOME: servers.home,
    DATABASE_URL: servers.databaseUrl,
    REDIS_URL: servers.redisUrl,
    SPHERE_SITES: 's3',
    SPHERE_BUILDS: 'ecs',
    SPHERE_PUBLIC_URL: servers.publicUrl,
    SPHERE_KEY: randomBytes(32).toString('hex'),
    SPHERE_ADMIN_TOKEN: servers.adminToken,
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: s3.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.credentials.secretAccessKey,
    SPHERE_ACCOUNT_ID: '123456789012',
    SPHERE_ECS_CLUSTER: ecsNames.cluster,
    SPHERE_ECS_TASK_DEFINITION: ecsNames.taskDefinition,
    SPHERE_ECS_SUBNETS: ecsNames.subnets.join(','),
    SPHERE_ECS_SECURITY_GROUPS: ecsNames.securityGroups.join(','),
    SPHERE_ECS_ENDPOINT: servers.ecsUrl,
    SPHERE_S3_ENDPOINT: s3.endpoint,
    SPHERE_S3_WEBSITE: `http://{bucket}.web.localhost:${s3.port}`,
    SPHERE_S3_CONTENT_CHECK: 'x-amz-content-sha256',
  };
}

export type ReplicaProcess = ReturnType<typeof createReplicaProcess>;

/** One replica at `port` of 127.0.0.1, not started yet. It is looked for at its own port, past what stands before it. */
export function createReplicaProcess(cwd: string, port: number, environment: Record<string, string>) {
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
    /** `nodeOptions`: before the program's own name. */
    async start(nodeOptions: readonly string[] = []) {
      child = spawn(process.execPath, [...nodeOptions, cliFile, 'server'], {
        cwd,
        env: { ...environment, SPHERE_LISTEN: `127.0.0.1:${port}` },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          printed += text;
        });
      }
      for (const deadline = Date.now() + 60_000; ; await delay(50)) {
        if (child.exitCode !== null || Date.now() > deadline)
          throw new Error(`the replica at ${url} does not answer:\n${printed}`);
        const answers = await fetch(`${url}/v1/health`).then(
          (answer) => answer.ok,
          () => false,
        );
        if (answers) return;
      }
    },
    /** As a crash or the kernel would. */
    kill: () => end('SIGKILL'),
    /** As an upgrade would. */
    stop: () => end('SIGTERM'),
    signal: (signal: NodeJS.Signals) => child?.kill(signal),
  };
}
