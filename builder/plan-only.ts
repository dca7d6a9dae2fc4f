/** The builder's `--plan` mode: says what a build of a directory would do, and does nothing. */

import type { BuildSettings } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import type { PlanAnswer } from '../contract/planned-source.ts';
import { listSource } from '../files/source.ts';
import { planBuild } from './plan/plan.ts';
import { joinPath, type SourceFiles, sourceFilesAt } from './plan/source-files.ts';
import { readSettings } from './source/settings.ts';

/** The answer for `directory` under `settings`, the build settings of the deployment as JSON. */
export async function planOnly(
  directory: string,
  settings: string,
  machine: { nodeVersion: string },
): Promise<PlanAnswer> {
  try {
    const files = await uploadedFilesAt(directory);
    const { build } = await readSettings(files, JSON.parse(settings) as BuildSettings);
    const { detections, warnings } = await planBuild(files, build, machine);
    return { detections, warnings };
  } catch (error) {
    if (error instanceof SphereError) return { error: error.toBody() };
    throw error;
  }
}

/** What an upload of `directory` would hold: what is ignored must not change the plan. */
async function uploadedFilesAt(directory: string): Promise<SourceFiles> {
  const uploaded = new Set(['.']);
  for (const { path } of await listSource(directory)) {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1))
      uploaded.add(path.slice(0, end));
  }
  const files = sourceFilesAt(directory);
  return {
    read: async (path) => (uploaded.has(joinPath(path)) ? files.read(path) : null),
    exists: async (path) => uploaded.has(joinPath(path)) && files.exists(path),
    list: async (path) => (await files.list(path)).filter(({ name }) => uploaded.has(joinPath(path, name))),
  };
}
