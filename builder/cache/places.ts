/** Where in the machine's cache directory each kind of thing is kept, per project and target. */
import { join } from 'node:path';
import { LIVE } from '../../contract/words.ts';
import { toolEnvironment } from '../command/environment.ts';
import type { BuildContext } from '../context.ts';
import type { FrameworkCaches } from './frameworks.ts';
import type { ModulesPlace } from './modules.ts';

/** A preview reads what live has kept, and writes only its own. */
function placesOf({ config, spec }: BuildContext, kind: string): { kept: string; alsoRead: string | null } {
  const of = (target: string) => join(config.cacheDirectory, kind, spec.project, encodeURIComponent(target));
  return { kept: of(spec.target), alsoRead: spec.target === LIVE ? null : of(LIVE) };
}

export function modulesPlaceOf(context: BuildContext, directory: string): ModulesPlace {
  const { config, signal } = context;
  return { ...placesOf(context, 'modules'), directory, environment: toolEnvironment(config.machine), signal };
}

export function frameworkCachesOf(
  context: BuildContext,
  source: string,
  paths: readonly string[],
): FrameworkCaches {
  const { config, signal } = context;
  return {
    ...placesOf(context, 'frameworks'),
    source,
    paths,
    environment: toolEnvironment(config.machine),
    signal,
  };
}
