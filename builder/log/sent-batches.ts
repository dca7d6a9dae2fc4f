/**
 * Batches that the plane has answered for and may still lose, kept to be sent again.
 *
 * What is dropped to stay within the bound is remembered by its number of lines: sent again, it is as many lines that say
 * so. The lines behind it get the numbers that they had, and whoever reads sees where something is missing.
 */
import type { NewLine } from '../../contract/logs.ts';

export type SentBatches = {
  /** Notes an answered batch. `kept`: up to this one the plane has all for good; absent when it never loses any. */
  answered(batch: Batch, kept: number | undefined): void;
  /** The body of batch `number`, to be sent again. */
  bodyOf(number: number): string;
};

export type Batch = { number: number; body: string; lines: number };

/** Some of the plane's segments: what it has not closed yet is usually less. */
const maxCharacters = 32 * 1024 * 1024;
/** What a batch costs beside its text. */
const overhead = 100;

const lostLine = 'This line was lost: the plane has lost it, and the builder no longer had it.';

export function createSentBatches(max = maxCharacters): SentBatches {
  /** In the order of their numbers, the ones without a body first. */
  const batches = new Map<number, { body: string | null; lines: number }>();
  let characters = 0;

  const forget = (upTo: number) => {
    for (const [number, { body }] of batches) {
      if (number > upTo) return;
      characters -= body === null ? 0 : body.length + overhead;
      batches.delete(number);
    }
  };

  const drop = () => {
    for (const batch of batches.values()) {
      if (characters <= max) return;
      if (batch.body === null) continue;
      characters -= batch.body.length + overhead;
      batch.body = null;
    }
  };

  return {
    answered({ number, body, lines }, kept) {
      if (kept === undefined) return;
      forget(kept);
      if (number <= kept || batches.has(number)) return;
      batches.set(number, { body, lines });
      characters += body.length + overhead;
      drop();
    },
    bodyOf(number) {
      const batch = batches.get(number);
      if (batch?.body) return batch.body;
      const line: NewLine = [Date.now(), 'build', 'sphere', lostLine];
      const lines = Array.from({ length: batch?.lines ?? 0 }, () => line);
      return JSON.stringify({ batch: number, lines });
    },
  };
}
