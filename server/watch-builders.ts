/** Builders that this process is responsible for: looked at together, and judged one by one. */
import { sql } from 'kysely';
import { failAttempt, loseAttempt } from './attempts.ts';
import { judgeBuilder } from './builder-verdict.ts';
import type { DeploymentRow } from './deployments.ts';
import { databaseNow, leaseIsDue, leaseUntil } from './leases.ts';
import type { Plane } from './plane.ts';
import type { BuilderState } from './ports.ts';

/** Renews what this process holds. After sleep every builder's silence starts anew. */
export async function renewLeases(plane: Plane, slept: boolean): Promise<void> {
  const { leaseMs } = plane.settings;
  const renewal = plane.database.query
    .updateTable('deployments')
    .set({
      lease_expires_at: leaseUntil(leaseMs),
      ...(slept ? { seen_at: databaseNow } : {}),
    })
    .where('deployment_status', '=', 'building')
    .where('lease_owner', '=', plane.id);
  await (slept ? renewal : renewal.where(leaseIsDue(leaseMs))).execute();
}

const watched = ['id', 'attempt', 'phase', 'phases', 'runner', 'builder_token_hash'] as const;
type WatchedRow = Pick<DeploymentRow, (typeof watched)[number]> & {
  /** For how long nothing has come from the builder, by the clock that its signs of life are noted by. */
  silent_ms: number | null;
};

/** What this process is responsible for and what is building. */
function readWatched(plane: Plane, id?: string): Promise<WatchedRow[]> {
  const query = plane.database.query
    .selectFrom('deployments')
    .select(watched)
    .select(
      sql<number | null>`(extract(epoch from clock_timestamp() - seen_at) * 1000)::float8`.as('silent_ms'),
    )
    .where('deployment_status', '=', 'building')
    .where('lease_owner', '=', plane.id);
  return (id === undefined ? query : query.where('id', '=', id)).execute();
}

export type BuilderWatch = {
  /** Looks at the builders of what this process holds, at most every `pollMs`, and acts on what it finds. */
  look(): Promise<void>;
};

/** Watches builders for `plane`. */
export function createBuilderWatch(plane: Plane): BuilderWatch {
  /** Per attempt: since when it is watched, on a clock that stands still while the machine sleeps. */
  const watchedSince = new Map<string, number>();
  let lookedAt = Number.NEGATIVE_INFINITY;

  /** How long the attempt has taken. A machine that sleeps takes its own builders with it, and no others. */
  function attemptMs(row: WatchedRow): number {
    if (!plane.settings.exclusive) {
      // The claim ended the queue, which no builder can enter again.
      const claimed = row.phases.findLast((record) => record.phase === 'queue')?.endedAt;
      return plane.now() - (claimed ?? plane.now());
    }
    const key = keyOf(row);
    const since = watchedSince.get(key) ?? performance.now();
    watchedSince.set(key, since);
    return performance.now() - since;
  }

  const verdictOn = (row: WatchedRow, state: BuilderState | undefined) =>
    judgeBuilder(
      {
        phase: row.phase,
        registered: row.builder_token_hash !== null,
        silentMs: row.silent_ms ?? 0,
        attemptMs: attemptMs(row),
        state,
      },
      plane.settings,
    );

  async function judge(seen: WatchedRow, state: BuilderState | undefined): Promise<void> {
    if (verdictOn(seen, state).verdict === 'wait') return;
    // This process may have stood still since it read the row, and another one have looked after the builder.
    const row = (await readWatched(plane, seen.id)).find((fresh) => fresh.attempt === seen.attempt);
    const outcome = row && verdictOn(row, state);
    if (!row || !outcome || outcome.verdict === 'wait') return;
    if (row.runner && state?.state !== 'ended') await plane.builds.stop(row.runner);
    const attempt = { deployment: row.id, attempt: row.attempt, heldBy: plane.id };
    if (outcome.verdict === 'fail') await failAttempt(plane, attempt, outcome.reason, outcome.error);
    else await loseAttempt(plane, attempt, outcome.reason, outcome.error);
  }

  return {
    async look() {
      if (performance.now() - lookedAt < plane.builds.pollMs) return;
      lookedAt = performance.now();
      const rows = await readWatched(plane);
      const keys = new Set(rows.map(keyOf));
      for (const key of watchedSince.keys()) if (!keys.has(key)) watchedSince.delete(key);
      const withRunner = rows.filter((row) => row.runner !== null && row.phase !== 'publish');
      const refs = withRunner.flatMap((row) => (row.runner ? [row.runner] : []));
      const states = refs.length === 0 ? [] : await plane.builds.states(refs);
      const stateOf = new Map(withRunner.map((row, n) => [row.id, states[n]]));
      await Promise.all(
        rows.map((row) =>
          judge(row, stateOf.get(row.id)).catch((error: unknown) => plane.reportUnlessStale(row.id, error)),
        ),
      );
    },
  };
}

const keyOf = (row: WatchedRow) => `${row.id} ${row.attempt}`;
