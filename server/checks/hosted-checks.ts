/** Every check of a hosted plane, each with its clients. */
import { ECRClient } from '@aws-sdk/client-ecr';
import { ECSClient } from '@aws-sdk/client-ecs';
import { S3ControlClient } from '@aws-sdk/client-s3-control';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { STSClient } from '@aws-sdk/client-sts';
import type { Check } from '../check.ts';
import type { HostedConfig } from '../hosted-config.ts';
import { createKeys } from '../keys.ts';
import { awsFailure } from './aws-failure.ts';
import { checkIdentity } from './aws-identity.ts';
import { checkBuilderImage } from './builder-image.ts';
import { checkDatabase } from './database.ts';
import { checkPublicAccess } from './public-access.ts';
import { checkPublicUrl } from './public-url.ts';
import { checkBucketQuota, checkFargateQuotas } from './quotas.ts';
import { checkRedis } from './redis.ts';
import type { NamedChecks } from './run-checks.ts';
import { type BuilderTask, describeBuilderTask } from './task-definition.ts';

/** Two tries: what stays away for longer is what a check is to find. */
const maxAttempts = 2;

/**
 * The checks of `config`, for `runChecks`. What SPHERE_S3_ENDPOINT and SPHERE_ECS_ENDPOINT take the place of is not looked
 * at: other stores have no such thing. `more`: the checks of adapters.
 */
export function hostedChecks(config: HostedConfig, more: readonly NamedChecks[] = []): NamedChecks[] {
  const { region, accountId } = config;
  const ecsIsAws = config.ecs.endpoint === null;
  const s3IsAws = config.s3.endpoint === null;
  const checks: NamedChecks[] = [
    { name: 'configuration', run: async () => [describeConfiguration(config)] },
    {
      name: 'database',
      run: () => checkDatabase(config.database.url, createKeys(config.key, config.previousKey)),
    },
    { name: 'redis', run: () => checkRedis(config.redis.url) },
  ];
  if (s3IsAws || ecsIsAws) {
    const run = () => checkIdentity(new STSClient({ region, maxAttempts }), accountId);
    checks.push({ name: 'AWS identity', run });
  }
  if (s3IsAws) {
    const control = () => new S3ControlClient({ region, maxAttempts });
    checks.push(
      { name: 'public access block', run: () => checkPublicAccess(control(), accountId) },
      {
        name: 'S3 bucket quota',
        run: () => checkBucketQuota(quotas(bucketQuotaRegion(region)), config.regions.length),
      },
    );
  }
  return [...checks, ...(ecsIsAws ? taskChecks(config) : []), ...more, publicUrl(config)];
}

const quotas = (region: string) => new ServiceQuotasClient({ region, maxAttempts });
const publicUrl = (config: HostedConfig): NamedChecks => ({
  name: 'public address',
  run: () => checkPublicUrl(config.publicUrl),
});

/** The number of buckets is one for a partition, and kept in the first of its regions. */
function bucketQuotaRegion(region: string): string {
  if (region.startsWith('cn-')) return 'cn-north-1';
  return region.startsWith('us-gov-') ? 'us-gov-west-1' : 'us-east-1';
}

/** What depends on the task definition, which is read once. */
function taskChecks({ region, ecs: { capacity, ...ecs }, maxBuilds }: HostedConfig): NamedChecks[] {
  let described: Promise<BuilderTask> | undefined;
  const withTask = (name: string, look: (task: BuilderTask) => Promise<Check[]>) => ({
    name,
    async run() {
      described ??= describeBuilderTask(new ECSClient({ region, maxAttempts }), ecs);
      try {
        return await described.then(look);
      } catch (error) {
        return [undescribed(awsFailure(name, error, 'ecs:DescribeTaskDefinition'), error)];
      }
    },
  });
  return [
    withTask('image in ECR', (task) =>
      checkBuilderImage(task, (imageRegion) => new ECRClient({ region: imageRegion, maxAttempts })),
    ),
    withTask('Fargate quota', ({ vcpu }) =>
      checkFargateQuotas(quotas(region), { capacity, maxBuilds, vcpu, region }),
    ),
  ];
}

/** ECS says ClientException of a task definition that is not there; what ours is without, an Error of our own says. */
function undescribed(failure: Check, error: unknown): Check {
  const isOurs = error instanceof Error && error.name === 'Error' && !('code' in error);
  if (!isOurs && (error as Error).name !== 'ClientException') return failure;
  const fix =
    'Set SPHERE_ECS_TASK_DEFINITION and SPHERE_ECS_CONTAINER to what is registered: `aws ecs list-task-definitions`.';
  return { ...failure, fix };
}

function describeConfiguration(config: HostedConfig): Check {
  const { publicUrl: url, regions, maxBuilds } = config;
  const builds = `at most ${maxBuilds} builds at once`;
  return { name: 'configuration', ok: true, seen: `${url}, sites in ${regions.join(', ')}, ${builds}` };
}
