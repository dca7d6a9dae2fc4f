/** Looks at what builds on ECS lean on: the cluster, its capacity, and the task definition of the builder. */
import {
  DescribeClustersCommand,
  DescribeTaskDefinitionCommand,
  ECSClient,
  type ECSClientConfig,
  type TaskDefinition,
} from '@aws-sdk/client-ecs';
import type { Check } from '../../check.ts';
import { awsFailure } from '../../checks/aws-failure.ts';
import { type EcsSettings, settingsProblems } from './run-task-input.ts';
import { sizeProblem } from './task-size.ts';

/** What is right and wrong with the ECS side of a plane. Never throws: what could not be looked at is not ok. */
export async function checkEcs(options: {
  connection: ECSClientConfig;
  settings: EcsSettings;
}): Promise<Check[]> {
  const { settings } = options;
  const client = new ECSClient({
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 10_000, throwOnRequestTimeout: true },
    ...options.connection,
  });
  try {
    const parts = await Promise.all([clusterChecks(client, settings), definitionChecks(client, settings)]);
    return [settingsCheck(settings), ...parts.flat()];
  } finally {
    client.destroy();
  }
}

function settingsCheck(settings: EcsSettings): Check {
  const problems = settingsProblems(settings);
  if (problems.length > 0)
    return {
      name: 'ECS settings',
      ok: false,
      seen: problems.join(' '),
      fix: 'Correct the SPHERE_ECS_… settings that it names.',
    };
  const { subnets, assignPublicIp } = settings;
  const seen = `${subnets.length} subnet${subnets.length === 1 ? '' : 's'}, public addresses ${assignPublicIp ? 'on' : 'off'}`;
  if (subnets.length > 1) return { name: 'ECS settings', ok: true, seen };
  return {
    name: 'ECS settings',
    ok: false,
    seen,
    fix: 'Set SPHERE_ECS_SUBNETS to subnets in two availability zones or more: when one has no capacity, no build can start.',
  };
}

async function clusterChecks(client: ECSClient, settings: EcsSettings): Promise<Check[]> {
  const name = 'ECS cluster';
  try {
    const answer = await client.send(new DescribeClustersCommand({ clusters: [settings.cluster] }));
    const cluster = answer.clusters?.[0];
    if (cluster?.status !== 'ACTIVE')
      return [
        {
          name,
          ok: false,
          seen: `${settings.cluster} is ${cluster?.status ?? 'not there'}`,
          fix: `Create it in the plane's region: aws ecs create-cluster --cluster-name ${settings.cluster}`,
        },
      ];
    return [{ name, ok: true, seen: `${settings.cluster} is ACTIVE` }, capacityCheck(cluster, settings)];
  } catch (error) {
    return [awsFailure(name, error, 'ecs:DescribeClusters')];
  }
}

function capacityCheck(cluster: { capacityProviders?: string[] | undefined }, settings: EcsSettings): Check {
  const name = 'ECS capacity providers';
  const { capacityProviders: wanted } = settings;
  if (wanted.length === 0) return { name, ok: true, seen: 'none set: launch type FARGATE' };
  const there = cluster.capacityProviders ?? [];
  const missing = wanted.filter((one) => !there.includes(one));
  if (missing.length === 0) return { name, ok: true, seen: wanted.join(', then ') };
  return {
    name,
    ok: false,
    seen: `${missing.join(', ')} not associated with ${settings.cluster}`,
    fix: `aws ecs put-cluster-capacity-providers --cluster ${settings.cluster} --capacity-providers ${[...new Set([...there, ...wanted])].join(' ')} --default-capacity-provider-strategy capacityProvider=${wanted.at(-1)}`,
  };
}

async function definitionChecks(client: ECSClient, settings: EcsSettings): Promise<Check[]> {
  const name = 'task definition';
  const { taskDefinition } = settings;
  try {
    const { taskDefinition: found } = await client.send(
      new DescribeTaskDefinitionCommand({ taskDefinition }),
    );
    return found ? checkTaskDefinition(found, settings) : [notThere(taskDefinition, 'not there')];
  } catch (error) {
    // "Unable to describe task definition." is all that ECS says of one that does not exist.
    if ((error as Error).name === 'ClientException') return [notThere(taskDefinition, 'not there')];
    return [awsFailure(name, error, 'ecs:DescribeTaskDefinition')];
  }
}

