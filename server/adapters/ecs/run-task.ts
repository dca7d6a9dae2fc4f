/** Starts one builder's task: asks ECS at one place after the other, and never twice where the answer is not known. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  ConflictException,
  type ECSClient,
  RunTaskCommand,
  type RunTaskCommandInput,
} from '@aws-sdk/client-ecs';
import { SphereError } from '../../../contract/errors.ts';

/** How one RunTask went. */
export type RunOutcome =
  | { kind: 'started'; task: string }
  /** ECS said that it started nothing: it may be asked for the same at another place. */
  | { kind: 'nothing'; why: string }
  /** Refused before it was looked at; `quota`: until other tasks have ended. */
  | { kind: 'throttled'; why: string; quota: boolean }
  /** The answer was lost: a task may run. Only the very same request may follow. */
  | { kind: 'unknown'; why: string };

/** Codes for "not now" in AWS's protocols. */
const throttled = new Set([
  'ThrottlingException',
  'Throttling',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'SlowDown',
]);

/**
 * Sends `input` once. Throws INFRASTRUCTURE for what no repetition mends, such as a task definition that is not there.
 * `client` must not repeat by itself: a repetition would go past the rate limit.
 */
export async function runTaskOnce(client: ECSClient, input: RunTaskCommandInput): Promise<RunOutcome> {
  try {
    const { tasks = [], failures = [] } = await client.send(new RunTaskCommand(input));
    const task = tasks[0]?.taskArn;
    if (task) return { kind: 'started', task };
    // An answer of 200 in which nothing was started (T16).
    const why = failures.map(({ reason, detail }) => [reason, detail].filter(Boolean).join(': ')).join('; ');
    return { kind: 'nothing', why: why || 'ECS gave no reason' };
  } catch (error) {
    return outcomeOf(error as Error & { $metadata?: { httpStatusCode?: number } });
  }
}

function outcomeOf(error: Error & { $metadata?: { httpStatusCode?: number } }): RunOutcome {
  // The token was used before, with other parameters: what runs under it is this attempt's builder (T17).
  if (error instanceof ConflictException) {
    const task = error.resourceIds?.[0];
    if (task) return { kind: 'started', task };
  }
  const status = error.$metadata?.httpStatusCode;
  const why = `${error.name}: ${error.message}`;
  if (throttled.has(error.name) || status === 429) return { kind: 'throttled', why, quota: false };
  if (error.name === 'LimitExceededException') return { kind: 'throttled', why, quota: true };
  // ECS has no code of its own for it where it comes as an error.
  if (/capacity is unavailable/i.test(error.message)) return { kind: 'nothing', why };
  if (status === undefined ? isConnectionError(error) : status >= 500) return { kind: 'unknown', why };
  throw new SphereError('INFRASTRUCTURE', `ECS refused to start the builder: ${why}`, {
    hint: '`sphere server check` looks at the cluster, the task definition and what the plane may do.',
    cause: error,
  });
}

/** Whether the request did not come back, as opposed to one that was never made (no credentials, no region). */
function isConnectionError(error: Error & { code?: unknown; errno?: unknown }): boolean {
  return error.name === 'TimeoutError' || error.name === 'AbortError' || typeof error.code === 'string';
}

export type StartOptions = {
  client: ECSClient;
  /** The input of the `number`-th try, as in `runTaskInput`. */
  input(number: number): RunTaskCommandInput;
  /** How many different places there are: the first round over them does not wait. */
  places: number;
  /** Resolves when a call may be made. */
  mayCall(): Promise<void>;
  /** The first wait; it doubles, up to 20 times as much. */
  backoffMs: number;
  /** No new try after this long. */
  withinMs: number;
};

/** Starts a task and answers with its ARN. Throws INFRASTRUCTURE with ECS's own reason when it cannot be started in time. */
export async function startTask(options: StartOptions): Promise<string> {
  let number = 1;
  let waits = 0;
  await options.mayCall();
  // Not counted: the time in a queue of this process.
  const deadline = performance.now() + options.withinMs;
  for (;;) {
    const outcome = await runTaskOnce(options.client, options.input(number));
    if (outcome.kind === 'started') return outcome.task;
    if (performance.now() >= deadline) throw gaveUp(outcome, options.withinMs);
    const elsewhere = outcome.kind === 'nothing' && number % options.places !== 0;
    if (outcome.kind === 'nothing') number += 1;
    if (!elsewhere) {
      await delay(waitMs(options.backoffMs, waits));
      waits += 1;
    }
    await options.mayCall();
  }
}

/** Half of it by chance, so that replicas that were refused together do not come back together. */
function waitMs(backoffMs: number, waits: number): number {
  return backoffMs * Math.min(2 ** waits, 20) * (0.5 + Math.random() / 2);
}

function gaveUp(outcome: Exclude<RunOutcome, { kind: 'started' }>, withinMs: number): SphereError {
  const seconds = Math.round(withinMs / 1000);
  if (outcome.kind === 'nothing')
    return new SphereError('INFRASTRUCTURE', `ECS started no builder within ${seconds} s: ${outcome.why}`, {
      hint: 'Deploy again later. Subnets in more availability zones and on-demand capacity beside Spot make it rarer.',
    });
  if (outcome.kind === 'unknown')
    return new SphereError('INFRASTRUCTURE', `ECS did not answer within ${seconds} s: ${outcome.why}`, {
      hint: 'Deploy again. If it happens again, look at the way from the plane to AWS.',
    });
  return new SphereError('INFRASTRUCTURE', `ECS took no more builders within ${seconds} s: ${outcome.why}`, {
    hint: outcome.quota
      ? 'Raise the Fargate quota of the account (vCPUs at a time), or lower how many builds run at once.'
      : 'Too many tasks are started in this account and region at once: lower how many builds run at once, or raise the quota.',
  });
}
