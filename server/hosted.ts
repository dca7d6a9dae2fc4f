/** The hosted plane's own entry, in a file of its own: an embedded plane never reads the clients of AWS and Redis. */

import { SphereError } from '../contract/errors.ts';
import { checkEcs } from './adapters/ecs/ecs-check.ts';
import type { Check } from './check.ts';
import { hostedChecks } from './checks/hosted-checks.ts';
import { runChecks } from './checks/run-checks.ts';
import { openPostgresDatabase } from './database/postgres.ts';
import { readHostedConfig } from './hosted-config.ts';
import { ecsConnection, ecsSettings, openHostedPlane } from './hosted-plane.ts';
import { createKeys } from './keys.ts';
import { type Resealed, resealAll } from './rotate-key.ts';
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

/** Seals anew what SPHERE_KEY_PREVIOUS has sealed, while replicas run. Throws `CONFIGURATION_INVALID`. */
export async function rotateHostedKey(environment: NodeJS.ProcessEnv): Promise<Resealed> {
  const config = readHostedConfig(environment);
  if (config.previousKey === null) {
    throw new SphereError(
      'CONFIGURATION_INVALID',
      'SPHERE_KEY_PREVIOUS is not set: there is nothing to change from.',
      {
        hint: 'SECURITY.md has the order: every replica gets both keys, then this command, then the old key is taken away.',
      },
    );
  }
  const database = await openPostgresDatabase({ ...config.database, connections: 2, report: () => {} });
  try {
    return await resealAll(database, createKeys(config.key, config.previousKey));
  } finally {
    await database.close();
  }
}
