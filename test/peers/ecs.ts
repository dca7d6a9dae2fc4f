/**
 * An emulator of Amazon ECS for tests: it speaks the JSON protocol of the service to the unmodified AWS SDK, is strict about
 * the documented rules of its input, and really runs what a task's container would run.
 *
 * What it does not cover: signatures are looked at but not verified, and there is no IAM; one cluster, one account, one
 * region; one container per task; Fargate on Linux only; tasks do not vanish by themselves after an hour (`forget` does
 * it), and client tokens do not expire; of `failures[]` under a used token nothing is known of AWS, so the request is carried
 * out anew, which is the worse case; no real network, image, role or log group; limits hold only where the launcher sets them;
 * real delays are seconds to a minute; texts of errors are close to AWS's, not the same.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TaskDefinition } from '@aws-sdk/client-ecs';
import { type Input, type Operation, type RunTaskInput, readInput } from './ecs/inputs.ts';
import { type Launcher, outOfMemoryReason } from './ecs/launchers.ts';
import { operationOf, readJson, send } from './ecs/protocol.ts';
import { mustBe, Refusal } from './ecs/refusal.ts';
import { checkRunTask, type World } from './ecs/run-task-rules.ts';
import { createTask, type EmulatedTask, type Ending, type Fate, goodFate } from './ecs/task.ts';

export const region = 'eu-central-1';
const account = '123456789012';
const arnOf = (what: string) => `arn:aws:ecs:${region}:${account}:${what}`;

/** What a plane is told, to use this ECS as it is by default. */
export const ecsNames = {
  cluster: 'sphere',
  taskDefinition: 'sphere-builder',
  container: 'builder',
  subnets: ['subnet-0a1b2c3d', 'subnet-0b1b2c3d'],
  securityGroups: ['sg-0a1b2c3d'],
  image: `${account}.dkr.ecr.${region}.amazonaws.com/sphere-builder:1`,
};

/** A task definition that a plane can use, with `changes`. */
export function builderDefinition(changes: Partial<TaskDefinition> = {}): TaskDefinition {
  const { taskDefinition: family, container: name, image } = ecsNames;
  const revision = changes.revision ?? 1;
  return {
    taskDefinitionArn: arnOf(`task-definition/${family}:${revision}`),
    family,
    revision,
    status: 'ACTIVE',
    networkMode: 'awsvpc',
    compatibilities: ['EC2', 'FARGATE'],
    requiresCompatibilities: ['FARGATE'],
    cpu: '1024',
    memory: '2048',
    executionRoleArn: `arn:aws:iam::${account}:role/sphere-execution`,
    runtimePlatform: { operatingSystemFamily: 'LINUX', cpuArchitecture: 'X86_64' },
    containerDefinitions: [
      {
        name,
        image,
        essential: true,
        environment: [],
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': '/sphere', mode: 'non-blocking' },
        },
      },
    ],
    ...changes,
  };
}

/** What goes wrong instead of, or around, a call. */
export type Fault =
  /** RunTask answers 200 and starts nothing (T16). */
  | { kind: 'failures'; reason: string; detail?: string }
  /** Refused before it is looked at. */
  | { kind: 'error'; name: string; message?: string; status?: number }
  /** Carried out, but the connection breaks before the answer. */
  | { kind: 'lost-answer' }
  /** Carried out, but not answered, and the connection stays. */
  | { kind: 'no-answer' }
  /** RunTask starts a task of this fate. */
  | { kind: 'fate'; fate: Partial<Fate> };

export const throttling: Fault = { kind: 'error', name: 'ThrottlingException', message: 'Rate exceeded' };
export const serverError: Fault = {
  kind: 'error',
  name: 'ServerException',
  message: 'Service is down',
  status: 500,
};
export const noCapacity: Fault = {
  kind: 'failures',
  reason: 'Capacity is unavailable at this time. Please try again later or in a different availability zone',
};

export type EcsOptions = {
  launch: Launcher;
  fate?: Partial<Fate>;
  cluster?: Partial<World['cluster']>;
  /** The newest ACTIVE revision of a family is what the family's name means. */
  taskDefinitions?: TaskDefinition[];
  /** Throttles RunTask as AWS does: so many at once, and so many more each second. */
  runTaskRate?: { burst: number; perSecond: number };
};

/** One request that was signed and had a known operation. */
export type SeenRequest = { operation: Operation; at: number; input: unknown };

export type Ecs = Awaited<ReturnType<typeof startEcs>>;

