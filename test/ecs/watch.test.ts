/** Watching, stopping and finding builders on ECS. */
import { expect, test } from 'vitest';
import type { RunnerRef } from '../../server/ports.ts';
import { never } from '../peers/ecs/task.ts';
import { builderDefinition, type Ecs } from '../peers/ecs.ts';
import { build, idleContainers, launcherOf, openEcs, openRunner, programs, settings } from './open-ecs.ts';

const arnOf = (ref: RunnerRef) => ('task' in ref ? ref.task : '');
const reached = (ecs: Ecs, status: string, at = 0) => ecs.until(() => ecs.tasks()[at]?.lastStatus === status);
const running = { state: 'running' };
const starting = { state: 'starting' };

test('T18: a builder that ECS does not know yet is starting, and runs when it is known', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 5 } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  for (let look = 0; look < 5; look += 1) {
    expect(await runner.states([ref])).toEqual([starting]);
    runner.pass(17_000);
  }
  expect(await runner.states([ref])).toEqual([running]);
});

test('T18: a builder that is unknown for 90 s after its start has ended', async () => {
  const ecs = await openEcs({ fate: { missingLooks: never } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  runner.pass(89_000);
  expect(await runner.states([ref])).toEqual([starting]);
  runner.pass(1_000);
  expect(await runner.states([ref])).toMatchObject([{ state: 'ended', reason: 'infrastructure' }]);
});

test('T18: a replica that did not start the builder counts from when it first saw it missing', async () => {
  const ecs = await openEcs({ fate: { missingLooks: never } });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  const other = openRunner(ecs);
  other.pass(500_000);
  expect(await other.states([ref])).toEqual([starting]);
  other.pass(89_000);
  expect(await other.states([ref])).toEqual([starting]);
  other.pass(1_000);
  expect(await other.states([ref])).toMatchObject([{ state: 'ended' }]);
});

test('T18: a builder that ran and is not seen once goes on running', async () => {
  const ecs = await openEcs();
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  await runner.states([ref]);
  expect(await runner.states([ref])).toEqual([running]);
  ecs.forget(arnOf(ref));
  runner.pass(200_000);
  expect(await runner.states([ref])).toEqual([running]);
});

test('T19: a builder that ECS has forgotten is lost, not building', async () => {
  const ecs = await openEcs({ launch: await launcherOf(programs.failing) });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  await reached(ecs, 'STOPPED');
  ecs.forget(arnOf(ref));
  const afterRestart = openRunner(ecs);
  await afterRestart.states([ref]);
  afterRestart.pass(90_000);
  expect(await afterRestart.states([ref])).toMatchObject([
    { state: 'ended', reason: 'infrastructure', error: { hint: expect.stringContaining('hour') } },
  ]);
});

test('one DescribeTasks looks at 100 builders, in whatever order ECS answers', async () => {
  const ecs = await openEcs({ launch: idleContainers, fate: { missingLooks: 0 } });
  const runner = openRunner(ecs, { startsPerSecond: 1000 });
  const refs = await Promise.all(Array.from({ length: 230 }, (_, at) => runner.start(build(`dpl_${at}`))));
  await ecs.until(() => ecs.tasks().every(({ lastStatus }) => lastStatus === 'RUNNING'));
  ecs.interrupt(arnOf(refs[117] as RunnerRef));
  await ecs.until(() => ecs.tasks().some(({ lastStatus }) => lastStatus === 'STOPPED'));
  ecs.requests.length = 0;
  const states = await runner.states(refs);
  expect(states.flatMap(({ state }, at) => (state === 'running' ? [] : [[at, state]]))).toEqual([
    [117, 'ended'],
  ]);
  expect(ecs.requests.map(({ operation }) => operation)).toEqual(Array(3).fill('DescribeTasks'));
});

test('builders that are asked about one by one at the same time share a call', async () => {
  const ecs = await openEcs({ launch: idleContainers, fate: { missingLooks: 0 } });
  const runner = openRunner(ecs, { startsPerSecond: 1000, gatherMs: 20 });
  const refs = await Promise.all(Array.from({ length: 50 }, (_, at) => runner.start(build(`dpl_${at}`))));
  await ecs.until(() => ecs.tasks().every(({ lastStatus }) => lastStatus === 'RUNNING'));
  ecs.requests.length = 0;
  const states = await Promise.all(refs.map(async (ref) => (await runner.states([ref]))[0]));
  expect(states).toEqual(Array(50).fill(running));
  expect(ecs.requests).toHaveLength(1);
});

test('nothing is asked of ECS when there is no builder', async () => {
  const ecs = await openEcs();
  expect(await openRunner(ecs).states([])).toEqual([]);
  expect(ecs.requests).toEqual([]);
});

test.each([
  ['T22: memory', (ecs: Ecs, arn: string) => ecs.outOfMemory(arn), 'out_of_memory', 'more memory'],
  [
    'T22: a kill that is not for memory',
    (ecs: Ecs, arn: string) => ecs.kill(arn),
    'infrastructure',
    'SIGKILL',
  ],
  ['T25: Spot', (ecs: Ecs, arn: string) => ecs.interrupt(arn), 'infrastructure', 'Spot capacity'],
  [
    'T25: work on the host',
    (ecs: Ecs, arn: string) =>
      ecs.interrupt(arn, { stopCode: 'TerminationNotice', stoppedReason: 'host maintenance' }),
    'infrastructure',
    'work on the machine',
  ],
])('a real builder that ends by %s', async (_what, happen, reason, message) => {
  const ecs = await openEcs();
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await ecs.until(() => ecs.tasks()[0]?.output.includes('working') ?? false);
  happen(ecs, arnOf(ref));
  await reached(ecs, 'STOPPED');
  await runner.states([ref]);
  expect(await runner.states([ref])).toMatchObject([
    { state: 'ended', reason, error: { message: expect.stringContaining(message) } },
  ]);
});

test.each([
  ['CannotPullContainerError: toomanyrequests: You have reached your pull rate limit.', 'limits how often'],
  ['ResourceInitializationError: unable to pull secrets or registry auth: i/o timeout', 'did not reach'],
])('T22, T23: a builder that never started has no exit code: %s', async (stoppedReason, message) => {
  const ecs = await openEcs();
  ecs.failNext('RunTask', { kind: 'fate', fate: { neverStarts: { stoppedReason } } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'STOPPED');
  await runner.states([ref]);
  expect(await runner.states([ref])).toMatchObject([
    {
      state: 'ended',
      reason: 'infrastructure',
      error: { message: expect.stringContaining(message), details: [expect.stringContaining(stoppedReason)] },
    },
  ]);
  expect(ecs.launches()).toEqual([]);
});

test('a builder that was started as a program that fails at once is seen to have ended', async () => {
  const ecs = await openEcs({ launch: await launcherOf(programs.failing), fate: { missingLooks: 0 } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'STOPPED');
  expect(await runner.states([ref])).toMatchObject([
    { state: 'ended', error: { message: expect.stringContaining('exit code 6') } },
  ]);
});

test('while AWS takes the network of a task away its builder has ended already', async () => {
  const fate = { missingLooks: 0, deprovisioningMs: never };
  const ecs = await openEcs({ launch: await launcherOf(programs.failing), fate });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'DEPROVISIONING');
  expect(await runner.states([ref])).toMatchObject([{ state: 'ended' }]);
  expect(await runner.stop(ref)).toBe(true);
});

test('T27: a task that does not come to run is starting for as long as it takes, and can be stopped', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0, pendingMs: never } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'PENDING');
  runner.pass(3_600_000);
  expect(await runner.states([ref])).toEqual([starting]);
  expect(await runner.stop(ref)).toBe(false);
  await reached(ecs, 'STOPPED');
  expect(await runner.stop(ref)).toBe(true);
  expect(ecs.launches()).toEqual([]);
});

