/** Child processes as a BuildRunner. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createProcessRunner } from '../../server/adapters/process-runner.ts';
import { buildRunnerSuite } from './build-runner.suite.ts';

buildRunnerSuite('A process', async (planeUrl, program) => {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-runner-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const builderFile = join(directory, 'builder.cjs');
  await writeFile(builderFile, program);
  const runner = () =>
    createProcessRunner({
      builderFile,
      buildsDirectory: join(directory, 'builds'),
      cacheDirectory: join(directory, 'cache'),
      planeUrl,
      environment: { PATH: process.env.PATH },
    });
  return { runner };
});
