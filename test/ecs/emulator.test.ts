/** That the emulator is as strict as ECS's documentation, so that what passes on it is worth something. */
import {
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
} from '@aws-sdk/client-ecs';
import { describe, expect, test } from 'vitest';
import { runTaskInput } from '../../server/adapters/ecs/run-task-input.ts';
import { build, idleContainers, openEcs, settings } from './open-ecs.ts';

const good = runTaskInput(settings, build('dpl_a'), 1);
const open = async () => {
  const ecs = await openEcs({ launch: idleContainers, fate: { missingLooks: 0 } });
  const client = new ECSClient({ ...ecs.connection, maxAttempts: 1 });
  return { ecs, client, run: (input: RunTaskCommandInput) => client.send(new RunTaskCommand(input)) };
};
const network = (awsvpcConfiguration: object) => ({
  networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-0a1b2c3d'], ...awsvpcConfiguration } },
});
const tags = (count: number) => Array.from({ length: count }, (_, at) => ({ key: `k${at}`, value: 'v' }));
const many = (count: number) => Array.from({ length: count }, (_, at) => `x${at}`);

describe('RunTask is refused with', () => {
  test.each<[string, object, string]>([
    ['T16: no network for awsvpc', { networkConfiguration: undefined }, 'InvalidParameterException'],
    ['no subnets', network({ subnets: [] }), 'InvalidParameterException'],
    ['more than 16 subnets', network({ subnets: many(17) }), 'InvalidParameterException'],
    ['more than 5 security groups', network({ securityGroups: many(6) }), 'InvalidParameterException'],
    ['a launch type and a strategy', { launchType: 'FARGATE' }, 'InvalidParameterException'],
    ['neither of them', { capacityProviderStrategy: undefined }, 'InvalidParameterException'],
    [
      'a strategy without weight',
      { capacityProviderStrategy: [{ capacityProvider: 'FARGATE' }] },
      'InvalidParameterException',
    ],
    ['more than 10 tasks', { count: 11 }, 'InvalidParameterException'],
    ['T17: a long token', { clientToken: 'x'.repeat(65) }, 'InvalidParameterException'],
    ['T17: a token with a space', { clientToken: 'a b' }, 'InvalidParameterException'],
    ['a long startedBy', { startedBy: 'x'.repeat(129) }, 'InvalidParameterException'],
    ['a startedBy with a colon', { startedBy: 'a:b' }, 'InvalidParameterException'],
    ['more than 50 tags', { tags: tags(51) }, 'InvalidParameterException'],
    ['a tag of AWS', { tags: [{ key: 'aws:x', value: '' }] }, 'InvalidParameterException'],
    ['tags of a service', { propagateTags: 'SERVICE' }, 'InvalidParameterException'],
    [
      'T20: long overrides',
      { overrides: { containerOverrides: [{ name: 'builder', command: ['x'.repeat(8_150)] }] } },
      'InvalidParameterException',
    ],
    [
      'another container',
      { overrides: { containerOverrides: [{ name: 'web' }] } },
      'InvalidParameterException',
    ],
    ['T26: a size that is none', { overrides: { cpu: '256', memory: '1536' } }, 'ClientException'],
    [
      'T26: a small disk',
      { overrides: { ephemeralStorage: { sizeInGiB: 20 } } },
      'InvalidParameterException',
    ],
    [
      'T26: a large disk',
      { overrides: { ephemeralStorage: { sizeInGiB: 201 } } },
      'InvalidParameterException',
    ],
    ['T21: a shell without a role', { enableExecuteCommand: true }, 'InvalidParameterException'],
    ['a placement', { placementStrategy: [{ type: 'random', field: '' }] }, 'InvalidParameterException'],
    ['another cluster', { cluster: 'other' }, 'ClusterNotFoundException'],
    ['the default cluster', { cluster: undefined }, 'ClusterNotFoundException'],
    ['another task definition', { taskDefinition: 'other' }, 'ClientException'],
    [
      'a member that ECS may have, and the emulator not',
      { volumeConfigurations: [{ name: 'x' }] },
      'SerializationException',
    ],
  ])('%s', async (_what, changes, name) => {
    const { ecs, run } = await open();
    await expect(run({ ...good, ...changes } as RunTaskCommandInput)).rejects.toMatchObject({ name });
    expect(ecs.tasks()).toEqual([]);
  });
});

