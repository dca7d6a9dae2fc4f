/** One task of the emulator: from PROVISIONING to STOPPED, moved on by what its container really does. */
import { setTimeout as delay } from 'node:timers/promises';
import type { TaskDefinition } from '@aws-sdk/client-ecs';
import type { RunTaskInput } from './inputs.ts';
import type { Launched, Launcher } from './launchers.ts';

/** What becomes of a task. All times in milliseconds. */
export type Fate = {
  /** So many looks by DescribeTasks or ListTasks find nothing (T18). */
  missingLooks: number;
  provisioningMs: number;
  pendingMs: number;
  deprovisioningMs: number;
  /** Between the request to stop and SIGTERM. */
  stopDelayMs: number;
  /** It ends instead of starting, and its container has no exit code. */
  neverStarts: { stoppedReason: string; containerReason?: string } | null;
};

/** Why a task ends. */
export type Ending = { stopCode: string; stoppedReason: string };

export type EmulatedTask = ReturnType<typeof createTask>;

export type TaskPlan = {
  id: string;
  arn: string;
  clusterArn: string;
  definition: TaskDefinition;
  input: RunTaskInput;
  fate: Fate;
  launch: Launcher;
  changed(): void;
  /** Aborted when the emulator stops: nothing is waited for any more. */
  over: AbortSignal;
};

const seconds = (ms: number) => ms / 1000;

