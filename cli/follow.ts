/** Follows a deployment to its end: its log over Socket.IO, its status by REST, and Ctrl-C to cancel it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment } from '../contract/api.ts';
import { SphereError } from '../contract/errors.ts';
import { decodeLines, type LogLine } from '../contract/logs.ts';
import { isEnded } from '../contract/words.ts';
import { readStoredLog } from './log-history.ts';
import type { Output } from './output.ts';
import type { Plane } from './plane.ts';
import { createProgress, type Progress } from './progress.ts';
import { waitedTooLong } from './wait.ts';

/** How often the status is looked at, in milliseconds; the end of the log is looked at once it is there. */
const lookEveryMs = { embedded: 1_000, hosted: 3_000 } as const;
/** So long after the deployment's end the stream may be silent before the rest of the log is fetched by REST. */
const drainMs = 5_000;

export type FollowRequest = {
  plane: Plane;
  deployment: Deployment;
  output: Output;
  /** Aborted by Ctrl-C: the deployment is cancelled, and followed until that is confirmed. */
  interrupted: AbortSignal;
  /** `--timeout`: after `ms` milliseconds from the instant `from` it is waited no longer. */
  timeout?: { ms: number; from: number };
  /** What REST said, every time. */
  onState?(deployment: Deployment): void;
};

/** Resolves with the deployment as it ended. A broken stream is a warning; what ended how is said by REST alone. */
export async function followDeployment(request: FollowRequest): Promise<Deployment> {
  const { plane, deployment, output, interrupted } = request;
  const progress = createProgress(output, Date.parse(deployment.createdAt));
  const log = showLog(plane, deployment.id, progress, output);
  const cancelling = () => void cancel(request);
  interrupted.addEventListener('abort', cancelling, { once: true });
  if (interrupted.aborted) cancelling();
  try {
    const ended = await watchStatus(request, progress, log.ended);
    await log.drain();
    progress.end(ended.status === 'ready' || ended.reason === 'ignored');
    return ended;
  } finally {
    interrupted.removeEventListener('abort', cancelling);
    log.stop();
    output.idle();
  }
}

async function watchStatus(
  request: FollowRequest,
  progress: Progress,
  logEnded: Promise<void>,
): Promise<Deployment> {
  const { plane, deployment, output } = request;
  let logOpen = true;
  const untilLogEnds = logEnded.then(() => {
    logOpen = false;
  });
  let silent = false;
  let last = deployment;
  for (;;) {
    // The log ends just after the status does, so its end is the moment to look.
    const left = request.timeout ? request.timeout.from + request.timeout.ms - Date.now() : Infinity;
    if (request.timeout && left <= 0) throw waitedTooLong(last, request.timeout.ms);
    const look = logOpen ? lookEveryMs[plane.kind] : 100;
    await Promise.race([sleep(Math.min(look, left)), logOpen ? untilLogEnds : sleep(100)]);
    try {
      const seen = await plane.api.getDeployment(deployment.id);
      last = seen;
      silent = false;
      request.onState?.(seen);
      if (isEnded(seen.status)) return seen;
      progress.state(seen);
    } catch (error) {
      if (!(error instanceof SphereError) || error.code !== 'PLANE_UNREACHABLE') throw error;
      if (!silent) output.warn(`${error.message} The deployment goes on without us; waiting for the plane.`);
      silent = true;
      await plane.revive();
    }
  }
}

/** Prints the log from its first line on. */
function showLog(plane: Plane, id: string, progress: Progress, output: Output) {
  const stop = new AbortController();
  let position = 0;
  let over = false;
  const take = async (lines: readonly LogLine[]) => {
    await progress.lines(lines);
    position = lines.at(-1)?.seq ?? position;
  };
  const stream = async () => {
    const { followLog } = await import('./log-stream.ts');
    const batches = followLog({
      plane: plane.address,
      deployment: id,
      after: 0,
      signal: stop.signal,
      onLost: () => output.warn('The log was interrupted; it continues as soon as the plane answers.'),
    });
    for await (const batch of batches) await take(decodeLines(batch.lines));
    over = !stop.signal.aborted;
  };
  const ended = stream().catch((error) => {
    output.warn(`The log cannot be followed: ${(error as Error).message} The deployment goes on.`);
  });
  return {
    /** Resolves when the stream has ended, well or not. */
    ended,
    /** Waits for the last lines of a deployment that has ended. */
    async drain() {
      for (let seen = -1; !over && seen !== position; ) {
        seen = position;
        await Promise.race([ended, sleep(drainMs, undefined, { ref: false })]);
      }
      if (over) return;
      stop.abort();
      await ended;
      try {
        for await (const lines of readStoredLog(plane.api, id, position)) await take(lines);
      } catch {
        output.warn(`The end of the log is missing here; see \`sphere logs ${id}\`.`);
      }
    },
    stop: () => stop.abort(),
  };
}

async function cancel({ plane, deployment, output }: FollowRequest): Promise<void> {
  output.note('Cancelling; Ctrl-C again leaves at once.');
  try {
    await plane.api.cancelDeployment(deployment.id);
  } catch (error) {
    const code = error instanceof SphereError ? error.code : null;
    if (code === 'PUBLISHING') output.note('It is already being published and completes.');
    else if (code !== 'ALREADY_ENDED') {
      output.warn(
        `It could not be cancelled: ${(error as Error).message} Try \`sphere cancel ${deployment.id}\`.`,
      );
    }
  }
}
