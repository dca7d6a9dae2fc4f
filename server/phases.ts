/** A deployment's phases and how long each took: pure. */
import type { PhaseTiming } from '../contract/api.ts';
import type { Phase } from '../contract/words.ts';
import type { PhaseRecord } from './database/tables.ts';

/** `phases` once `phase` has started at `now`; what ran until then has ended. */
export function enterPhase(phases: readonly PhaseRecord[], phase: Phase, now: number): PhaseRecord[] {
  if (phases.at(-1)?.phase === phase && phases.at(-1)?.endedAt === null) return [...phases];
  return [...endPhases(phases, now), { phase, startedAt: now, endedAt: null }];
}

/** `phases` once nothing runs any more. */
export function endPhases(phases: readonly PhaseRecord[], now: number): PhaseRecord[] {
  return phases.map((record) => (record.endedAt === null ? { ...record, endedAt: now } : record));
}

/** `phases` as the API gives them. */
export function phaseTimings(phases: readonly PhaseRecord[]): PhaseTiming[] {
  return phases.map(({ phase, startedAt, endedAt }) => ({
    phase,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt === null ? null : endedAt - startedAt,
  }));
}