/** Creates the task and sets it off. */
export function createTask(plan: TaskPlan) {
  const { input, definition, fate, changed } = plan;
  const container = definition.containerDefinitions?.[0] ?? {};
  const environment = environmentOf(plan);
  const state = {
    lastStatus: 'PROVISIONING',
    ending: null as Ending | null,
    times: { createdAt: Date.now() } as Record<string, number>,
    container: { lastStatus: 'PENDING' } as { lastStatus: string; exitCode?: number; reason?: string },
    launched: null as Launched | null,
    looksLeft: fate.missingLooks,
    forgotten: false,
    killed: false,
  };
  const asked = new AbortController();
  let killTimer: NodeJS.Timeout | undefined;

  const become = (lastStatus: string, time?: string) => {
    state.lastStatus = lastStatus;
    if (time) state.times[time] = Date.now();
    changed();
  };
  /** Waits, or until the task is asked to stop. */
  const pause = (ms: number) => delay(ms, undefined, { signal: asked.signal }).catch(() => {});
  const wait = (ms: number) => delay(ms, undefined, { signal: plan.over }).catch(() => {});

  const terminate = async () => {
    await wait(fate.stopDelayMs);
    if (state.container.lastStatus === 'STOPPED') return;
    state.launched?.stop('SIGTERM');
    killTimer = setTimeout(() => state.launched?.stop('SIGKILL'), (container.stopTimeout ?? 30) * 1000);
  };

  /** Asks the task to end. Only the first reason counts. */
  const end = (ending: Ending) => {
    if (state.ending) return;
    state.ending = ending;
    state.times.stoppingAt = Date.now();
    asked.abort();
    if (!state.launched) return changed();
    become('STOPPING');
    void terminate();
  };

  const runContainer = async () => {
    const size = {
      cpu: Number(input.overrides?.cpu ?? definition.cpu),
      memoryMiB: Number(input.overrides?.memory ?? definition.memory),
    };
    try {
      state.launched = await plan.launch({
        id: plan.id,
        environment,
        image: container.image ?? '',
        printed: changed,
        ...size,
      });
    } catch (error) {
      const reason = `CannotStartContainerError: ${(error as Error).message}`;
      state.container.reason = reason;
      state.ending ??= { stopCode: 'TaskFailedToStart', stoppedReason: 'Task failed to start' };
      return;
    }
    state.container.lastStatus = 'RUNNING';
    become('RUNNING', 'startedAt');
    if (state.killed) state.launched.stop('SIGKILL');
    else if (state.ending) void terminate();
    const { exitCode, reason } = await state.launched.exited;
    clearTimeout(killTimer);
    if (exitCode !== null) state.container.exitCode = exitCode;
    if (reason) state.container.reason ??= reason;
    state.ending ??= {
      stopCode: 'EssentialContainerExited',
      stoppedReason: 'Essential container in task exited',
    };
  };

  const live = async () => {
    await pause(fate.provisioningMs);
    if (!state.ending) become('PENDING');
    if (!state.ending) await pause(fate.pendingMs);
    if (!state.ending && fate.neverStarts) {
      const { stoppedReason, containerReason } = fate.neverStarts;
      state.ending = { stopCode: 'TaskFailedToStart', stoppedReason };
      if (containerReason) state.container.reason = containerReason;
    }
    if (!state.ending) await runContainer();
    state.times.stoppingAt ??= Date.now();
    state.container.lastStatus = 'STOPPED';
    become('DEPROVISIONING', 'executionStoppedAt');
    await wait(fate.deprovisioningMs);
    become('STOPPED', 'stoppedAt');
  };
  const stopped = live();

  return {
    id: plan.id,
    arn: plan.arn,
    input,
    environment,
    stopped,
    end,
    /** Kills the container, as the kernel does; `reason` is what ECS says of it. */
    kill(reason?: string) {
      if (reason) state.container.reason = reason;
      state.killed = true;
      state.launched?.stop('SIGKILL');
    },
    /** Whether this look finds the task. */
    isSeen() {
      if (state.forgotten) return false;
      state.looksLeft -= 1;
      return state.looksLeft < 0;
    },
    forget() {
      state.forgotten = true;
    },
    get lastStatus() {
      return state.lastStatus;
    },
    get desiredStatus() {
      return state.ending ? 'STOPPED' : 'RUNNING';
    },
    get pid() {
      return state.launched?.pid;
    },
    get output() {
      return state.launched?.output() ?? '';
    },
    get wasLaunched() {
      return state.launched !== null;
    },
    /** As DescribeTasks and RunTask answer. */
    describe(withTags: boolean) {
      return {
        taskArn: plan.arn,
        clusterArn: plan.clusterArn,
        taskDefinitionArn: definition.taskDefinitionArn,
        group: input.group ?? `family:${definition.family}`,
        lastStatus: state.lastStatus,
        desiredStatus: state.ending ? 'STOPPED' : 'RUNNING',
        ...(input.startedBy === undefined ? {} : { startedBy: input.startedBy }),
        launchType: 'FARGATE',
        ...(input.capacityProviderStrategy
          ? { capacityProviderName: input.capacityProviderStrategy[0]?.capacityProvider }
          : {}),
        platformVersion: '1.4.0',
        cpu: input.overrides?.cpu ?? definition.cpu,
        memory: input.overrides?.memory ?? definition.memory,
        ephemeralStorage: input.overrides?.ephemeralStorage ?? { sizeInGiB: 20 },
        overrides: { containerOverrides: [], ...input.overrides },
        containers: [
          {
            containerArn: `${plan.arn.replace(':task/', ':container/')}/1`,
            taskArn: plan.arn,
            name: container.name,
            image: container.image,
            ...(state.launched ? { runtimeId: `${plan.id}-1` } : {}),
            ...state.container,
          },
        ],
        ...Object.fromEntries(Object.entries(state.times).map(([name, ms]) => [name, seconds(ms)])),
        ...(state.ending ?? {}),
        ...(withTags ? { tags: input.tags ?? [] } : {}),
      };
    },
  };
}

/** A fate in which all goes well, in a few milliseconds. */
export const goodFate: Fate = {
  missingLooks: 1,
  provisioningMs: 5,
  pendingMs: 5,
  deprovisioningMs: 5,
  stopDelayMs: 0,
  neverStarts: null,
};

/** A time that does not come: the longest that a timer takes, 24 days. */
export const never = 2 ** 31 - 1;

/** The task definition's variables, and those of the overrides above them. */
function environmentOf({ definition, input }: TaskPlan): Record<string, string> {
  const container = definition.containerDefinitions?.[0];
  const overrides = input.overrides?.containerOverrides?.filter((one) => one.name === container?.name) ?? [];
  const variables = [...(container?.environment ?? []), ...overrides.flatMap((one) => one.environment ?? [])];
  return Object.fromEntries(variables.map(({ name = '', value = '' }) => [name, value]));
}