test('what is within the rules is taken', async () => {
  const { run } = await open();
  const { tasks } = await run({ ...good, count: 10, tags: tags(50), clientToken: '!'.repeat(64) });
  expect(tasks).toHaveLength(10);
  expect(tasks?.[0]).toMatchObject({ lastStatus: 'PROVISIONING', desiredStatus: 'RUNNING' });
  expect(tasks?.[0]?.createdAt).toBeInstanceOf(Date);
});

test('T17: the same request is the same task, another under its token a conflict that names it', async () => {
  const { ecs, run } = await open();
  const first = await run(good);
  expect((await run(good)).tasks?.[0]?.taskArn).toBe(first.tasks?.[0]?.taskArn);
  await expect(run({ ...good, ...network({}) })).rejects.toMatchObject({
    name: 'ConflictException',
    resourceIds: [first.tasks?.[0]?.taskArn],
  });
  expect(ecs.tasks()).toHaveLength(1);
});

test('a task goes through its states, and stops with a reason', async () => {
  const { ecs, client, run } = await open();
  const arn = (await run(good)).tasks?.[0]?.taskArn ?? '';
  const seen = new Set<string>();
  const reaches = (wanted: string) =>
    ecs.until(() => {
      const status = ecs.tasks()[0]?.lastStatus ?? '';
      seen.add(status);
      return status === wanted;
    });
  const stopped = reaches('STOPPED');
  await reaches('RUNNING');
  await client.send(new StopTaskCommand({ cluster: 'sphere', task: arn, reason: 'because' }));
  await stopped;
  expect([...seen]).toEqual(['PROVISIONING', 'PENDING', 'RUNNING', 'STOPPING', 'DEPROVISIONING', 'STOPPED']);
  const { tasks } = await client.send(new DescribeTasksCommand({ cluster: 'sphere', tasks: [arn] }));
  expect(tasks?.[0]).toMatchObject({
    stopCode: 'UserInitiated',
    stoppedReason: 'because',
    containers: [{ exitCode: 143 }],
  });
});

test('questions are held to their limits', async () => {
  const { client } = await open();
  const refused = { name: 'InvalidParameterException' };
  const describeTasks = (tasks: string[]) =>
    client.send(new DescribeTasksCommand({ cluster: 'sphere', tasks }));
  const list = (filter: object) => client.send(new ListTasksCommand({ cluster: 'sphere', ...filter }));
  await expect(describeTasks(many(101))).rejects.toMatchObject(refused);
  await expect(describeTasks([])).rejects.toMatchObject(refused);
  await expect(describeTasks(['arn:aws:ecs:eu-central-1:123456789012:task/other/1'])).rejects.toMatchObject(
    refused,
  );
  expect(await describeTasks(['unknown'])).toMatchObject({ tasks: [], failures: [{ reason: 'MISSING' }] });
  await expect(list({ maxResults: 101 })).rejects.toMatchObject(refused);
  await expect(list({ startedBy: 'x', family: 'sphere-builder' })).rejects.toMatchObject(refused);
  const stop = client.send(new StopTaskCommand({ cluster: 'sphere', task: 'unknown' }));
  await expect(stop).rejects.toMatchObject({ ...refused, message: 'The referenced task was not found.' });
});

test('a request that is not signed for ECS in this region is refused', async () => {
  const { ecs } = await open();
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListTasks',
  };
  const answer = await fetch(ecs.url, { method: 'POST', headers, body: '{"cluster":"sphere"}' });
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { __type: 'MissingAuthenticationTokenException' },
  ]);
  const elsewhere = new ECSClient({ ...ecs.connection, region: 'us-east-1' });
  await expect(elsewhere.send(new ListTasksCommand({ cluster: 'sphere' }))).rejects.toMatchObject({
    name: 'IncompleteSignatureException',
  });
});
