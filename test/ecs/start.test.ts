/** Starting builders on ECS: whatever goes wrong, one builder starts or a person is told why not. */
import { expect, test } from 'vitest';
import { createRateLimit } from '../../server/adapters/ecs/rate-limit.ts';
import { builderDefinition, noCapacity, serverError, throttling } from '../peers/ecs.ts';
import { build, idleContainers, launcherOf, openEcs, openRunner, programs, settings } from './open-ecs.ts';

const inputs = (ecs: Awaited<ReturnType<typeof openEcs>>) =>
  ecs.requests.filter(({ operation }) => operation === 'RunTask').map(({ input }) => input as never);
type RunTask = {
  clientToken: string;
  capacityProviderStrategy?: { capacityProvider: string }[];
  networkConfiguration: { awsvpcConfiguration: { subnets: string[] } };
};
const summary = ({ clientToken, capacityProviderStrategy, networkConfiguration }: RunTask) => [
  clientToken,
  capacityProviderStrategy?.[0]?.capacityProvider,
  networkConfiguration.awsvpcConfiguration.subnets.length,
];

test('T20: the builder is told who it is and where the plane is, and has no credential of the plane', async () => {
  const ecs = await openEcs({ launch: await launcherOf(programs.telling) });
  await openRunner(ecs).start(build('dpl_a', 3));
  await ecs.until(() => ecs.tasks()[0]?.lastStatus === 'STOPPED');
  const told = JSON.parse(ecs.tasks()[0]?.output ?? '') as Record<string, string>;
  expect(told).toMatchObject({
    SPHERE_PLANE_URL: settings.planeUrl,
    SPHERE_DEPLOYMENT: 'dpl_a',
    SPHERE_ATTEMPT: '3',
    SPHERE_BOOTSTRAP_TOKEN: 'f'.repeat(64),
  });
  expect(Object.keys(told).filter((name) => /AWS|REDIS|DATABASE/.test(name))).toEqual([]);
});

test('T16: an answer of 200 that started nothing is asked elsewhere: on-demand, then another subnet', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', noCapacity, { times: 3 });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  expect(ref).toEqual({ task: ecs.tasks()[0]?.arn });
  expect(inputs(ecs).map(summary)).toEqual([
    ['dpl_a-1', 'FARGATE_SPOT', 2],
    ['dpl_a-1-2', 'FARGATE', 2],
    ['dpl_a-1-3', 'FARGATE', 1],
    ['dpl_a-1-4', 'FARGATE', 1],
  ]);
});

test('T16: no capacity anywhere ends with the reason that ECS gave, within the time that is set', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', noCapacity, { times: Number.POSITIVE_INFINITY });
  const start = openRunner(ecs, { startWithinMs: 100 }).start(build('dpl_a'));
  await expect(start).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringContaining('Capacity is unavailable at this time'),
    hint: expect.stringContaining('availability zones'),
  });
  expect(ecs.tasks()).toEqual([]);
});

test('T16: a failure without any reason is a failure too', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', { kind: 'failures', reason: 'AGENT', detail: 'not connected' }, { times: 1 });
  ecs.failNext('RunTask', { kind: 'failures', reason: '' }, { times: Number.POSITIVE_INFINITY });
  const start = openRunner(ecs, { startWithinMs: 0 }).start(build('dpl_a'));
  await expect(start).rejects.toThrow(/AGENT: not connected/);
  const again = openRunner(ecs, { startWithinMs: 0 }).start(build('dpl_b'));
  await expect(again).rejects.toThrow(/ECS gave no reason/);
});

test('T16: throttling is waited out with the same request', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', throttling, { times: 4 });
  await openRunner(ecs).start(build('dpl_a'));
  expect(inputs(ecs).map(summary)).toEqual(Array(5).fill(['dpl_a-1', 'FARGATE_SPOT', 2]));
  expect(ecs.tasks()).toHaveLength(1);
});

test('T16: throttling without end, and a quota that is used up, say what to raise', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', throttling, { times: Number.POSITIVE_INFINITY, when: isFor('dpl_a') });
  const quota = { kind: 'error', name: 'LimitExceededException', message: 'vCPUs' } as const;
  ecs.failNext('RunTask', quota, { times: Number.POSITIVE_INFINITY, when: isFor('dpl_b') });
  const runner = openRunner(ecs, { startWithinMs: 30 });
  await expect(runner.start(build('dpl_a'))).rejects.toMatchObject({
    message: expect.stringContaining('Rate exceeded'),
    hint: expect.stringContaining('lower how many builds run at once'),
  });
  await expect(runner.start(build('dpl_b'))).rejects.toMatchObject({
    message: expect.stringContaining('vCPUs'),
    hint: expect.stringContaining('Fargate quota'),
  });
});

test('T16: against buckets like those of AWS forty builders start at once, each exactly once', async () => {
  const ecs = await openEcs({ launch: idleContainers, runTaskRate: { burst: 5, perSecond: 100 } });
  const runner = openRunner(ecs, { startsPerSecond: 1000, backoffMs: 20 });
  const refs = await Promise.all(Array.from({ length: 40 }, (_, at) => runner.start(build(`dpl_${at}`))));
  expect(ecs.tasks()).toHaveLength(40);
  expect(new Set(refs.map((ref) => ('task' in ref ? ref.task : ''))).size).toBe(40);
  expect(inputs(ecs).length).toBeGreaterThan(40);
});

