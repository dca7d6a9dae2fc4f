/** Puts a replica of a hosted plane together: PostgreSQL, Redis, S3 and ECS behind the ports. */
import { createEcsRunner } from './adapters/ecs/ecs-runner.ts';
import type { EcsSettings } from './adapters/ecs/run-task-input.ts';
import { openRateStores } from './adapters/redis/rate-store.ts';
import { createRedisLogStore } from './adapters/redis/redis-log-store.ts';
import { createS3ArtifactStore } from './adapters/s3/artifacts.ts';
import type { S3Options } from './adapters/s3/options.ts';
import { createS3SiteStore } from './adapters/s3/site-store.ts';
import { createS3Sweep } from './adapters/s3/sweep.ts';
import { closeAll, describe } from './closing.ts';
import { openPostgresDatabase } from './database/postgres.ts';
import { duties } from './duties.ts';
import type { HostedConfig } from './hosted-config.ts';
import { sweepDuty, sweepStores } from './hosted-sweep.ts';
import { knownIssuers } from './id-tokens.ts';
import { createKeys } from './keys.ts';
import { keepBucketNames, planeId } from './plane-facts.ts';
import { openReplica } from './replica.ts';
import type { RunningServer } from './running-server.ts';
import { checkStoredKey } from './stored-keys.ts';
import { ensureAdminToken } from './tokens.ts';

/**
 * Starts a replica of the hosted plane that `config` describes. `log` takes one line for people; the admin token is
 * shown there, once. Throws `CONFIGURATION_INVALID`, `PORT_TAKEN`.
 */
export async function openHostedPlane(
  config: HostedConfig,
  log: (line: string) => void,
): Promise<RunningServer> {
  const closers: (() => Promise<void>)[] = [];
  try {
    return await open(config, log, closers);
  } catch (error) {
    await closeAll(closers, log);
    throw error;
  }
}

async function open(
  config: HostedConfig,
  log: (line: string) => void,
  closers: (() => Promise<void>)[],
): Promise<RunningServer> {
  const report = (message: string, error?: unknown) => log(describe(message, error));
  const database = await openPostgresDatabase({ ...config.database, report });
  closers.push(() => database.close());
  const keys = createKeys(config.key, config.previousKey);
  await checkStoredKey(database, keys);
  const id = await planeId(database);
  await keepBucketNames(database, {
    SPHERE_BUCKET_NAMES: config.s3.bucketNames,
    SPHERE_BUCKET_PREFIX: config.s3.bucketPrefix,
    SPHERE_ARTIFACT_PREFIX: config.s3.artifactPrefix,
    'AWS account': config.accountId,
  });
  const adminToken = await ensureAdminToken({ database, now: Date.now }, config.adminToken);
  if (adminToken !== null) {
    log('This is the first start. The admin token, which is not shown again:');
    log(adminToken);
  }

  const s3 = s3Options(config, id, report);
  const logs = createRedisLogStore({
    redis: config.redis.url,
    artifacts: createS3ArtifactStore(s3),
    maxBytes: config.maxLogBytes,
    report,
  });
  closers.push(() => logs.close());
  const counters = openRateStores(config.redis.url);
  closers.push(() => counters.close());
  const sites = createS3SiteStore(s3);
  const sweep = createS3Sweep(s3);
  const builds = createEcsRunner({
    connection: ecsConnection(config),
    settings: ecsSettings(config, id),
  });
  return openReplica(
    {
      database,
      logs,
      sites,
      builds,
      keys,
      addresses: {
        site: sites.address,
        direct: sites.address,
        open: async () => null,
        close: async () => {},
      },
      settings: {
        maxBuilds: config.maxBuilds,
        maxBuildsPerAccount: config.maxBuildsPerAccount,
        quotas: config.quotas,
        timeLimitMs: config.timeLimitMs,
        startLimitMs: config.startLimitMs,
        leaseMs: config.leaseMs,
        exclusive: false,
        allowLocalRepository: false,
        gitHosts: config.gitHosts,
        url: config.publicUrl,
      },
      duties: [...duties, sweepDuty(sweep)],
      listen: config.listen,
      trustedProxies: config.trustedProxies,
      limits: {
        perToken: config.requestsPerMinute,
        refusals: config.refusalsPerMinute,
        store: counters.store,
      },
      issuers: [...knownIssuers, ...config.oidcIssuers],
      waitingFor: () =>
        [database.isAway?.() ? 'the database' : null, logs.waitingFor()].filter((what) => what !== null),
      prune: (plane) => sweepStores(plane, sweep),
    },
    closers,
    log,
  );
}

function s3Options(
  { regions, accountId, s3 }: HostedConfig,
  id: string,
  report: S3Options['report'],
): S3Options {
  const prefix = s3.bucketPrefix ?? '';
  return {
    regions,
    accountId,
    bucketNames: s3.bucketNames === 'slug' ? { kind: 'slug' } : { kind: s3.bucketNames, prefix },
    artifactPrefix: s3.artifactPrefix,
    planeId: id,
    report,
    ...(s3.endpoint === null
      ? {}
      : {
          compatible: {
            endpoint: s3.endpoint,
            forcePathStyle: true,
            website: s3.website ?? `${s3.endpoint}/{bucket}`,
            contentCheck: s3.contentCheck,
          },
        }),
  };
}

const providers = {
  spot: ['FARGATE_SPOT'],
  // By launch type, which needs no provider associated with the cluster.
  'on-demand': [],
  'spot-then-on-demand': ['FARGATE_SPOT', 'FARGATE'],
} as const;

/** Where ECS answers. */
export function ecsConnection({ region, ecs: { endpoint } }: HostedConfig) {
  return { region, ...(endpoint === null ? {} : { endpoint }) };
}

/** How build tasks are started; `id`: the plane's. */
export function ecsSettings({ ecs, publicUrl }: HostedConfig, id: string): EcsSettings {
  return {
    plane: id,
    planeUrl: publicUrl,
    cluster: ecs.cluster,
    taskDefinition: ecs.taskDefinition,
    container: ecs.container,
    subnets: ecs.subnets,
    securityGroups: ecs.securityGroups,
    assignPublicIp: ecs.assignPublicIp,
    capacityProviders: providers[ecs.capacity],
  };
}
