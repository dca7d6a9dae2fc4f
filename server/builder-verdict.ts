/** What becomes of a builder that is watched: a pure decision from its row and the last look at it. */
import { liveness } from '../contract/builder-api.ts';
import type { ErrorBody } from '../contract/errors.ts';
import type { EndReason, Phase } from '../contract/words.ts';
import type { BuilderState } from './ports.ts';

/** Beyond the builder's own time limit, for everything around the commands. */
const slackMs = 120_000;

export type Watched = {
  phase: Phase | null;
  /** The builder has made its first request. */
  registered: boolean;
  /** Milliseconds since its last request. */
  silentMs: number;
  /** Milliseconds since the attempt was claimed. */
  attemptMs: number;
  /** Undefined: it has not been looked at yet, or there is nothing to look at. */
  state: BuilderState | undefined;
};

export type BuilderVerdict =
  | { verdict: 'wait' }
  /** The user's own failure, or a limit: not tried again. */
  | { verdict: 'fail'; reason: EndReason; error: ErrorBody }
  /** Infrastructure: tried once more. */
  | { verdict: 'lose'; reason: 'infrastructure' | 'silent'; error: ErrorBody };

/** Judges what the builder could not report itself. */
export function judgeBuilder(
  watched: Watched,
  limits: { timeLimitMs: number; startLimitMs: number },
): BuilderVerdict {
  const { phase, registered, silentMs, attemptMs, state } = watched;
  // It has handed in its result and may leave.
  if (phase === 'publish') return { verdict: 'wait' };
  if (state?.state === 'ended') {
    const { reason, error } = state;
    if (reason === 'out_of_memory') return { verdict: 'fail', reason, error };
    return { verdict: 'lose', reason, error };
  }
  if (attemptMs > limits.timeLimitMs + limits.startLimitMs + slackMs) {
    const message = `the build did not end within ${minutes(limits.timeLimitMs)}`;
    return { verdict: 'fail', reason: 'timeout', error: { code: 'BUILD_TIMED_OUT', message } };
  }
  if (!registered) {
    if (attemptMs <= limits.startLimitMs) return { verdict: 'wait' };
    return {
      verdict: 'lose',
      reason: 'infrastructure',
      error: {
        code: 'INFRASTRUCTURE',
        message: `the builder did not start within ${minutes(limits.startLimitMs)}${seen(state)}`,
        hint: 'Deploy again; if it happens again, `sphere server check` on the plane looks for the cause.',
      },
    };
  }
  if (silentMs <= liveness.silentAfterMs) return { verdict: 'wait' };
  return {
    verdict: 'lose',
    reason: 'silent',
    error: {
      code: 'BUILD_SILENT',
      message: `the builder gave no sign of life for ${Math.round(silentMs / 1000)} s`,
      hint: 'Deploy again; if it happens again, look at `sphere logs` for what ran last.',
    },
  };
}

function seen(state: BuilderState | undefined): string {
  if (state?.state === 'starting') return ': it was still being started';
  return state?.state === 'running' ? ': it runs, and has not reached the plane' : '';
}

const minutes = (ms: number) =>
  ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} minutes`;
