/** ECS as a BuildRunner. */
import { builderDefinition } from '../peers/ecs.ts';
import { buildRunnerSuite } from '../ports/build-runner.suite.ts';
import { launcherOf, openEcs, openRunner, settings } from './open-ecs.ts';

const definition = builderDefinition();
const quick = definition.containerDefinitions?.map((one) => ({ ...one, stopTimeout: 1 })) ?? [];

buildRunnerSuite('ECS', async (planeUrl, program) => {
  const ecs = await openEcs({
    launch: await launcherOf(program),
    taskDefinitions: [{ ...definition, containerDefinitions: quick }],
  });
  return { runner: () => openRunner(ecs, { settings: { ...settings, planeUrl } }) };
});
