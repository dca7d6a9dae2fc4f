/** The hosted plane's own entry, in a file of its own: an embedded plane never reads the clients of AWS and Redis. */
import { checkEcs } from './adapters/ecs/ecs-check.ts';
import type { Check } from './check.ts';
import { hostedChecks } from './checks/hosted-checks.ts';
import { runChecks } from './checks/run-checks.ts';
import { readHostedConfig } from './hosted-config.ts';
import { ecsConnection, ecsSettings, openHostedPlane } from './hosted-plane.ts';
import type { RunningServer } from './running-server.ts';

/** Starts a replica. Throws `CONFIGURATION_INVALID` naming every problem, `PORT_TAKEN`. */
export async function startReplica(
  environment: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<RunningServer> {
  return openHostedPlane(readHostedConfig(environment), log);
}

/** Looks at everything that the plane needs. Throws `CONFIGURATION_INVALID` when it cannot be known what that is. */
export async function checkReplica(environment: NodeJS.ProcessEnv): Promise<Check[]> {
  const config = readHostedConfig(environment);
  // The id stands in the tags of tasks, and no task is started here.
  const settings = ecsSettings(config, 'check');
  const ecs = { name: 'ECS', run: () => checkEcs({ connection: ecsConnection(config), settings }) };
  return runChecks(hostedChecks(config, [ecs]));
}
