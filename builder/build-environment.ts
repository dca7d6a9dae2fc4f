/** What a build's commands have in their environment, and what the log says of it. */
import { join } from 'node:path';
import { commandEnvironment } from './command/environment.ts';
import type { BuildContext } from './context.ts';
import type { Isolation } from './isolation/isolate.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { Tools } from './tools/choose-tools.ts';

/** Names alone: a value that is no secret may still be nobody's business who reads the log. */
export function sayEnvironment({ spec, log }: BuildContext): void {
  const values = spec.environment ?? [];
  if (values.length === 0) return;
  const from = { deployment: ' (of this deployment)', project: '', file: ' (sphere.json)' } as const;
  const names = values.map((value) => `${value.name}${value.sensitive ? ' (secret)' : from[value.from]}`);
  log.say(`Environment values: ${names.join(', ')}.`);
}

/** The environment of the commands of a build in `source`. */
export function environmentOf(
  context: BuildContext,
  {
    isolation,
    plan,
    tools,
    source,
  }: { isolation: Isolation | null; plan: BuildPlan; tools: Tools; source: string },
): NodeJS.ProcessEnv {
  const { spec, config } = context;
  const directories = new Set([
    plan.rootDirectory,
    plan.build?.directory ?? '.',
    plan.install?.directory ?? '.',
  ]);
  return commandEnvironment(isolation?.machine ?? config.machine, {
    programs: [
      ...[...directories].map((inner) => join(source, inner, 'node_modules', '.bin')),
      ...tools.programs,
    ],
    derived: { ...plan.environment, ...isolation?.environment },
    given: Object.fromEntries((spec.environment ?? []).map(({ name, value }) => [name, value])),
    sphere: sphereNames(context),
  });
}

/** What Sphere tells every command. */
export function sphereNames({ spec }: BuildContext) {
  const git = spec.source.kind === 'git' ? spec.source : spec.source.git;
  return {
    CI: '1',
    SPHERE: '1',
    SPHERE_SITE_URL: spec.siteUrl,
    SPHERE_TARGET: spec.target,
    ...(git?.commit === undefined ? {} : { SPHERE_COMMIT: git.commit }),
    ...(git?.branch === undefined ? {} : { SPHERE_BRANCH: git.branch }),
  };
}
