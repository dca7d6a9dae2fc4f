/** The server's entry: which plane is meant, and signals. `sphere server` imports it. */
import type { Check } from './check.ts';
import { readConfig } from './config.ts';
import { openPlane } from './embedded-plane.ts';
import { isHosted } from './is-hosted.ts';
import type { Resealed } from './rotate-key.ts';
import type { RunningServer } from './running-server.ts';

/**
 * Starts a replica of a hosted plane where `environment` describes one, else the embedded plane of a data directory. It
 * ends in order on SIGINT, SIGTERM and SIGHUP. Answers `held` when another process serves the directory already. Throws
 * `CONFIGURATION_INVALID`, `PORT_TAKEN`. `log` takes one line for people.
 */
export async function startServer(
  flags: { port?: number | undefined; home?: string | undefined },
  environment: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<RunningServer | { held: { pid: number; home: string } }> {
  const server = isHosted(environment)
    ? await (await import('./hosted.ts')).startReplica(environment, log)
    : await openPlane(readConfig(flags, environment), log);
  if ('held' in server) return server;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.once(signal, () => void server.stop());
  return server;
}

/** Looks at everything that the hosted plane of `environment` needs. Throws `CONFIGURATION_INVALID`. */
export async function checkServer(environment: NodeJS.ProcessEnv): Promise<Check[]> {
  return (await import('./hosted.ts')).checkReplica(environment);
}

/**
 * Seals anew, with the plane's current key, what was sealed with another. For an embedded plane, which must not run
 * meanwhile, `stop` is called first and the new key is drawn here. Throws `CONFIGURATION_INVALID`, `PLANE_BUSY`.
 */
export async function rotateKey(
  flags: { home: string },
  environment: NodeJS.ProcessEnv,
  stop: () => Promise<void>,
): Promise<Resealed> {
  if (isHosted(environment)) return (await import('./hosted.ts')).rotateHostedKey(environment);
  await stop();
  const { rotateEmbeddedKey } = await import('./rotate-key.ts');
  return rotateEmbeddedKey(readConfig(flags, environment).home);
}
