/** What the builder is told by its environment: the only place where it is read. */
import { resolve } from 'node:path';
import { builderEnvironment } from '../contract/environment.ts';
import { SphereError } from '../contract/errors.ts';
import { type BuildUser, parseBuildUser } from './command/build-user.ts';

export type BuilderConfig = {
  planeUrl: string;
  deployment: string;
  attempt: number;
  bootstrapToken: string;
  /** For this attempt alone; made when it is not there, and removed by whoever started the builder. */
  workDirectory: string;
  /** Shared by the builds of this machine. */
  cacheDirectory: string;
  /** Publish this and build nothing; null to build. */
  prebuiltDirectory: string | null;
  /** As whom the commands of the source run; null for the builder's own user. */
  buildUser: BuildUser | null;
  /** The machine's own environment, of which commands get a part (`command/environment.ts`). */
  machine: Record<string, string | undefined>;
};

/** Throws USAGE, naming everything that is missing. */
export function readConfig(environment: Record<string, string | undefined> = process.env): BuilderConfig {
  const missing: string[] = [];
  const read = (name: keyof typeof builderEnvironment): string => {
    const value = environment[name];
    if (value === undefined || value === '') missing.push(`${name}: ${builderEnvironment[name]}`);
    return value ?? '';
  };
  const user = environment.SPHERE_BUILD_USER || null;
  const buildUser = user === null ? null : parseBuildUser(user);
  if (user !== null && buildUser === null) {
    missing.push(`SPHERE_BUILD_USER: ${builderEnvironment.SPHERE_BUILD_USER}`);
  }
  const config = {
    planeUrl: read('SPHERE_PLANE_URL'),
    deployment: read('SPHERE_DEPLOYMENT'),
    attempt: Number(read('SPHERE_ATTEMPT')),
    bootstrapToken: read('SPHERE_BOOTSTRAP_TOKEN'),
    workDirectory: resolve(read('SPHERE_WORK_DIRECTORY')),
    cacheDirectory: resolve(read('SPHERE_CACHE_DIRECTORY')),
    prebuiltDirectory: environment.SPHERE_PREBUILT_DIRECTORY || null,
    buildUser,
    machine: environment,
  };
  if (missing.length === 0 && Number.isSafeInteger(config.attempt)) return config;
  throw new SphereError('USAGE', 'The builder is started by a plane, which tells it what to build.', {
    hint: '`sphere deploy` deploys.',
    details: missing,
  });
}
