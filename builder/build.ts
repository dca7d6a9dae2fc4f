/** Builds a deployment: source, plan, tools, install, build, output, upload. Reads as the steps it takes. */
import { join } from 'node:path';
import type { BuildResult } from '../contract/builder-api.ts';
import type { Serving } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';
import { environmentOf, sayEnvironment, sphereNames } from './build-environment.ts';
import { buildRetry } from './build-retry.ts';
import { keepFrameworkCaches, restoreFrameworkCaches } from './cache/frameworks.ts';
import { frameworkCachesOf } from './cache/places.ts';
import { fetchCache, sendCache } from './cache/remote.ts';
import { handOver } from './command/build-user.ts';
import { failureOf } from './command/ending.ts';
import { toolEnvironment } from './command/environment.ts';
import { type CommandSteps, openSteps } from './command/steps.ts';
import { type BuildContext, enterPhase, warn } from './context.ts';
import { askIgnoreCommand } from './ignore.ts';
import { type Installation, installPackages } from './install.ts';
import { type Isolation, isolate } from './isolation/isolate.ts';
import { limitBuild } from './limits.ts';
import { type Before, chooseOutput, lookBefore } from './output/choose-output.ts';
import { type Output, publishOutput } from './output/publish-output.ts';
import { unlessUnreadable } from './output/unreadable.ts';
import type { BuildPlan, PlannedCommand } from './plan/build-plan.ts';
import { nodeSetting, planNode } from './plan/node-version.ts';
import { planBuild } from './plan/plan.ts';
import { sourceFilesAt } from './plan/source-files.ts';
import { bringSource } from './source/bring-source.ts';
import { readSettings } from './source/settings.ts';
import { chooseTools, type Tools } from './tools/choose-tools.ts';
import { since } from './wording.ts';

const frameworksCache = 'frameworks';

type Built = Extract<BuildResult, { outcome: 'built' }>;
type Ignored = Extract<BuildResult, { outcome: 'ignored' }>;

/** Resolves when every blob is with the plane, or nothing is to be built. Throws SphereError for what a person can act on. */
export async function build(context: BuildContext): Promise<Built | Ignored> {
  const { source } = context.spec;
  if (source.kind === 'prebuilt') return publishPrebuilt(context);

  const directory = await bringSource(context, source);
  const { plan, serving, ignoreCommand } = await planSource(context, directory);
  const before = lookBefore(plan, directory);
  await giveToBuildUser(context, directory);
  const isolation =
    ignoreCommand !== null || runsCommands(plan)
      ? await isolate(context, directory, plan.packageManager?.name ?? null)
      : null;
  const end = await limitBuild(context);
  try {
    if (ignoreCommand !== null) {
      const ignored = await askWhetherToBuild(context, plan, {
        source: directory,
        command: ignoreCommand,
        isolation,
        signal: end.signal,
      });
      if (ignored !== null) return ignored;
    }
    sayEnvironment(context);
    const tools = await prepareTools(context, plan);
    const open = (chosen: Tools) =>
      openSteps({
        ...context,
        signal: end.signal,
        source: directory,
        user: context.config.buildUser,
        wrapper: isolation?.wrapper ?? null,
        environment: environmentOf(context, { isolation, plan, tools: chosen, source: directory }),
      });
    const steps = await installOnce(context, { plan, source: directory, tools, steps: open(tools) }, open);
    await runBuild(context, plan, directory, steps);
  } catch (error) {
    throw await end.explain(error);
  } finally {
    end.clear();
  }
  const built = await collect(context, { plan, directory, before, serving });
  try {
    const caches = frameworkCachesOf(context, directory, plan.frameworkCaches);
    await keepFrameworkCaches(caches);
    await sendCache(context, frameworksCache, caches.kept);
    await isolation?.keep();
  } catch (error) {
    context.signal.throwIfAborted();
    context.log.say(`Caches could not be kept for the next deployment: ${(error as Error).message}`);
  }
  return built;
}

async function collect(
  context: BuildContext,
  {
    plan,
    directory,
    before,
    serving,
  }: { plan: BuildPlan; directory: string; before: Before; serving: Serving },
): Promise<Built> {
  const chosen = await unlessUnreadable(async () => chooseOutput(plan, directory, before));
  return publishOutput(context, {
    directory: join(directory, chosen.directory),
    shown: chosen.directory,
    leaveOut: plan.output.leaveOut,
    basePath: plan.basePath?.path ?? null,
    browserRouter: plan.browserRouter,
    serving: { ...plan.serving, ...serving },
    owner: context.config.buildUser?.uid ?? null,
  });
}

