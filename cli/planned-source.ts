/** `--dry-run` of a directory: asks the builder's program what a build of it would do. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { BuildSettings } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import type { PlanAnswer, PlannedSource } from '../contract/planned-source.ts';
import { packageRoot } from '../files/package-root.ts';
import { buildValues, type Settings } from './settings.ts';
import type { PreparedSource } from './source.ts';

const run = promisify(execFile);

/**
 * What the build of an upload would detect in `top`. Null for a repository, which is not here, and for a built directory.
 * Throws what planning the build would throw, such as `NOT_STATIC` and `CONFIGURATION_INVALID`.
 */
export async function planSource(request: {
  settings: Settings;
  prepared: PreparedSource;
  top: string;
  environment: NodeJS.ProcessEnv;
}): Promise<PlannedSource | null> {
  const { settings, prepared, top, environment } = request;
  if (prepared.source.kind !== 'upload') return null;
  return planDirectory(top, buildValues(settings.build), environment);
}

/** What a build of `directory` under the settings `build` would detect. Throws as `planSource`. */
export async function planDirectory(
  directory: string,
  build: BuildSettings,
  environment: NodeJS.ProcessEnv,
): Promise<PlannedSource> {
  const program = path.join(packageRoot(), 'dist', 'builder', 'main.cjs');
  const args = [program, '--plan', directory, JSON.stringify(build)];
  const { stdout } = await run(process.execPath, args, { env: environment, maxBuffer: 4 * 1024 ** 2 });
  const answer = JSON.parse(stdout) as PlanAnswer;
  if ('error' in answer) throw SphereError.fromBody(answer.error);
  return answer;
}