test('T24: stopping asks the builder to end, and is over when it has ended', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0 } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await ecs.until(() => ecs.tasks()[0]?.output.includes('working') ?? false);
  expect(await runner.stop(ref)).toBe(false);
  await reached(ecs, 'STOPPED');
  expect(await runner.stop(ref)).toBe(true);
  // The attempt may have been stopped before it was seen to end.
  expect(await runner.states([ref])).toMatchObject([
    { state: 'ended', error: { message: expect.stringContaining('the plane stopped the builder') } },
  ]);
});

test('T24: a builder that does not hear SIGTERM is killed after the stop timeout', async () => {
  const definition = builderDefinition();
  const containerDefinitions = definition.containerDefinitions?.map((one) => ({ ...one, stopTimeout: 1 }));
  const ecs = await openEcs({
    launch: await launcherOf(programs.deaf),
    fate: { missingLooks: 0 },
    taskDefinitions: [{ ...definition, containerDefinitions }],
  });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await ecs.until(() => ecs.tasks()[0]?.output.includes('working') ?? false);
  await runner.stop(ref);
  await reached(ecs, 'STOPPED');
  expect(ecs.tasks()[0]?.output).toContain('heard');
  expect(ecs.tasks()[0]?.describe(false).containers[0]).toMatchObject({ exitCode: 137 });
  expect(await runner.stop(ref)).toBe(true);
});

