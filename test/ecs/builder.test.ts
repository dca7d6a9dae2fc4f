/** The real builder program as a task: from RunTask to its result, and stopped in the middle. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleBuilder } from '../builder/builder-program.ts';
import { bootstrapToken, deployment } from '../builder/recording-plane.ts';
import { openPlane, script, upload } from '../builder/uploaded-source.ts';
import { createProcessLauncher } from '../peers/ecs/launchers.ts';
import { build, openEcs, openRunner, settings } from './open-ecs.ts';

let program: Awaited<ReturnType<typeof bundleBuilder>>;
beforeAll(async () => {
  program = await bundleBuilder();
});
afterAll(() => program.remove());

/** A plane that has `command` built, and an ECS that runs its builder. */
async function open(command: string) {
  const options = await upload(script(command));
  // Processes are looked for by the numbers that they have outside.
  const plane = await openPlane({ ...options, spec: { ...options.spec, isolation: 'never' } });
  const launch = createProcessLauncher({ file: program.file });
  const ecs = await openEcs({ launch, fate: { missingLooks: 0 } });
  const runner = openRunner(ecs, { settings: { ...settings, planeUrl: plane.url } });
  const ref = await runner.start({ ...build(deployment), bootstrapToken });
  return { plane, ecs, runner, ref };
}

test('a build runs as a task, reports its result, and the task is gone', async () => {
  const { plane, ecs, runner, ref } = await open('mkdir out && echo "<h1>Hello</h1>" > out/index.html');
  await ecs.until(() => ecs.tasks()[0]?.lastStatus === 'STOPPED');
  expect(plane.result).toMatchObject({ outcome: 'built', uploaded: 1 });
  expect(ecs.tasks()[0]?.describe(false).containers[0]).toMatchObject({ exitCode: 0 });
  expect(await runner.stop(ref)).toBe(true);
});

test('T24: a build that is stopped leaves no process behind', async () => {
  const { plane, ecs, runner, ref } = await open('echo "pid $$"; sleep 600 & wait');
  const pidOf = () => plane.texts.find((text) => text.startsWith('pid '))?.slice(4);
  await plane.until(() => pidOf() !== undefined);
  expect(await runner.states([ref])).toEqual([{ state: 'running' }]);
  await runner.stop(ref);
  await ecs.until(() => ecs.tasks()[0]?.lastStatus === 'STOPPED');
  expect(() => process.kill(Number(pidOf()), 0)).toThrow(/ESRCH/);
  expect(await runner.stop(ref)).toBe(true);
});

test('T25: a build whose Spot capacity is taken back ends in time, and is no failure of the build', async () => {
  const { plane, ecs, runner, ref } = await open('echo started; sleep 600');
  await plane.until(() => plane.texts.includes('started'));
  ecs.interrupt('task' in ref ? ref.task : '');
  await ecs.until(() => ecs.tasks()[0]?.lastStatus === 'STOPPED');
  expect(plane.result).toBeNull();
  expect(await runner.states([ref])).toMatchObject([{ state: 'ended', reason: 'infrastructure' }]);
});