/** Starts the emulator on a free port of 127.0.0.1. */
export async function startEcs(options: EcsOptions) {
  const world: World = {
    subnets: ecsNames.subnets,
    cluster: {
      name: ecsNames.cluster,
      status: 'ACTIVE',
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
      ...options.cluster,
    },
  };
  const definitions = options.taskDefinitions ?? [builderDefinition()];
  const clusterArn = arnOf(`cluster/${world.cluster.name}`);
  const tasks: EmulatedTask[] = [];
  const byToken = new Map<string, { parameters: string; tasks: EmulatedTask[] }>();
  const faults: { operation: Operation; fault: Fault; times: number; when: (input: never) => boolean }[] = [];
  const requests: SeenRequest[] = [];
  const over = new AbortController();
  const waiting = new Set<() => void>();
  const changed = () => {
    for (const look of [...waiting]) look();
  };
  const mayRun = createBucket(options.runTaskRate);

  const inCluster = (cluster: string | undefined): void => {
    if (![world.cluster.name, clusterArn].includes(cluster ?? 'default') || world.cluster.status !== 'ACTIVE')
      throw new Refusal('ClusterNotFoundException', 'Cluster not found.');
  };
  const taskOf = (name: string): EmulatedTask | undefined => {
    const [, cluster] = name.startsWith('arn:') ? name.split('/') : [];
    mustBe(
      cluster === undefined || cluster === world.cluster.name,
      `Identifier is for cluster ${cluster}. Your cluster is ${world.cluster.name}`,
    );
    return tasks.find((task) => task.arn === name || task.id === name);
  };
  const definitionOf = (name: string): TaskDefinition | undefined =>
    definitions.find((one) => [one.taskDefinitionArn, `${one.family}:${one.revision}`].includes(name)) ??
    definitions.filter((one) => one.family === name && one.status === 'ACTIVE').at(-1);

  const runTask = (input: RunTaskInput) => {
    inCluster(input.cluster);
    if (!mayRun()) throw new Refusal('ThrottlingException', 'Rate exceeded');
    const definition = definitionOf(input.taskDefinition);
    if (!definition) throw new Refusal('ClientException', 'TaskDefinition not found.');
    if (definition.status !== 'ACTIVE') throw new Refusal('ClientException', 'TaskDefinition is inactive');
    checkRunTask(input, definition, world);
    const { clientToken, ...parameters } = input;
    const before = clientToken === undefined ? undefined : byToken.get(clientToken);
    if (before && before.parameters !== JSON.stringify(parameters))
      throw new Refusal('ConflictException', 'The clientToken was used with other parameters.', {
        resourceIds: before.tasks.map((task) => task.arn),
      });
    if (before) return { tasks: before.tasks.map((task) => task.describe(true)), failures: [] };
    const failure = take('RunTask', input, 'failures');
    if (failure?.kind === 'failures') {
      const { reason, detail } = failure;
      return { tasks: [], failures: [{ reason, ...(detail === undefined ? {} : { detail }) }] };
    }
    const fate = take('RunTask', input, 'fate');
    const started = Array.from({ length: input.count ?? 1 }, () => {
      const id = randomBytes(16).toString('hex');
      return createTask({
        id,
        arn: arnOf(`task/${world.cluster.name}/${id}`),
        clusterArn,
        definition,
        input,
        fate: { ...goodFate, ...options.fate, ...(fate?.kind === 'fate' ? fate.fate : {}) },
        launch: options.launch,
        changed,
        over: over.signal,
      });
    });
    tasks.push(...started);
    if (clientToken !== undefined)
      byToken.set(clientToken, { parameters: JSON.stringify(parameters), tasks: started });
    changed();
    return { tasks: started.map((task) => task.describe(true)), failures: [] };
  };

  const describeTasks = ({ cluster, tasks: names, include }: Input<'DescribeTasks'>) => {
    inCluster(cluster);
    mustBe(names.length > 0, 'Tasks cannot be empty.');
    mustBe(names.length <= 100, 'Tasks cannot have more than 100 entries.');
    const looks = names.map((name) => ({ name, task: taskOf(name) }));
    const found = looks.filter(({ task }) => task?.isSeen());
    const missing = looks.filter((look) => !found.includes(look));
    return {
      // In no promised order.
      tasks: found.map(({ task }) => task?.describe(include?.includes('TAGS') ?? false)).reverse(),
      failures: missing.map(({ name }) => ({
        arn: name.startsWith('arn:') ? name : arnOf(`task/${world.cluster.name}/${name}`),
        reason: 'MISSING',
      })),
    };
  };

  const listTasks = (input: Input<'ListTasks'>) => {
    const { cluster, nextToken, maxResults = 100, desiredStatus, startedBy, ...others } = input;
    inCluster(cluster);
    mustBe(maxResults >= 1 && maxResults <= 100, 'maxResults should be between 1 and 100.');
    mustBe(
      startedBy === undefined || (desiredStatus === undefined && Object.keys(others).length === 0),
      'startedBy must be the only filter.',
    );
    mustBe(Object.keys(others).length === 0, 'The emulator has no such filter.');
    const all = tasks.filter(
      (task) =>
        task.desiredStatus === (desiredStatus ?? 'RUNNING') &&
        (startedBy === undefined || task.input.startedBy === startedBy) &&
        task.isSeen(),
    );
    const first = nextToken === undefined ? 0 : Number(Buffer.from(nextToken, 'base64url').toString());
    mustBe(Number.isSafeInteger(first), 'Invalid token');
    const next = first + maxResults;
    return {
      taskArns: all.slice(first, next).map((task) => task.arn),
      ...(next < all.length ? { nextToken: Buffer.from(String(next)).toString('base64url') } : {}),
    };
  };

  const operations: { [O in Operation]: (input: Input<O>) => object } = {
    RunTask: runTask,
    DescribeTasks: describeTasks,
    ListTasks: listTasks,
    StopTask({ cluster, task: name, reason }) {
      inCluster(cluster);
      const task = taskOf(name);
      mustBe(task?.isSeen() === true, 'The referenced task was not found.');
      task.end({ stopCode: 'UserInitiated', stoppedReason: reason ?? 'Task stopped by user' });
      return { task: task.describe(false) };
    },
    DescribeClusters({ clusters = ['default'] }) {
      mustBe(clusters.length <= 100, 'At most 100 clusters.');
      const [known, unknown] = [true, false].map((is) =>
        clusters.filter((name) => [world.cluster.name, clusterArn].includes(name) === is),
      );
      const { name: clusterName, status, capacityProviders } = world.cluster;
      return {
        clusters: known?.map(() => ({ clusterArn, clusterName, status, capacityProviders })),
        failures: unknown?.map((name) => ({ arn: arnOf(`cluster/${name}`), reason: 'MISSING' })),
      };
    },
    DescribeTaskDefinition({ taskDefinition }) {
      const definition = definitionOf(taskDefinition);
      if (!definition) throw new Refusal('ClientException', 'Unable to describe task definition.');
      return { taskDefinition: definition };
    },
  };

  /** The next fault of `kind` for this call, which is used up by it. */
  const take = (operation: Operation, input: unknown, kind: Fault['kind']): Fault | undefined => {
    const found = faults.find(
      (one) =>
        one.operation === operation && one.fault.kind === kind && one.times > 0 && one.when(input as never),
    );
    if (found) found.times -= 1;
    return found?.fault;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const operation = operationOf(request, region);
    const input = readInput(operation, await readJson(request));
    requests.push({ operation, at: performance.now(), input });
    const error = take(operation, input, 'error');
    if (error?.kind === 'error')
      throw new Refusal(error.name, error.message ?? error.name, {}, error.status ?? 400);
    const result = (operations[operation] as (input: unknown) => object)(input);
    if (take(operation, input, 'lost-answer')) request.socket.destroy();
    else if (!take(operation, input, 'no-answer')) send(response, 200, result);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => {
      const refusal =
        error instanceof Refusal ? error : new Refusal('ServerException', error.message, {}, 500);
      // As in AWS's JSON 1.1: the code is in the body.
      send(response, refusal.status, { __type: refusal.name, message: refusal.message, ...refusal.more });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** For `new ECSClient(…)`: any key is taken, as long as the request is signed for ECS. */
    get connection() {
      return {
        region,
        endpoint: this.url,
        credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'test-secret' },
      };
    },
    requests,
    tasks: (): readonly EmulatedTask[] => tasks,
    /** The tasks whose container was really started. */
    launches: () => tasks.filter((task) => task.wasLaunched),
    /** What happens to the next `times` calls of `operation` for which `when` is true. */
    failNext<O extends Operation>(
      operation: O,
      fault: Fault,
      { times = 1, when = () => true }: { times?: number; when?: (input: Input<O>) => boolean } = {},
    ) {
      faults.push({ operation, fault, times, when });
    },
    /** AWS ends a task for reasons of its own, such as Spot: SIGTERM, and SIGKILL after the stop timeout. */
    interrupt: (arn: string, ending: Ending = spotInterruption) => taskOf(arn)?.end(ending),
    /** The kernel kills the container for its memory. */
    outOfMemory: (arn: string) => taskOf(arn)?.kill(outOfMemoryReason),
    /** The container is killed, and nobody says why. */
    kill: (arn: string) => taskOf(arn)?.kill(),
    /** ECS does not know the task any more, as an hour after its end; what runs goes on. */
    forget: (arn: string) => taskOf(arn)?.forget(),
    /** Resolves when `condition` holds, which is looked at whenever a task has changed. */
    until: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!condition()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    /** Kills what runs and closes the port. */
    async stop() {
      over.abort();
      for (const task of tasks) {
        task.end({ stopCode: 'UserInitiated', stoppedReason: 'The test has ended' });
        task.kill();
      }
      await Promise.all(tasks.map((task) => task.stopped));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const spotInterruption: Ending = {
  stopCode: 'SpotInterruption',
  stoppedReason: 'Your Spot Task was interrupted.',
};

/** AWS's token bucket; without a rate, always full. */
function createBucket(rate: EcsOptions['runTaskRate']): () => boolean {
  if (!rate) return () => true;
  let tokens = rate.burst;
  let last = performance.now();
  return () => {
    const now = performance.now();
    tokens = Math.min(rate.burst, tokens + ((now - last) / 1000) * rate.perSecond);
    last = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
