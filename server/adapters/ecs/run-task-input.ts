/** What is asked of ECS to start one builder, as plain data: `RunTask`'s input is decided here and sent elsewhere. */
import type { RunTaskCommandInput } from '@aws-sdk/client-ecs';
import type { builderEnvironment } from '../../../contract/environment.ts';
import { SphereError } from '../../../contract/errors.ts';
import type { Build } from '../../ports.ts';
import { diskGiB, sizeProblem } from './task-size.ts';

export type EcsSettings = {
  /** Names the plane, the same in all its replicas: letters, digits, `-`, `_` and `/`. */
  plane: string;
  /** Where builders find the plane. */
  planeUrl: string;
  cluster: string;
  /** `family`, `family:revision` or an ARN. */
  taskDefinition: string;
  /** The container of the task definition that runs the builder. */
  container: string;
  /** In different availability zones, so that one that is full does not stop every build. */
  subnets: readonly string[];
  securityGroups: readonly string[];
  /** Needed in a subnet without a NAT gateway or endpoints, where the image could not be pulled (T23). */
  assignPublicIp: boolean;
  /**
   * In the order in which they are tried, such as `FARGATE_SPOT`, `FARGATE`; after a loss the last one is used at once.
   * None: launch type FARGATE, which needs no association with the cluster.
   */
  capacityProviders: readonly string[];
  platformVersion?: string | undefined;
  /** Instead of the task definition's. */
  size?: { cpu: number; memoryMiB: number } | undefined;
  /** Instead of the task definition's. */
  diskGiB?: number | undefined;
};

/** A build to start. */
export type BuildToStart = Build & { bootstrapToken: string; lost: number };

/** The names of the tags by which a builder's task is known. */
export const taskTags = {
  plane: 'sphere:plane',
  deployment: 'sphere:deployment',
  attempt: 'sphere:attempt',
} as const;

/** "A total of 8192 characters are allowed for overrides", JSON's own included (T20). */
const maxOverrides = 8192;

/** What all tasks of a plane are started by: what `ListTasks` finds them with. */
export function startedBy(settings: Pick<EcsSettings, 'plane'>): string {
  return `sphere-${settings.plane}`;
}

/** Everything that ECS would refuse about `settings`, a sentence each, so that a plane says it before it starts. */
export function settingsProblems(settings: EcsSettings): string[] {
  const problems: string[] = [];
  const { subnets, securityGroups, size, diskGiB: disk } = settings;
  if (!/^[A-Za-z0-9_/-]{1,100}$/.test(settings.plane))
    problems.push(
      `The plane's name may have letters, digits, -, _ and /: ${JSON.stringify(settings.plane)}.`,
    );
  if (subnets.length < 1 || subnets.length > 16)
    problems.push(`Build tasks need 1 to 16 subnets; ${subnets.length} are set.`);
  if (securityGroups.length > 5)
    problems.push(`A task takes at most 5 security groups; ${securityGroups.length} are set.`);
  const wrongSize = size ? sizeProblem(size.cpu, size.memoryMiB) : null;
  if (wrongSize) problems.push(wrongSize);
  if (disk !== undefined && !(Number.isInteger(disk) && disk >= diskGiB.from && disk <= diskGiB.to))
    problems.push(`A task's disk is ${diskGiB.from} to ${diskGiB.to} GiB, not ${disk} (unset: 20 GiB).`);
  return problems;
}

/** Where a task is asked for: on which capacity, in which subnets. */
export type Place = { capacityProvider: string | null; subnets: readonly string[] };

/**
 * Where to ask, in order. RunTask itself falls back neither from Spot to on-demand nor to another subnet than the one
 * that it picked (T16), so every subnet is also asked by itself. An attempt after a loss does not go back to Spot (T25).
 */
export function placesFor(settings: EcsSettings, lost: number): Place[] {
  const { subnets, capacityProviders } = settings;
  const all = capacityProviders.length === 0 ? [null] : [...capacityProviders];
  const providers = lost > 0 ? all.slice(-1) : all;
  const last = providers.at(-1) ?? null;
  return [
    ...providers.map((capacityProvider) => ({ capacityProvider, subnets })),
    ...(subnets.length > 1 ? subnets.map((subnet) => ({ capacityProvider: last, subnets: [subnet] })) : []),
  ];
}

/**
 * The input of the `number`-th try (1, 2, …) at starting `build`: the same for the same arguments, in every process.
 * Each try has a token of its own, because a token that comes again with other parameters is refused (T17); so the next
 * number may be used only when ECS has said that this one started nothing.
 */
export function runTaskInput(
  settings: EcsSettings,
  build: BuildToStart,
  number: number,
): RunTaskCommandInput {
  const places = placesFor(settings, build.lost);
  const place = places[(number - 1) % places.length] as Place;
  const { capacityProvider } = place;
  return {
    clientToken: clientTokenOf(build, number),
    startedBy: startedBy(settings),
    cluster: settings.cluster,
    taskDefinition: settings.taskDefinition,
    count: 1,
    ...(capacityProvider === null
      ? { launchType: 'FARGATE' }
      : { capacityProviderStrategy: [{ capacityProvider, weight: 1 }] }),
    ...(settings.platformVersion === undefined ? {} : { platformVersion: settings.platformVersion }),
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: [...place.subnets],
        ...(settings.securityGroups.length === 0 ? {} : { securityGroups: [...settings.securityGroups] }),
        // Said always: the default differs between the API and the console.
        assignPublicIp: settings.assignPublicIp ? 'ENABLED' : 'DISABLED',
      },
    },
    overrides: overridesOf(settings, build),
    // The definition's tags are where an account keeps its cost allocation; ECS adds the cluster's name.
    propagateTags: 'TASK_DEFINITION',
    enableECSManagedTags: true,
    tags: [
      { key: taskTags.plane, value: settings.plane },
      { key: taskTags.deployment, value: build.deployment },
      { key: taskTags.attempt, value: String(build.attempt) },
    ],
  };
}

function clientTokenOf(build: Build, number: number): string {
  const token = `${build.deployment}-${build.attempt}${number > 1 ? `-${number}` : ''}`;
  if (/^[!-~]{1,64}$/.test(token)) return token;
  throw new SphereError('INTERNAL', `${JSON.stringify(token)} cannot be a client token of ECS.`);
}

/**
 * What is said in the overrides can be read by whoever may call DescribeTasks: the builder fetches all else from the plane
 * (T20), and its token is spent on the first request.
 */
function overridesOf(settings: EcsSettings, build: BuildToStart): RunTaskCommandInput['overrides'] {
  const environment = {
    SPHERE_PLANE_URL: settings.planeUrl,
    SPHERE_DEPLOYMENT: build.deployment,
    SPHERE_ATTEMPT: String(build.attempt),
    SPHERE_BOOTSTRAP_TOKEN: build.bootstrapToken,
  } satisfies Partial<Record<keyof typeof builderEnvironment, string>>;
  const { size, diskGiB: disk } = settings;
  const overrides = {
    containerOverrides: [
      {
        name: settings.container,
        environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
      },
    ],
    ...(size === undefined ? {} : { cpu: String(size.cpu), memory: String(size.memoryMiB) }),
    ...(disk === undefined ? {} : { ephemeralStorage: { sizeInGiB: disk } }),
  };
  const characters = JSON.stringify(overrides).length;
  if (characters <= maxOverrides) return overrides;
  throw new SphereError(
    'CONFIGURATION_INVALID',
    `What the builder's task is told takes ${characters} characters; ECS takes ${maxOverrides}.`,
    { hint: "Shorten the plane's URL." },
  );
}
