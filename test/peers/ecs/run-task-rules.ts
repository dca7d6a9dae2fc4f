/** What ECS refuses about a RunTask: the documented rules of its input, for tasks on Fargate. */
import type { TaskDefinition } from '@aws-sdk/client-ecs';
import type { RunTaskInput } from './inputs.ts';
import { mustBe, Refusal } from './refusal.ts';

export type World = {
  cluster: { name: string; status: string; capacityProviders: readonly string[] };
  subnets: readonly string[];
};

/** MiB of memory by CPU units, written out (ECS developer guide, "Task size"). */
const gb = (from: number, to: number, step = 1) =>
  Array.from({ length: (to - from) / step + 1 }, (_, at) => (from + at * step) * 1024);
const sizes: Record<string, number[]> = {
  '256': [512, 1024, 2048],
  '512': gb(1, 4),
  '1024': gb(2, 8),
  '2048': gb(4, 16),
  '4096': gb(8, 30),
  '8192': gb(16, 60, 4),
  '16384': gb(32, 120, 8),
};

/** Throws the error with which ECS would answer. */
export function checkRunTask(input: RunTaskInput, definition: TaskDefinition, world: World): void {
  checkWords(input);
  checkCapacity(input, definition, world);
  checkNetwork(input, definition, world);
  checkOverrides(input, definition);
  checkTags(input);
}

function checkWords(input: RunTaskInput): void {
  const { count = 1, startedBy = '', clientToken, group = '' } = input;
  mustBe(count >= 1 && count <= 10, 'count should be between 1 and 10.');
  mustBe(/^[A-Za-z0-9\-/_]{0,128}$/.test(startedBy), 'startedBy: up to 128 letters, numbers, - / and _.');
  mustBe(
    clientToken === undefined || /^[\x21-\x7e]{1,64}$/.test(clientToken),
    'clientToken: up to 64 characters in the range of 33-126.',
  );
  mustBe(group.length <= 255, 'group is too long.');
  mustBe(input.propagateTags !== 'SERVICE', 'propagateTags SERVICE is not for RunTask.');
}

function checkCapacity(input: RunTaskInput, definition: TaskDefinition, world: World): void {
  const { launchType, capacityProviderStrategy: strategy } = input;
  mustBe(
    !(launchType && strategy),
    'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
  );
  if (strategy) {
    mustBe(strategy.length >= 1 && strategy.length <= 20, 'A strategy has 1 to 20 capacity providers.');
    for (const { capacityProvider, weight = 0, base = 0 } of strategy) {
      mustBe(
        world.cluster.capacityProviders.includes(capacityProvider),
        `The specified capacity provider '${capacityProvider}' was not found.`,
      );
      mustBe(weight >= 0 && weight <= 1000, 'weight is 0 to 1,000.');
      mustBe(base >= 0 && base <= 100_000, 'base is 0 to 100,000.');
    }
    mustBe(
      strategy.some(({ weight = 0 }) => weight > 0),
      'One provider must have a weight greater than zero.',
    );
    mustBe(strategy.filter(({ base }) => base).length <= 1, 'Only one provider may have a base.');
  }
  mustBe(
    launchType === 'FARGATE' || strategy !== undefined,
    'No Container Instances were found in your cluster.',
  );
  mustBe(
    (definition.compatibilities ?? []).includes('FARGATE'),
    'Task definition does not support launch_type FARGATE.',
  );
  mustBe(
    !input.placementConstraints?.length && !input.placementStrategy?.length,
    'Placement constraints and strategies are not supported with FARGATE.',
  );
  mustBe(
    !input.enableExecuteCommand || Boolean(definition.taskRoleArn),
    'enableExecuteCommand needs a task role.',
  );
}

function checkNetwork(input: RunTaskInput, definition: TaskDefinition, world: World): void {
  const network = input.networkConfiguration?.awsvpcConfiguration;
  if (definition.networkMode !== 'awsvpc') {
    mustBe(!network, 'Network Configuration is not valid for the given networkMode of this task definition.');
    return;
  }
  mustBe(
    network !== undefined,
    "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
  );
  mustBe(network.subnets.length > 0, 'subnets can not be empty.');
  mustBe(network.subnets.length <= 16, 'At most 16 subnets.');
  mustBe((network.securityGroups ?? []).length <= 5, 'At most 5 security groups.');
  for (const subnet of network.subnets)
    mustBe(world.subnets.includes(subnet), `The subnet ID '${subnet}' does not exist`);
}

function checkOverrides(input: RunTaskInput, definition: TaskDefinition): void {
  const { overrides = {} } = input;
  mustBe(JSON.stringify(overrides).length <= 8192, 'Container Overrides length must be at most 8192');
  for (const { name, ...rest } of overrides.containerOverrides ?? []) {
    mustBe(
      name !== undefined || Object.keys(rest).length === 0,
      'Container name is required for an override.',
    );
    mustBe(
      (definition.containerDefinitions ?? []).some((one) => one.name === name),
      `Override for container named ${name} is not a container in the TaskDefinition.`,
    );
    for (const variable of rest.environment ?? []) mustBe(Boolean(variable.name), 'environment needs names.');
  }
  const cpu = overrides.cpu ?? definition.cpu ?? '';
  const memory = Number(overrides.memory ?? definition.memory);
  if (!sizes[cpu]?.includes(memory))
    throw new Refusal('ClientException', 'No Fargate configuration exists for given values.');
  const disk = overrides.ephemeralStorage?.sizeInGiB;
  mustBe(disk === undefined || (disk >= 21 && disk <= 200), 'Ephemeral storage must be 21 to 200 GiB.');
}

function checkTags(input: RunTaskInput): void {
  const { tags = [] } = input;
  mustBe(tags.length <= 50, 'At most 50 tags.');
  mustBe(new Set(tags.map(({ key }) => key)).size === tags.length, 'Duplicate tag keys.');
  for (const { key = '', value = '' } of tags) {
    mustBe(key.length >= 1 && key.length <= 128, 'A tag key has 1 to 128 characters.');
    mustBe(value.length <= 256, 'A tag value has at most 256 characters.');
    mustBe(![key, value].some((word) => /^aws:/i.test(word)), 'aws: is reserved.');
    mustBe(
      /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(key + value),
      'A tag has letters, digits and + - = . _ : / @.',
    );
  }
}