/** What is right and wrong with the builder's task definition. Pure. */
export function checkTaskDefinition(found: TaskDefinition, settings: EcsSettings): Check[] {
  const { family, revision, status } = found;
  if (status !== 'ACTIVE') return [notThere(settings.taskDefinition, status ?? 'of an unknown status')];
  const facts: Fact[] = [
    ['task definition', true, `${family}:${revision} is ACTIVE`, ''],
    [
      'task role',
      !found.taskRoleArn,
      found.taskRoleArn ?? 'none',
      'Register the task definition without taskRoleArn: every command of a build could use that role (T21).',
    ],
    [
      'network mode',
      found.networkMode === 'awsvpc',
      found.networkMode ?? 'bridge',
      'Set networkMode to awsvpc: Fargate has no other.',
    ],
    [
      'Fargate',
      found.compatibilities?.includes('FARGATE') ?? false,
      found.compatibilities?.join(', ') || 'nothing',
      'Set requiresCompatibilities to FARGATE, and correct what ECS then refuses.',
    ],
    sizeFact(found, settings),
    platformFact(found),
    [
      'execution role',
      Boolean(found.executionRoleArn),
      found.executionRoleArn ?? 'none',
      'Set executionRoleArn to a role with AmazonECSTaskExecutionRolePolicy: the image is pulled and the log written with it.',
    ],
    ...containerFacts(found, settings),
  ];
  return facts.map(([name, ok, seen, fix]) => (ok ? { name, ok, seen } : { name, ok, seen, fix }));
}

type Fact = readonly [name: string, ok: boolean, seen: string, fix: string];

function sizeFact(found: TaskDefinition, settings: EcsSettings): Fact {
  const cpu = settings.size?.cpu ?? Number(found.cpu);
  const memoryMiB = settings.size?.memoryMiB ?? Number(found.memory);
  const disk = settings.diskGiB ?? found.ephemeralStorage?.sizeInGiB ?? 20;
  const problem = sizeProblem(cpu, memoryMiB);
  const seen = problem ?? `${cpu / 1024} vCPU, ${memoryMiB} MiB of memory, ${disk} GiB of disk`;
  return ['task size', problem === null, seen, 'Set cpu and memory to a pair that Fargate has.'];
}

function platformFact(found: TaskDefinition): Fact {
  const { operatingSystemFamily = 'LINUX', cpuArchitecture = 'X86_64' } = found.runtimePlatform ?? {};
  return [
    'platform',
    operatingSystemFamily === 'LINUX',
    `${operatingSystemFamily} on ${cpuArchitecture}`,
    'Set runtimePlatform to LINUX; its cpuArchitecture must be the one of the image.',
  ];
}

function containerFacts(found: TaskDefinition, settings: EcsSettings): Fact[] {
  const all = found.containerDefinitions ?? [];
  const container = all.find((one) => one.name === settings.container);
  const names = all.map((one) => one.name).join(', ') || 'none';
  if (!container)
    return [
      [
        'builder container',
        false,
        `${names}; no ${settings.container}`,
        'Set SPHERE_ECS_CONTAINER to the name of the container that runs the builder.',
      ],
    ];
  const { image = '', logConfiguration: log, secrets = [] } = container;
  const mode = log?.options?.mode;
  return [
    ['builder container', true, names, ''],
    [
      'builder image',
      image !== '' && !fromDockerHub(image),
      image || 'none',
      'Keep the image in ECR of this region: Docker Hub limits how often it is pulled (T23).',
    ],
    [
      'secrets in the task',
      secrets.length === 0,
      secrets.map((one) => one.name).join(', ') || 'none',
      'Remove them: every command of a build can read them. Builders need none.',
    ],
    [
      'task log',
      log !== undefined && mode !== 'blocking',
      log ? `${log.logDriver}${mode ? `, ${mode}` : ''}` : 'none',
      'Set awslogs with mode non-blocking: it says what happened before the builder reached the plane, and blocking can stall a build (T28).',
    ],
  ];
}

/** An image without a registry's host is one of Docker Hub (`node:24`, `library/node`). */
function fromDockerHub(image: string): boolean {
  const host = image.includes('/') ? (image.split('/')[0] as string) : '';
  return host === 'docker.io' || !(host.includes('.') || host.includes(':') || host === 'localhost');
}

function notThere(taskDefinition: string, how: string): Check {
  return {
    name: 'task definition',
    ok: false,
    seen: `${taskDefinition} is ${how}`,
    fix: "Register the builder's task definition in the plane's region, or set SPHERE_ECS_TASK_DEFINITION.",
  };
}