test('T24: StopTask is repeated every ten seconds, not at every look', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0, stopDelayMs: never } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  ecs.requests.length = 0;
  for (let look = 0; look < 12; look += 1) {
    expect(await runner.stop(ref)).toBe(false);
    runner.pass(2_000);
  }
  const stops = ecs.requests.filter(({ operation }) => operation === 'StopTask');
  expect([ecs.requests.length, stops.length]).toEqual([12, 3]);
  ecs.kill(arnOf(ref));
  await reached(ecs, 'STOPPED');
  expect(await runner.stop(ref)).toBe(true);
});

test('T18, T24: a builder that ECS did not know when it was to be stopped is stopped at the next call', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 1 } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  expect(await runner.stop(ref)).toBe(false);
  expect(await runner.stop(ref)).toBe(false);
  await reached(ecs, 'STOPPED');
  expect(await runner.stop(ref)).toBe(true);
});

test('T18, T24: a builder that ECS does not know has ended once it was missing for 90 s after StopTask', async () => {
  const ecs = await openEcs();
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  ecs.forget(arnOf(ref));
  runner.pass(80_000);
  expect(await runner.stop(ref)).toBe(false);
  runner.pass(89_000);
  expect(await runner.stop(ref)).toBe(false);
  runner.pass(1_000);
  expect(await runner.stop(ref)).toBe(true);
});

test('any process can stop what another has started', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0 } });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  const other = openRunner(ecs);
  await other.stop(ref);
  await reached(ecs, 'STOPPED');
  expect(await other.stop(ref)).toBe(true);
});

test('throttled and failing questions are asked again by the SDK', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0 } });
  const runner = openRunner(ecs);
  const ref = await runner.start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  ecs.failNext('DescribeTasks', { kind: 'error', name: 'ThrottlingException' });
  ecs.failNext('DescribeTasks', { kind: 'error', name: 'ServerException', status: 500 });
  expect(await runner.states([ref])).toEqual([running]);
});

test('the builders of this plane are found, over pages, and those of others are not', async () => {
  const ecs = await openEcs({ launch: idleContainers, fate: { missingLooks: 0 } });
  const runner = openRunner(ecs, { startsPerSecond: 1000 });
  const refs = await Promise.all(Array.from({ length: 120 }, (_, at) => runner.start(build(`dpl_${at}`, 2))));
  await openRunner(ecs, { settings: { ...settings, plane: 'pln_other' } }).start(build('dpl_other'));
  ecs.interrupt(arnOf(refs[3] as RunnerRef));
  await ecs.until(() => ecs.tasks().some(({ lastStatus }) => lastStatus === 'STOPPED'));
  const found = await openRunner(ecs).list();
  const expected = refs.map((ref, at) => ({ deployment: `dpl_${at}`, attempt: 2, ref }));
  const byId = (a: { deployment: string }, b: { deployment: string }) =>
    a.deployment.localeCompare(b.deployment);
  expect(found.sort(byId)).toEqual(expected.filter((_, at) => at !== 3).sort(byId));
});

test('a plane that was given another cluster still finds what it started before', async () => {
  const ecs = await openEcs({ fate: { missingLooks: 0 } });
  const ref = await openRunner(ecs).start(build('dpl_a'));
  await reached(ecs, 'RUNNING');
  const moved = openRunner(ecs, { settings: { ...settings, cluster: 'another' } });
  expect(await moved.states([ref])).toEqual([running]);
});
