/** Followers of a log: batches as fast as they are taken, and no faster. */
import type { LogBatch } from '../contract/logs.ts';
import type { LogStore } from './ports.ts';

/** A signal that wakes one waiter, and that is kept when nobody waits. */
export function createSignal() {
  let raised = false;
  let wake: (() => void) | undefined;
  return {
    raise() {
      raised = true;
      wake?.();
    },
    async wait(): Promise<void> {
      if (!raised) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      raised = false;
      wake = undefined;
    },
  };
}

/**
 * The log of `deployment` after seq `after`: closed parts, then what is there, then what comes, until its end or until
 * `stop` is aborted. Each batch is read when the one before it has been taken, so that a slow reader costs no memory.
 */
export async function* followLog(
  logs: Pick<LogStore, 'read' | 'watch'>,
  deployment: string,
  after: number,
  options: { maxBatchBytes: number; stop: AbortSignal; wait?: boolean },
): AsyncGenerator<LogBatch, number> {
  const signal = createSignal();
  const unwatch = logs.watch(deployment, signal.raise);
  options.stop.addEventListener('abort', signal.raise);
  let cursor = after;
  try {
    while (!options.stop.aborted) {
      const { batch, last, ended } = await logs.read(deployment, cursor, options.maxBatchBytes);
      if (batch) {
        cursor = batch.last;
        yield batch;
      }
      if (ended) return last;
      if (!batch) {
        if (options.wait === false) return last;
        await signal.wait();
      }
    }
    return cursor;
  } finally {
    unwatch();
    options.stop.removeEventListener('abort', signal.raise);
  }
}