test('T16: at most 20 RunTask a second leave a process', async () => {
  const ecs = await openEcs({ launch: idleContainers });
  const runner = openRunner(ecs);
  await Promise.all(Array.from({ length: 45 }, (_, at) => runner.start(build(`dpl_${at}`))));
  const times = ecs.requests.map(({ at }) => at);
  expect(times).toHaveLength(45);
  // Twenty at once, twenty a second later, five in the third second. How long each is on its way is not the runner's.
  expect((times.at(-1) as number) - (times[0] as number)).toBeGreaterThan(1_500);
});

test('the rate limit lets so many through in any span of its length, and in order', async () => {
  const mayGo = createRateLimit(5, 100);
  const passed: { caller: number; at: number }[] = [];
  await Promise.all(
    Array.from({ length: 23 }, async (_, caller) => {
      await mayGo();
      passed.push({ caller, at: performance.now() });
    }),
  );
  expect(passed.map(({ caller }) => caller)).toEqual(Array.from({ length: 23 }, (_, caller) => caller));
  expect((passed.at(-1)?.at as number) - (passed[0]?.at as number)).toBeGreaterThan(395);
});

test('T17: an answer that is lost starts no second builder', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', { kind: 'lost-answer' }, { times: 2 });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  expect(ecs.tasks().map(({ arn }) => ({ task: arn }))).toEqual([ref]);
  expect(inputs(ecs)).toHaveLength(3);
});

test('T17: a call that hangs is given up, and the same one is made again', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', { kind: 'no-answer' });
  const requestHandler = { requestTimeout: 100, throwOnRequestTimeout: true };
  const runner = openRunner(ecs, { connection: { ...ecs.connection, requestHandler } });
  expect(await runner.start(build('dpl_a'))).toEqual({ task: ecs.tasks()[0]?.arn });
  expect(ecs.tasks()).toHaveLength(1);
  expect(inputs(ecs)).toHaveLength(2);
});

test('T17: an error of the service is asked again with the same token', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', serverError, { times: 2 });
  await openRunner(ecs).start(build('dpl_a'));
  expect(new Set(inputs(ecs).map(({ clientToken }: RunTask) => clientToken))).toEqual(new Set(['dpl_a-1']));
  expect(ecs.tasks()).toHaveLength(1);
});

test('T17: an answer that never comes is a clear error, and the next start finds what was started', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', { kind: 'lost-answer' }, { times: 1 });
  const start = openRunner(ecs, { startWithinMs: 0 }).start(build('dpl_a'));
  await expect(start).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringContaining('did not answer'),
  });
  expect(await openRunner(ecs).start(build('dpl_a'))).toEqual({ task: ecs.tasks()[0]?.arn });
  expect(ecs.tasks()).toHaveLength(1);
});

test('T17: another process that starts the same attempt gets the builder that is there', async () => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', noCapacity, { times: 3, when: (input) => JSON.stringify(input).includes('SPOT') });
  const first = await openRunner(ecs).start(build('dpl_a'));
  expect(await openRunner(ecs).start(build('dpl_a'))).toEqual(first);
  expect(await openRunner(ecs).start(build('dpl_a', 2))).not.toEqual(first);
  expect(ecs.tasks()).toHaveLength(2);
});

test('T17: a process with newer settings is told of the builder that runs under the token', async () => {
  const ecs = await openEcs();
  const first = await openRunner(ecs).start(build('dpl_a'));
  const newer = openRunner(ecs, { settings: { ...settings, assignPublicIp: false } });
  expect(await newer.start(build('dpl_a'))).toEqual(first);
  expect(ecs.tasks()).toHaveLength(1);
});

test('T25: an attempt after a loss is asked for on-demand at once', async () => {
  const ecs = await openEcs();
  await openRunner(ecs).start(build('dpl_a', 2, 1));
  expect(inputs(ecs).map(summary)).toEqual([['dpl_a-2', 'FARGATE', 2]]);
});

test('T26: a size that ECS takes reaches the task', async () => {
  const ecs = await openEcs({ launch: idleContainers });
  const sized = { ...settings, size: { cpu: 4096, memoryMiB: 30720 }, diskGiB: 200 };
  await openRunner(ecs, { settings: sized }).start(build('dpl_a'));
  expect(ecs.tasks()[0]?.describe(false)).toMatchObject({
    cpu: '4096',
    memory: '30720',
    ephemeralStorage: { sizeInGiB: 200 },
  });
});

test.each([
  ['a cluster that is not there', { cluster: 'other' }, /ClusterNotFoundException/],
  ['a task definition that is not there', { taskDefinition: 'other' }, /TaskDefinition not found/],
  ['a container that is not there', { container: 'other' }, /container named other/],
  ['a subnet that is not there', { subnets: ['subnet-0c'] }, /subnet-0c/],
  ['a capacity provider that is not associated', { capacityProviders: ['OTHER'] }, /OTHER/],
])('what no repetition mends is said at once: %s', async (_what, changes, message) => {
  const ecs = await openEcs();
  const start = openRunner(ecs, { settings: { ...settings, ...changes } }).start(build('dpl_a'));
  await expect(start).rejects.toMatchObject({
    code: 'INFRASTRUCTURE',
    message: expect.stringMatching(message),
    hint: expect.stringContaining('server check'),
  });
  expect(inputs(ecs)).toHaveLength(1);
});

test('a task definition with a smaller task than Fargate has is refused with its reason', async () => {
  const ecs = await openEcs({ taskDefinitions: [builderDefinition({ cpu: '256', memory: '8192' })] });
  await expect(openRunner(ecs).start(build('dpl_a'))).rejects.toThrow(/No Fargate configuration/);
});

function isFor(deployment: string) {
  return (input: { clientToken?: string | undefined }) =>
    input.clientToken?.startsWith(`${deployment}-`) ?? false;
}
