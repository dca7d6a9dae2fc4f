/** Installs packages, or reuses those of an earlier deployment. */
import { join } from 'node:path';
import { keepModules, reuseModules } from './cache/modules.ts';
import { type ModulesKey, modulesKey } from './cache/modules-key.ts';
import { modulesPlaceOf } from './cache/places.ts';
import type { CommandSteps } from './command/steps.ts';
import type { BuildContext } from './context.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { Tools } from './tools/choose-tools.ts';
import { since } from './wording.ts';

export type Installation = { plan: BuildPlan; source: string; tools: Tools; steps: CommandSteps };

export async function installPackages(context: BuildContext, installation: Installation): Promise<void> {
  const { plan, source, tools, steps } = installation;
  const { log, running } = context;
  if (plan.install === null) return;
  const place = modulesPlaceOf(context, join(source, plan.install.directory));
  const key = modulesKey(plan, source, { ...running, ...tools });
  if (!('why' in key) && (await reuse(context, key, installation))) return;
  if ('why' in key) log.say(`node_modules is not kept for the next deployment, because ${key.why}.`);

  const start = performance.now();
  await steps.run('install', plan.install);
  log.say(`Installed in ${since(start)}.`);
  if ('why' in key) return;
  try {
    await keepModules(place, key);
  } catch (error) {
    context.signal.throwIfAborted();
    log.say(`node_modules could not be kept for the next deployment: ${(error as Error).message}`);
  }
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
