/** What `sphere server check` says of the ECS side of a plane. */
import type { TaskDefinition } from '@aws-sdk/client-ecs';
import { describe, expect, test } from 'vitest';
import { checkEcs, checkTaskDefinition } from '../../server/adapters/ecs/ecs-check.ts';
import { builderDefinition, type EcsOptions, ecsNames } from '../peers/ecs.ts';
import { idleContainers, openEcs, settings } from './open-ecs.ts';

const check = async (options: Partial<EcsOptions> = {}, changes: Partial<typeof settings> = {}) => {
  const ecs = await openEcs({ launch: idleContainers, ...options });
  return checkEcs({ connection: ecs.connection, settings: { ...settings, ...changes } });
};

test('all that is right is said with what was seen', async () => {
  expect(await check()).toEqual([
    { name: 'ECS settings', ok: true, seen: '2 subnets, public addresses on' },
    { name: 'ECS cluster', ok: true, seen: 'sphere is ACTIVE' },
    { name: 'ECS capacity providers', ok: true, seen: 'FARGATE_SPOT, then FARGATE' },
    { name: 'task definition', ok: true, seen: 'sphere-builder:1 is ACTIVE' },
    { name: 'task role', ok: true, seen: 'none' },
    { name: 'network mode', ok: true, seen: 'awsvpc' },
    { name: 'Fargate', ok: true, seen: 'EC2, FARGATE' },
    { name: 'task size', ok: true, seen: '1 vCPU, 2048 MiB of memory, 20 GiB of disk' },
    { name: 'platform', ok: true, seen: 'LINUX on X86_64' },
    { name: 'execution role', ok: true, seen: 'arn:aws:iam::123456789012:role/sphere-execution' },
    { name: 'builder container', ok: true, seen: 'builder' },
    { name: 'builder image', ok: true, seen: ecsNames.image },
    { name: 'secrets in the task', ok: true, seen: 'none' },
    { name: 'task log', ok: true, seen: 'awslogs, non-blocking' },
  ]);
});

const wrong = (checks: Awaited<ReturnType<typeof check>>) => checks.filter(({ ok }) => !ok);

test.each<[string, Partial<EcsOptions>, Partial<typeof settings>, string, RegExp, RegExp]>([
  ['no cluster', {}, { cluster: 'other' }, 'ECS cluster', /other is not there/, /create-cluster/],
  [
    'a cluster that was deleted',
    { cluster: { status: 'INACTIVE' } },
    {},
    'ECS cluster',
    /INACTIVE/,
    /create-cluster/,
  ],
  [
    'T25: Spot that is not associated',
    { cluster: { capacityProviders: ['FARGATE'] } },
    {},
    'ECS capacity providers',
    /FARGATE_SPOT not associated/,
    /put-cluster-capacity-providers .* FARGATE FARGATE_SPOT /,
  ],
  ['no task definition', {}, { taskDefinition: 'other' }, 'task definition', /not there/, /Register/],
  [
    'a revision that was deregistered',
    { taskDefinitions: [builderDefinition({ status: 'INACTIVE' })] },
    { taskDefinition: 'sphere-builder:1' },
    'task definition',
    /INACTIVE/,
    /Register/,
  ],
  [
    'T16: one subnet',
    {},
    { subnets: ['subnet-0a1b2c3d'] },
    'ECS settings',
    /1 subnet,/,
    /availability zones/,
  ],
  [
    'T26: settings that ECS would refuse',
    {},
    { diskGiB: 10 },
    'ECS settings',
    /21 to 200 GiB, not 10/,
    /Correct/,
  ],
])('%s', async (_what, options, changes, name, seen, fix) => {
  expect(wrong(await check(options, changes))).toEqual([
    { name, ok: false, seen: expect.stringMatching(seen), fix: expect.stringMatching(fix) },
  ]);
});

test('a refused call is said with what the role of the plane needs', async () => {
  const ecs = await openEcs({ launch: idleContainers });
  const denied = { kind: 'error', name: 'AccessDeniedException', message: 'not authorized' } as const;
  ecs.failNext('DescribeClusters', denied);
  ecs.failNext('DescribeTaskDefinition', denied);
  expect(wrong(await checkEcs({ connection: ecs.connection, settings }))).toEqual([
    {
      name: 'ECS cluster',
      ok: false,
      seen: 'AccessDeniedException: not authorized',
      fix: expect.stringContaining('ecs:DescribeClusters'),
    },
    {
      name: 'task definition',
      ok: false,
      seen: 'AccessDeniedException: not authorized',
      fix: expect.stringContaining('ecs:DescribeTaskDefinition'),
    },
  ]);
});

describe('a task definition with', () => {
  const container = (changes: object): Partial<TaskDefinition> => ({
    containerDefinitions:
      builderDefinition().containerDefinitions?.map((one) => ({ ...one, ...changes })) ?? [],
  });
  test.each<[string, Partial<TaskDefinition>, string, RegExp]>([
    ['T21: a task role', { taskRoleArn: 'arn:aws:iam::123456789012:role/admin' }, 'task role', /T21/],
    ['another network mode', { networkMode: 'bridge' }, 'network mode', /awsvpc/],
    ['no Fargate', { compatibilities: ['EC2'] }, 'Fargate', /requiresCompatibilities/],
    ['T26: a size that Fargate does not have', { cpu: '256', memory: '4096' }, 'task size', /pair/],
    [
      'Windows',
      { runtimePlatform: { operatingSystemFamily: 'WINDOWS_SERVER_2022_CORE' } },
      'platform',
      /LINUX/,
    ],
    [
      'no execution role',
      { executionRoleArn: undefined },
      'execution role',
      /AmazonECSTaskExecutionRolePolicy/,
    ],
    ['another container', container({ name: 'web' }), 'builder container', /SPHERE_ECS_CONTAINER/],
    ['T23: an image of Docker Hub', container({ image: 'node:24' }), 'builder image', /ECR/],
    [
      'T23: an image of Docker Hub, with its host',
      container({ image: 'docker.io/a/b' }),
      'builder image',
      /ECR/,
    ],
    ['T23: an image of another account on Docker Hub', container({ image: 'a/b:1' }), 'builder image', /ECR/],
    [
      'T21: secrets',
      container({ secrets: [{ name: 'KEY', valueFrom: 'arn' }] }),
      'secrets in the task',
      /Remove/,
    ],
    ['T28: no log', container({ logConfiguration: undefined }), 'task log', /awslogs/],
    [
      'T28: a log that can stall a build',
      container({ logConfiguration: { logDriver: 'awslogs', options: { mode: 'blocking' } } }),
      'task log',
      /non-blocking/,
    ],
  ])('%s', (_what, changes, name, fix) => {
    const checks = checkTaskDefinition(builderDefinition(changes), settings);
    expect(wrong(checks)).toEqual([
      { name, ok: false, seen: expect.any(String), fix: expect.stringMatching(fix) },
    ]);
  });
});
