/** What is asked of the plane: the request for a deployment, of settings, source and flags. */
import type { CreateDeployment } from '../contract/api.ts';
import type { IsolationMode } from '../contract/words.ts';
import { buildValues, type Settings } from './settings.ts';
import type { PreparedSource } from './source.ts';
import { targetFields, type WantedTarget } from './target.ts';

export type Wanted = {
  settings: Settings;
  prepared: PreparedSource;
  slug: string;
  /** Undefined: where the project is already, or the plane's default. */
  region: string | undefined;
  target: WantedTarget;
  environment: CreateDeployment['environment'];
  isolation: IsolationMode;
  gitToken: string | undefined;
  /** `--force`. */
  force: boolean;
  /** False after `--no-cache`. */
  cache: boolean;
};

/** Pure. */
export function createRequest(wanted: Wanted): CreateDeployment {
  const { settings, prepared, slug, region, target, environment, isolation, gitToken, force, cache } = wanted;
  const { source, origin } = prepared;
  const isPrebuilt = source.kind === 'prebuilt';
  return {
    project: slug,
    projectNamed: settings.slugNamed || settings.slug === null,
    origin,
    ...(region === undefined ? {} : { region }),
    source,
    build: isPrebuilt ? {} : requestedBuild(settings, force),
    ...(isPrebuilt ? { serving: settings.serving } : {}),
    force,
    noCache: !cache,
    ...(source.kind === 'git' && gitToken !== undefined ? { gitToken } : {}),
    ...targetFields(target, slug),
    ...(environment === undefined ? {} : { environment }),
    // What everybody wants is not said: an older plane may run.
    ...(isolation === 'auto' ? {} : { isolation }),
  };
}

function requestedBuild({ build, limits }: Settings, force: boolean): CreateDeployment['build'] {
  return {
    ...buildValues(build),
    ...(limits ? { limits } : {}),
    // Who says --force wants a build.
    ...(force ? { ignoreCommand: null } : {}),
  };
}
