/** The real builder program as a task: from RunTask to its result, and stopped in the middle. */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { packSource } from '../../files/archive.ts';
import { digestSource } from '../../files/digest.ts';
import { bundleBuilder } from '../builder/builder-program.ts';
import { bootstrapToken, deployment, startPlane } from '../builder/recording-plane.ts';
import { emptyDirectory, tree } from '../files/tree.ts';
import { createProcessLauncher } from '../peers/ecs/launchers.ts';
import { build, openEcs, openRunner, settings } from './open-ecs.ts';

let program: Awaited<ReturnType<typeof bundleBuilder>>;
beforeAll(async () => {
  program = await bundleBuilder();
});
afterAll(() => program.remove());

/** A plane that has `command` built, and an ECS that runs its builder. */
async function open(command: string) {
  const directory = tree({
    'sphere.json': JSON.stringify({ buildCommand: command, outputDirectory: 'out' }),
  });
  const sourceFile = join(emptyDirectory(), 'source.tar.gz');
  const { digest, entries } = await digestSource(directory);
  await pipeline(packSource(directory, entries), createWriteStream(sourceFile));
  const spec = {
    source: { kind: 'upload' as const, digest },
    sourceUrl: `/v1/builds/${deployment}/1/source`,
    // Processes are looked for by the numbers that they have outside.
    isolation: 'never' as const,
  };
  const plane = await startPlane({ spec, sourceFile });
  onTestFinished(() => plane.close());
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
