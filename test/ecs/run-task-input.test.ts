/** What is asked of ECS for one builder, as data. */
import { describe, expect, test } from 'vitest';
import {
  type EcsSettings,
  placesFor,
  runTaskInput,
  settingsProblems,
} from '../../server/adapters/ecs/run-task-input.ts';
import { sizeProblem } from '../../server/adapters/ecs/task-size.ts';

const settings: EcsSettings = {
  plane: 'pln_abcdefghijklmnop',
  planeUrl: 'https://sphere.example.com',
  cluster: 'sphere',
  taskDefinition: 'sphere-builder',
  container: 'builder',
  subnets: ['subnet-0a1b2c3d', 'subnet-0b1b2c3d'],
  securityGroups: ['sg-0a1b2c3d'],
  assignPublicIp: false,
  capacityProviders: ['FARGATE_SPOT', 'FARGATE'],
};
const build = { deployment: 'dpl_abcdefghijklmnop', attempt: 2, bootstrapToken: 'f'.repeat(64), lost: 0 };

test('T17, T20: a try is one value, with nothing in it but where the plane is, who the builder is and its token', () => {
  expect(runTaskInput(settings, build, 1)).toEqual({
    clientToken: 'dpl_abcdefghijklmnop-2',
    startedBy: 'sphere-pln_abcdefghijklmnop',
    cluster: 'sphere',
    taskDefinition: 'sphere-builder',
    count: 1,
    capacityProviderStrategy: [{ capacityProvider: 'FARGATE_SPOT', weight: 1 }],
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: ['subnet-0a1b2c3d', 'subnet-0b1b2c3d'],
        securityGroups: ['sg-0a1b2c3d'],
        assignPublicIp: 'DISABLED',
      },
    },
    overrides: {
      containerOverrides: [
        {
          name: 'builder',
          environment: [
            { name: 'SPHERE_PLANE_URL', value: 'https://sphere.example.com' },
            { name: 'SPHERE_DEPLOYMENT', value: 'dpl_abcdefghijklmnop' },
            { name: 'SPHERE_ATTEMPT', value: '2' },
            { name: 'SPHERE_BOOTSTRAP_TOKEN', value: 'f'.repeat(64) },
          ],
        },
      ],
    },
    propagateTags: 'TASK_DEFINITION',
    enableECSManagedTags: true,
    tags: [
      { key: 'sphere:plane', value: 'pln_abcdefghijklmnop' },
      { key: 'sphere:deployment', value: 'dpl_abcdefghijklmnop' },
      { key: 'sphere:attempt', value: '2' },
    ],
  });
});

describe('T17: the same token never comes with other parameters', () => {
  test.each([1, 2, 3, 4, 5])('try %i', (number) => {
    const input = runTaskInput(settings, build, number);
    expect(runTaskInput(settings, build, number)).toEqual(input);
    for (const other of [1, 2, 3, 4, 5].filter((one) => one !== number))
      expect(runTaskInput(settings, build, other).clientToken).not.toBe(input.clientToken);
    expect(input.clientToken).toMatch(/^[!-~]{1,64}$/);
  });

  test('a deployment whose id does not fit into a token is a bug, and nothing is sent', () => {
    expect(() => runTaskInput(settings, { ...build, deployment: 'd'.repeat(63) }, 1)).toThrow(/client token/);
    expect(() => runTaskInput(settings, { ...build, deployment: 'dpl über' }, 1)).toThrow(/client token/);
  });
});

describe('T16, T25: where a builder is asked for, in order', () => {
  const all = ['subnet-0a1b2c3d', 'subnet-0b1b2c3d'];
  test.each<[string, Partial<EcsSettings>, number, [string | null, string[]][]]>([
    [
      'Spot, then on-demand, then each subnet by itself',
      {},
      0,
      [
        ['FARGATE_SPOT', all],
        ['FARGATE', all],
        ['FARGATE', ['subnet-0a1b2c3d']],
        ['FARGATE', ['subnet-0b1b2c3d']],
      ],
    ],
    [
      'after a loss, never Spot',
      {},
      1,
      [
        ['FARGATE', all],
        ['FARGATE', ['subnet-0a1b2c3d']],
        ['FARGATE', ['subnet-0b1b2c3d']],
      ],
    ],
    ['one subnet is asked once', { subnets: ['subnet-0a1b2c3d'] }, 1, [['FARGATE', ['subnet-0a1b2c3d']]]],
    [
      'without capacity providers by launch type',
      { capacityProviders: [], subnets: ['subnet-0a1b2c3d'] },
      0,
      [[null, ['subnet-0a1b2c3d']]],
    ],
  ])('%s', (_what, changes, lost, places) => {
    expect(placesFor({ ...settings, ...changes }, lost)).toEqual(
      places.map(([capacityProvider, subnets]) => ({ capacityProvider, subnets })),
    );
  });

  test('a launch type and a strategy never come together', () => {
    const byType = runTaskInput({ ...settings, capacityProviders: [] }, build, 1);
    expect(byType.launchType).toBe('FARGATE');
    expect(byType.capacityProviderStrategy).toBeUndefined();
    expect(runTaskInput(settings, build, 1).launchType).toBeUndefined();
  });
});

test('T23: a public address only where it is set', () => {
  const input = runTaskInput({ ...settings, assignPublicIp: true }, build, 1);
  expect(input.networkConfiguration?.awsvpcConfiguration?.assignPublicIp).toBe('ENABLED');
});

test('T26: size and disk go into the overrides', () => {
  const input = runTaskInput({ ...settings, size: { cpu: 2048, memoryMiB: 8192 }, diskGiB: 50 }, build, 1);
  expect(input.overrides).toMatchObject({ cpu: '2048', memory: '8192', ephemeralStorage: { sizeInGiB: 50 } });
});

test('T20: overrides of more than 8,192 characters are refused before they are sent', () => {
  const planeUrl = `https://sphere.example.com/${'p'.repeat(8_000)}`;
  expect(() => runTaskInput({ ...settings, planeUrl }, build, 1)).toThrow(/8192/);
});

describe('T26: Fargate has a task of', () => {
  test.each([
    [256, 512],
    [256, 2048],
    [512, 4096],
    [1024, 8192],
    [2048, 5120],
    [4096, 30720],
    [8192, 61440],
    [16384, 122880],
  ])('%i units with %i MiB', (cpu, memoryMiB) => {
    expect(sizeProblem(cpu, memoryMiB)).toBeNull();
  });
});

describe('T26: Fargate has no task of', () => {
  test.each([
    [256, 1536],
    [256, 4096],
    [512, 512],
    [1024, 1024],
    [2048, 4500],
    [4096, 31744],
    [8192, 17408],
    [300, 1024],
  ])('%i units with %i MiB, and it is said what there is', (cpu, memoryMiB) => {
    expect(sizeProblem(cpu, memoryMiB)).toMatch(/Fargate has no tasks of .*: .*\d+/);
  });
});

test('everything that is wrong with the settings is said at once', () => {
  const wrong = {
    ...settings,
    plane: 'a plane',
    subnets: [],
    securityGroups: ['1', '2', '3', '4', '5', '6'],
    size: { cpu: 1, memoryMiB: 1 },
    diskGiB: 20,
  };
  expect(settingsProblems(wrong)).toHaveLength(5);
  expect(settingsProblems(settings)).toEqual([]);
});
