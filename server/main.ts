/** The server's entry: configuration, the embedded plane, signals. `sphere server` imports it. */
import type { Check } from './check.ts';
import { readConfig } from './config.ts';
import { openPlane } from './embedded-plane.ts';
import type { RunningServer } from './running-server.ts';

/**
 * Starts the embedded plane of a data directory, which ends in order on SIGINT, SIGTERM and SIGHUP. Answers `held` when
 * another process serves it already. Throws `CONFIGURATION_INVALID`, `PORT_TAKEN`. `log` takes one line for people.
 */
export async function startServer(
  flags: { port?: number | undefined; home?: string | undefined },
  log: (line: string) => void,
): Promise<RunningServer | { held: { pid: number; home: string } }> {
  const server = await openPlane(readConfig(flags), log);
  if ('held' in server) return server;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void server.stop());
  return server;
}

/**
 * Looks at everything that the hosted plane of `environment` needs (`sphere server check`). Throws
 * `CONFIGURATION_INVALID` when it cannot be known what that is.
 */
export async function checkServer(environment: NodeJS.ProcessEnv): Promise<Check[]> {
  // Nobody but this command needs the clients of so many services.
  const [{ readHostedConfig }, { hostedChecks }, { runChecks }] = await Promise.all([
    import('./hosted-config.ts'),
    import('./checks/hosted-checks.ts'),
    import('./checks/run-checks.ts'),
  ]);
  return runChecks(hostedChecks(readHostedConfig(environment)));
}
