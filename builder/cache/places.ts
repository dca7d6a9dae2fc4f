/** Where in the machine's cache directory each kind of thing is kept, per project and target. */
import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { LIVE } from '../../contract/words.ts';
import { toolEnvironment } from '../command/environment.ts';
import type { BuildContext } from '../context.ts';
import type { HomeCachePlace } from '../isolation/home-cache.ts';
import type { FrameworkCaches } from './frameworks.ts';
import type { ModulesPlace } from './modules.ts';

/** A preview reads what live has kept, and writes only its own. */
function placesOf({ config, spec }: BuildContext, kind: string): { kept: string; alsoRead: string | null } {
  const of = (target: string) => join(config.cacheDirectory, kind, spec.project, encodeURIComponent(target));
  const [kept, live] = [of(spec.target), of(LIVE)];
  for (const used of [kept, live]) touch(used);
  return { kept, alsoRead: spec.target === LIVE ? null : live };
}

/** Reading leaves no trace, and `sphere prune` frees the caches that look unused for a week. */
function touch(directory: string): void {
  try {
    utimesSync(directory, new Date(), new Date());
  } catch {
    // Nothing has been kept there yet.
  }
}

export function modulesPlaceOf(context: BuildContext, directory: string): ModulesPlace {
  const { config, spec, signal } = context;
  return {
    ...placesOf(context, 'modules'),
    directory,
    replace: spec.noCache || spec.remoteCaches === true,
    remote: spec.remoteCaches === true,
    environment: toolEnvironment(config.machine),
    signal,
  };
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
    user: config.buildUser,
    signal,
  };
}

/** What isolated commands have as `~/.cache`. */
export function homeCacheOf(context: BuildContext): HomeCachePlace {
  const { config, signal } = context;
  return { ...placesOf(context, 'home'), environment: toolEnvironment(config.machine), signal };
}
