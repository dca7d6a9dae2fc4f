/** Installs packages, or reuses those of an earlier deployment. */
import { join } from 'node:path';
import { keepModules, reuseModules } from './cache/modules.ts';
import { type ModulesKey, modulesKey, rewrittenLockfile } from './cache/modules-key.ts';
import { modulesPlaceOf } from './cache/places.ts';
import { failureOf } from './command/ending.ts';
import type { CommandSteps } from './command/steps.ts';
import { type BuildContext, warn } from './context.ts';
import { installRetry } from './install-retry.ts';
import type { BuildPlan, PlannedCommand } from './plan/build-plan.ts';
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
  await install(context, plan.install, steps);
  log.say(`Installed in ${since(start)}.`);
  if ('why' in key) return;
  try {
    await keepModules(place, key, rewrittenLockfile(plan, source, key));
  } catch (error) {
    context.signal.throwIfAborted();
    log.say(`node_modules could not be kept for the next deployment: ${(error as Error).message}`);
  }
}

/** Throws BUILD_FAILED, BUILD_OUT_OF_MEMORY. */
async function install(context: BuildContext, command: PlannedCommand, steps: CommandSteps): Promise<void> {
  const ending = await steps.attempt(command);
  const failure = failureOf('install', ending);
  if (failure === null) return;
  const instead = command.kind === 'derived' ? installRetry(command.command, ending.lastLines) : null;
  if (instead === null) throw failure;
  warn(context, 'The lockfile does not fit package.json on this machine, so versions may differ from yours.');
  await steps.run('install', { ...command, command: instead });
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
