/** Installs packages, or reuses those of an earlier deployment. */
import { join } from 'node:path';
import type { SphereError } from '../contract/errors.ts';
import { keepModules, reuseModules } from './cache/modules.ts';
import { type ModulesKey, modulesKey, rewrittenLockfile } from './cache/modules-key.ts';
import { modulesPlaceOf } from './cache/places.ts';
import { fetchCache, sendCache } from './cache/remote.ts';
import { failureOf } from './command/ending.ts';
import type { CommandSteps } from './command/steps.ts';
import { type BuildContext, warn } from './context.ts';
import { type EngineRefusal, engineRefusal } from './engine-refusal.ts';
import { installRetry } from './install-retry.ts';
import type { BuildPlan, PlannedCommand } from './plan/build-plan.ts';
import type { Tools } from './tools/choose-tools.ts';
import { since } from './wording.ts';

export type Installation = { plan: BuildPlan; source: string; tools: Tools; steps: CommandSteps };

/** Why an install came to nothing that another Node can do. */
export type Refused = EngineRefusal & { failure: SphereError };

/** Null when all is installed. Throws BUILD_FAILED, BUILD_OUT_OF_MEMORY. */
export async function installPackages(
  context: BuildContext,
  installation: Installation,
): Promise<Refused | null> {
  const { plan, source, tools } = installation;
  const { log, running } = context;
  if (plan.install === null) return null;
  const place = modulesPlaceOf(context, join(source, plan.install.directory));
  const key = modulesKey(plan, source, { ...running, ...tools });
  if (!('why' in key) && (await reuse(context, key, installation))) return null;
  if ('why' in key) log.say(`node_modules is not kept for the next deployment, because ${key.why}.`);

  const start = performance.now();
  const refused = await install(context, plan.install, installation);
  if (refused !== null) return refused;
  log.say(`Installed in ${since(start)}.`);
  if ('why' in key) return null;
  try {
    const kept = await keepModules(place, key, rewrittenLockfile(plan, source, key));
    if (kept) await sendCache(context, modulesCache(key), join(place.kept, key.key));
  } catch (error) {
    context.signal.throwIfAborted();
    log.say(`node_modules could not be kept for the next deployment: ${(error as Error).message}`);
  }
  return null;
}

const modulesCache = ({ key }: ModulesKey) => `modules-${key}`;

async function install(
  context: BuildContext,
  command: PlannedCommand,
  { plan, steps, tools }: Installation,
): Promise<Refused | null> {
  const ending = await steps.attempt(command);
  const failure = failureOf('install', ending);
  if (failure === null) return null;
  const refusal = engineRefusal(ending.lastLines, tools.nodeVersion);
  if (refusal !== null) return { ...refusal, failure };
  const instead = command.kind === 'derived' ? installRetry(command.command, ending.lastLines) : null;
  if (instead === null) throw failure;
  const name = plan.packageManager?.name ?? 'npm';
  warn(
    context,
    `The lockfile does not fit package.json, so versions may differ from yours: run \`${name} install\`, and commit the lockfile.`,
  );
  await steps.run('install', { ...command, command: instead });
  return null;
}

async function reuse(
  context: BuildContext,
  key: ModulesKey,
  { plan, source, steps }: Installation,
): Promise<boolean> {
  const { spec, log } = context;
  if (spec.noCache) {
    log.say('Caches are not read, as asked for.');
    return false;
  }
  const start = performance.now();
  const place = modulesPlaceOf(context, join(source, plan.install?.directory ?? '.'));
  await fetchCache(context, modulesCache(key), join(place.kept, key.key));
  const reused = await reuseModules(place, key);
  if (!reused.reused) {
    log.say(`node_modules is not reused, because ${reused.why}.`);
    return false;
  }
  log.say(
    `Reused node_modules of an earlier deployment in ${since(start)}: nothing that decides it has changed.`,
  );
  for (const command of plan.afterReuse) await steps.run('install', command);
  return true;
}
