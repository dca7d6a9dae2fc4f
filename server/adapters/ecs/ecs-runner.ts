/** Builders as tasks on ECS, one per attempt; nothing is kept here but what spares a question to ECS. */
import {
  DescribeTasksCommand,
  ECSClient,
  type ECSClientConfig,
  ListTasksCommand,
  StopTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs';
import type { Build, BuilderState, BuildRunner, RunnerRef } from '../../ports.ts';
import { createRateLimit } from './rate-limit.ts';
import { startTask } from './run-task.ts';
import { type EcsSettings, placesFor, runTaskInput, startedBy, taskTags } from './run-task-input.ts';
import { endOfMissingTask, stoppedByPlane } from './stopped-task.ts';
import { clusterOf, createTaskLookup } from './task-lookup.ts';
import { hasStopped, stateOfTask } from './task-state.ts';

/** What nobody asked about for so long is forgotten. */
const forgetMs = 60 * 60 * 1000;

export type EcsRunnerOptions = {
  /** Region, credentials and endpoint; the SDK finds by itself what is not given. */
  connection: ECSClientConfig;
  settings: EcsSettings;
  /** How often `states` should be asked (5,000). */
  pollMs?: number | undefined;
  /** RunTask calls a second of this process. AWS takes 20 per account and region (T16), so replicas share them (20). */
  startsPerSecond?: number | undefined;
  /** For how long a start is tried (60,000). */
  startWithinMs?: number | undefined;
  /** The first wait after a refusal (500). */
  backoffMs?: number | undefined;
  /** For how long a task may be unknown to ECS before it is given up (90,000; T18). */
  missingMs?: number | undefined;
  /** From one StopTask to the next, as long as the task has not stopped (10,000). */
  stopAgainMs?: number | undefined;
  /** For how long questions about builders are gathered, to be asked together (200). */
  gatherMs?: number | undefined;
  /** Milliseconds on a clock that only moves forward. */
  now?: (() => number) | undefined;
};

/** What this process has noticed of one task. */
type Noticed = {
  askedAt: number;
  last: 'starting' | 'running';
  /** Since when ECS says that there is no such task. */
  missingSince: number | null;
  /** When StopTask was called first, and last. */
  stop: { first: number; last: number } | null;
};

/** Runs builders on ECS as `options.settings` say. */
export function createEcsRunner(options: EcsRunnerOptions): BuildRunner {
  const { settings } = options;
  const { missingMs = 90_000, stopAgainMs = 10_000, now = () => performance.now() } = options;
  const { asking, starting } = clientsFor(options.connection);
  const mayCall = createRateLimit(options.startsPerSecond ?? 20, 1000);
  const lookUp = createTaskLookup(asking, settings.cluster, options.gatherMs ?? 200);
  const noticed = new Map<string, Noticed>();

  const notice = (task: string): Noticed => {
    const time = now();
    const entry = noticed.get(task) ?? { askedAt: time, last: 'starting', missingSince: null, stop: null };
    entry.askedAt = time;
    noticed.set(task, entry);
    return entry;
  };

  /** Null once a missing task has been missing for so long that it is not coming (T18, T19). */
  const missing = (task: string): Noticed | null => {
    const entry = notice(task);
    entry.missingSince ??= now();
    const since = Math.max(entry.missingSince, entry.stop?.first ?? 0);
    return now() - since < missingMs ? entry : null;
  };

  const stateOf = (ref: RunnerRef, found: ReadonlyMap<string, Task>): BuilderState => {
    const arn = taskOf(ref);
    const task = found.get(arn);
    if (!task) {
      const entry = missing(arn);
      return entry ? { state: entry.last } : { state: 'ended', ...endOfMissingTask() };
    }
    const state = stateOfTask(task, settings.container);
    const entry = notice(arn);
    entry.missingSince = null;
    if (state.state !== 'ended') entry.last = state.state;
    return state;
  };

  return {
    startsOnce: true,
    pollMs: options.pollMs ?? 5_000,

    async start(build) {
      const task = await startTask({
        client: starting,
        input: (number) => runTaskInput(settings, build, number),
        places: placesFor(settings, build.lost).length,
        mayCall,
        backoffMs: options.backoffMs ?? 500,
        withinMs: options.startWithinMs ?? 60_000,
      });
      // DescribeTasks may not know it for a while (T18): counted from now.
      notice(task).missingSince = now();
      return { task };
    },

    async states(refs) {
      for (const [task, { askedAt }] of noticed) if (now() - askedAt > forgetMs) noticed.delete(task);
      const found = await lookUp(refs.map(taskOf));
      return refs.map((ref) => stateOf(ref, found));
    },

    async stop(ref) {
      const arn = taskOf(ref);
      const entry = notice(arn);
      const due = entry.stop === null || now() - entry.stop.last >= stopAgainMs;
      const task = due ? await stopTask(asking, settings, arn) : (await lookUp([arn])).get(arn);
      if (due) {
        // One that ECS did not know yet (T18) has not been asked to end: it is asked at the next call.
        const last = task ? now() : Number.NEGATIVE_INFINITY;
        entry.stop = { first: entry.stop?.first ?? now(), last };
      }
      if (task) entry.missingSince = null;
      const over = task ? hasStopped(task) : missing(arn) === null;
      if (over) noticed.delete(arn);
      return over;
    },

    // A task takes everything with it.
    async cleanUp() {},

    list: () => listBuilders(asking, settings),
  };
}

/** Two clients: the one that starts does not repeat by itself, because each repetition counts (see `runTaskOnce`). */
function clientsFor(connection: ECSClientConfig): { asking: ECSClient; starting: ECSClient } {
  const shared: ECSClientConfig = {
    requestHandler: { connectionTimeout: 5_000, requestTimeout: 20_000, throwOnRequestTimeout: true },
    retryMode: 'standard',
    ...connection,
  };
  return {
    asking: new ECSClient({ maxAttempts: 5, ...shared }),
    starting: new ECSClient({ ...shared, maxAttempts: 1 }),
  };
}

function taskOf(ref: RunnerRef): string {
  if ('task' in ref) return ref.task;
  throw new Error(`the process ${ref.pid} is no task of ECS`);
}

/** Asks for the end of `task`; undefined when ECS does not know it. */
async function stopTask(client: ECSClient, settings: EcsSettings, arn: string): Promise<Task | undefined> {
  try {
    const reason = `${stoppedByPlane} the plane has ended this attempt.`;
    const command = new StopTaskCommand({ cluster: clusterOf(arn, settings.cluster), task: arn, reason });
    return (await client.send(command)).task;
  } catch (error) {
    // "The referenced task was not found.": the code is all that tells it, and nothing else about the input can be wrong.
    if ((error as Error).name === 'InvalidParameterException') return undefined;
    throw error;
  }
}

async function listBuilders(
  client: ECSClient,
  settings: EcsSettings,
): Promise<(Build & { ref: RunnerRef })[]> {
  const builders: (Build & { ref: RunnerRef })[] = [];
  let nextToken: string | undefined;
  do {
    // `startedBy` "must be the only filter that you use"; without a desired status ECS lists what is to run.
    const page = await client.send(
      new ListTasksCommand({
        cluster: settings.cluster,
        startedBy: startedBy(settings),
        maxResults: 100,
        nextToken,
      }),
    );
    nextToken = page.nextToken;
    if (!page.taskArns?.length) continue;
    const { tasks = [] } = await client.send(
      new DescribeTasksCommand({ cluster: settings.cluster, tasks: page.taskArns, include: ['TAGS'] }),
    );
    builders.push(...tasks.flatMap((task) => builderOf(task, settings) ?? []));
  } while (nextToken);
  return builders;
}

/** The builder in `task`, or null when the task is none of this plane's. */
function builderOf(task: Task, settings: EcsSettings): (Build & { ref: RunnerRef }) | null {
  const tags = new Map(task.tags?.map(({ key, value }) => [key, value]));
  const deployment = tags.get(taskTags.deployment);
  const attempt = Number(tags.get(taskTags.attempt));
  const ours = tags.get(taskTags.plane) === settings.plane;
  if (!ours || !deployment || !Number.isSafeInteger(attempt) || !task.taskArn) return null;
  return { deployment, attempt, ref: { task: task.taskArn } };
}
