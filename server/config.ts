/** The server's configuration: read from the environment once, all problems at once. */
import { availableParallelism, homedir } from 'node:os';
import { defaultHome } from '../contract/embedded.ts';
import { SphereError } from '../contract/errors.ts';

export type ServerConfig = {
  /** The data directory. */
  home: string;
  /** The port that was asked for; null: the stored one, else any that is free. */
  port: number | null;
  maxBuilds: number;
  maxLogBytes: number;
  timeLimitMs: number;
  /** The whole environment, for the builders, which scrub it themselves. */
  environment: NodeJS.ProcessEnv;
};

/** Reads the configuration. `flags` go above the environment. Throws `CONFIGURATION_INVALID` naming every problem. */
export function readConfig(
  flags: { port?: number | undefined; home?: string | undefined },
  environment: NodeJS.ProcessEnv = process.env,
): ServerConfig {
  const problems: string[] = [];
  const number = (name: string, fallback: number | null, least: number, most: number) => {
    const text = environment[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    problems.push(`${name} is "${text}"; it takes a whole number from ${least} to ${most}`);
    return fallback;
  };
  const config: ServerConfig = {
    home:
      flags.home ??
      (environment.SPHERE_HOME ||
        defaultHome(environment, { platform: process.platform, homeDirectory: homedir() })),
    port: flags.port ?? number('SPHERE_PORT', null, 1, 65_535),
    maxBuilds: number(
      'SPHERE_MAX_BUILDS',
      Math.max(2, Math.floor(availableParallelism() / 2)),
      1,
      64,
    ) as number,
    maxLogBytes: number('SPHERE_MAX_LOG_BYTES', 200_000_000, 1_000, 10_000_000_000) as number,
    timeLimitMs: 45 * 60_000,
    environment,
  };
  if (problems.length === 0) return config;
  throw new SphereError('CONFIGURATION_INVALID', 'the configuration of the server is wrong', {
    details: problems,
  });
}
