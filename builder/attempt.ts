/** One attempt from its registration to its result, and what it means when it ends early. */
import type { BuildResult } from '../contract/builder-api.ts';
import { isSecret } from '../contract/environment-values.ts';
import { codeOfReason, type ErrorCode, exitCodeOf, exitCodes, SphereError } from '../contract/errors.ts';
import { version } from '../contract/version.ts';
import type { EndReason } from '../contract/words.ts';
import { build } from './build.ts';
import { sweepModules } from './cache/modules.ts';
import { modulesPlaceOf } from './cache/places.ts';
import type { BuilderConfig } from './config.ts';
import { type BuildContext, enterPhase } from './context.ts';
import { startHeartbeat } from './heartbeat.ts';
import { createLog, type Log } from './log/log.ts';
import { AttemptStale, type Plane, PlaneUnreachable } from './plane.ts';

/** The builder was asked to end, by SIGTERM or SIGINT. */
export class Terminated extends Error {
  override name = 'Terminated';
  readonly exitCode: number;
  constructor(exitCode: number) {
    super('the builder was asked to end');
    this.exitCode = exitCode;
  }
}

export type AttemptOptions = {
  config: BuilderConfig;
  plane: Plane;
  /** Aborted from outside when the builder is to end, and from inside when there is nobody left to report to. */
  leave: AbortController;
  running: BuildContext['running'];
};

/**
 * Runs the attempt and resolves with the builder's exit code: 0 when a result was delivered (of whatever kind) or
 * another attempt has taken over, 6 when the plane stayed away. Throws what is a bug, or was refused at registration.
 */
export async function runAttempt(options: AttemptOptions): Promise<number> {
  const { plane, leave } = options;
  try {
    await work(options);
    return exitCodes.done;
  } catch (error) {
    const reason = leave.signal.aborted ? leave.signal.reason : error;
    if (reason instanceof AttemptStale) return exitCodes.done;
    if (reason instanceof Terminated) return reason.exitCode;
    throw reason;
  } finally {
    await plane.close();
  }
}

async function work({ config, plane, leave, running }: AttemptOptions): Promise<void> {
  const spec = await plane.register();
  const abort = (error: unknown) => leave.abort(error);
  const heartbeat = startHeartbeat(plane, abort);
  const log = createLog(plane.sendLogs, abort);
  const secrets = (spec.environment ?? []).filter(isSecret).map(({ name, value }) => ({ name, value }));
  log.hide(...secrets.map(({ value }) => value), config.bootstrapToken, plane.token);
  const context: BuildContext = {
    spec,
    config,
    plane,
    log,
    running,
    signal: leave.signal,
    warnings: [],
    secrets,
  };
  try {
    const result = await resultOf(context);
    await log.flush();
    await plane.sendResult(result);
  } finally {
    heartbeat.stop();
  }
  // Nobody waits for this any more.
  await sweepModules(modulesPlaceOf(context, config.workDirectory).kept);
}

async function resultOf(context: BuildContext): Promise<BuildResult> {
  const { spec, log, signal } = context;
  try {
    await enterPhase(context, 'prepare');
    log.say(`Sphere ${version} builds ${spec.project} for ${spec.siteUrl}.`);
    return await build(context);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AttemptStale || error instanceof PlaneUnreachable) throw error;
    return failed(error, log);
  }
}

/** A failure as the plane takes it: without secrets, and within the contract's limits. */
export function failed(error: unknown, log: Pick<Log, 'mask'>): BuildResult {
  const known = error instanceof SphereError ? error : unexpected(error);
  const { hint, details } = known;
  return {
    outcome: 'failed',
    reason: reasonOf(known.code),
    error: {
      code: known.code,
      message: log.mask(known.message).slice(0, 4000),
      ...(hint === undefined ? {} : { hint: log.mask(hint).slice(0, 2000) }),
      ...(details === undefined
        ? {}
        : { details: details.slice(0, 50).map((line) => log.mask(line).slice(0, 4000)) }),
    },
  };
}

function unexpected(error: unknown): SphereError {
  const { code, message, stack } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SphereError('DISK_FULL', `The machine that builds has no space left: ${message}.`, {
      hint: '`sphere prune` frees space.',
      cause: error,
    });
  }
  return new SphereError(
    'INTERNAL',
    `The builder failed in a way that it should not: ${message ?? String(error)}`,
    {
      hint: 'This is a bug in Sphere. Please report it with the lines below.',
      details: (stack ?? '').split('\n').slice(1, 12),
      cause: error,
    },
  );
}

/** Codes that are no reason's own. */
const otherReasons: Partial<Record<ErrorCode, EndReason>> = {
  SOURCE_REFUSED: 'source_unavailable',
  TOO_LARGE: 'output_invalid',
  SECRET_IN_OUTPUT: 'output_invalid',
};

function reasonOf(code: ErrorCode): EndReason {
  const reasons = Object.entries(codeOfReason) as [EndReason, ErrorCode][];
  return otherReasons[code] ?? reasons.find(([, own]) => own === code)?.[0] ?? 'infrastructure';
}

/** The exit code for what `runAttempt` throws. */
export function exitCodeFor(error: unknown): number {
  if (error instanceof PlaneUnreachable) return exitCodes.infrastructure;
  return error instanceof SphereError ? exitCodeOf(error.code) : exitCodes.failure;
}