/** From here on commands of the source run, as a user of their own where there is one. */
async function giveToBuildUser({ config, signal }: BuildContext, source: string): Promise<void> {
  const { buildUser, workDirectory, machine } = config;
  if (buildUser === null) return;
  await handOver(buildUser, { source, workDirectory }, { environment: toolEnvironment(machine), signal });
}

async function askWhetherToBuild(
  context: BuildContext,
  plan: BuildPlan,
  question: { source: string; command: string; isolation: Isolation | null; signal: AbortSignal },
): Promise<Ignored | null> {
  // From here on the plane gives out no Git credential.
  await enterPhase(context, 'install', plan.detections);
  const { rootDirectory } = plan;
  return askIgnoreCommand(context, { ...question, rootDirectory, sphere: sphereNames(context) });
}

/** Installs, with another Node where a package insists on one, and returns what the build is to run in. */
async function installOnce(
  context: BuildContext,
  installation: Installation,
  open: (tools: Tools) => CommandSteps,
): Promise<CommandSteps> {
  const { plan } = installation;
  const refused = await installPackages(context, installation);
  if (refused === null) return installation.steps;
  if (plan.node?.from === nodeSetting) throw refused.failure;
  const { range } = refused;
  const from = `${refused.package} needs it`;
  warn(
    context,
    `${refused.package} needs Node ${range}: installing with that. "engines" or .nvmrc can ask for it.`,
  );
  const node = { range, from, ...planNode(range, context.running.version) };
  const tools = await chooseTools(context, { ...plan, node });
  const steps = open(tools);
  const again = await installPackages(context, { ...installation, tools, steps });
  if (again !== null) throw again.failure;
  return steps;
}

async function publishPrebuilt(context: BuildContext): Promise<Built> {
  const directory = context.config.prebuiltDirectory;
  if (directory === null) {
    throw new SphereError(
      'INFRASTRUCTURE',
      'This deployment is of a built directory, and the builder was given none.',
    );
  }
  const output: Output = {
    directory,
    shown: directory,
    leaveOut: [],
    basePath: null,
    browserRouter: null,
    serving: context.spec.serving,
    owner: null,
  };
  return publishOutput(context, output);
}

async function planSource(
  context: BuildContext,
  directory: string,
): Promise<{ plan: BuildPlan; serving: Serving; ignoreCommand: string | null }> {
  const { spec, log, running } = context;
  const files = sourceFilesAt(directory);
  const settings = await readSettings(files, spec.build);
  if (settings.file !== null) log.say(`Settings are read from ${settings.file}.`);
  const plan = await planBuild(files, settings.build, { nodeVersion: running.version });
  for (const { what, value, why } of plan.detections) log.say(`${what}: ${value} (${why})`);
  for (const warning of plan.warnings) warn(context, warning);
  return { plan, serving: settings.serving, ignoreCommand: settings.build.ignoreCommand ?? null };
}

async function prepareTools(context: BuildContext, plan: BuildPlan): Promise<Tools> {
  await enterPhase(context, firstPhase(plan), plan.detections);
  if (!runsCommands(plan)) return { programs: [], nodeVersion: '', managerVersion: '' };
  return chooseTools(context, plan);
}

function runsCommands({ install, build }: BuildPlan): boolean {
  return install !== null || build !== null;
}

function firstPhase(plan: BuildPlan): 'install' | 'build' | 'upload' {
  if (plan.install !== null) return 'install';
  return plan.build === null ? 'upload' : 'build';
}

async function runBuild(
  context: BuildContext,
  plan: BuildPlan,
  directory: string,
  steps: CommandSteps,
): Promise<void> {
  if (plan.build === null) return;
  const { spec, log } = context;
  if (log.phase !== 'build') await enterPhase(context, 'build');
  if (!spec.noCache) {
    const caches = frameworkCachesOf(context, directory, plan.frameworkCaches);
    await fetchCache(context, frameworksCache, caches.kept);
    const restored = await restoreFrameworkCaches(caches);
    if (restored.length > 0) log.say(`Restored ${restored.join(', ')} from the last deployment.`);
  }
  const start = performance.now();
  await runOrRetry(context, plan.build, steps);
  log.say(`Built in ${since(start)}.`);
}

/** Throws BUILD_FAILED, BUILD_OUT_OF_MEMORY. */
async function runOrRetry(
  context: BuildContext,
  command: PlannedCommand,
  steps: CommandSteps,
): Promise<void> {
  const ending = await steps.attempt(command);
  const failure = failureOf('build', ending);
  if (failure === null) return;
  const retry = command.kind === 'derived' ? buildRetry(command.command, ending.lastLines) : null;
  if (retry === null) throw failure;
  warn(context, retry.why);
  await steps.run('build', { ...command, command: retry.command });
}
