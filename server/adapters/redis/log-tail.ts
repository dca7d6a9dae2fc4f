/**
 * The newest lines of a log that is followed, in memory: all followers of it on this replica are served from here.
 *
 * Until `startTail` or the first piece, a tail knows nothing; then it knows all lines after `from`.
 */
import type { LogBatch } from '../../../contract/logs.ts';
import { batchFrom, type Piece, pieceAfter } from './log-pieces.ts';

export type Tail = {
  from: number | null;
  last: number;
  /** The log's last line, once the log has ended. */
  end: number | null;
  pieces: Piece[];
  bytes: number;
  /** While nothing is known: the lowest last seq with which a reader was sent away; null when none was. */
  answered: number | null;
  /** Batches cut since the last change: followers at the same place get the same object. */
  batches: Map<string, LogBatch>;
};

/** What followers of one log may cost in memory: four of the largest batches. */
const maxTailBytes = 1024 * 1024;

export function createTail(): Tail {
  return {
    from: null,
    last: 0,
    end: null,
    pieces: [],
    bytes: 0,
    answered: null,
    batches: new Map(),
  };
}

/** Takes note of where the log is now. Answers whether readers may have missed something. */
export function startTail(tail: Tail, last: number): boolean {
  // What has been appended since is on its way.
  if (tail.from !== null) return false;
  tail.from = last;
  tail.last = last;
  return last > (tail.answered ?? 0);
}

/** Adds what has arrived. Answers whether it is new. */
export function growTail(tail: Tail, piece: Piece): boolean {
  if (tail.from !== null && piece.last <= tail.last) return false;
  const follows = tail.from !== null && piece.first <= tail.last + 1;
  if (!follows) {
    // Readers get what lies between from where it is kept.
    clear(tail);
    tail.from = piece.first - 1;
  }
  const fresh = follows ? pieceAfter(piece, tail.last) : piece;
  tail.pieces.push(fresh);
  tail.bytes += fresh.bytes;
  tail.last = fresh.last;
  tail.batches.clear();
  while (tail.bytes > maxTailBytes && tail.pieces.length > 1) {
    const oldest = tail.pieces.shift() as Piece;
    tail.bytes -= oldest.bytes;
    tail.from = oldest.last;
  }
  return true;
}

/**
 * Takes note that the log is at line `last`, and that what is not here yet is in closed segments. Answers whether
 * something is not here.
 */
export function skipTail(tail: Tail, last: number): boolean {
  if (tail.from !== null && last <= tail.last) return false;
  tail.from = last;
  tail.last = last;
  clear(tail);
  return true;
}

/** Knows nothing any more: Redis does not know the log. */
export function forgetTail(tail: Tail): void {
  tail.from = null;
  tail.answered = null;
  clear(tail);
}

function clear(tail: Tail): void {
  tail.pieces = [];
  tail.bytes = 0;
  tail.batches.clear();
}

/** Takes note of the end, with line `last`, which may not be here yet. Answers whether it is news. */
export function endTail(tail: Tail, last: number): boolean {
  if (tail.end !== null) return false;
  tail.end = last;
  return true;
}

/** The lines after seq `after`; null when they are not in here. */
export function readTail(tail: Tail, after: number, maxBytes: number) {
  const { from, last, end } = tail;
  const ended = end !== null && end <= last;
  if (from === null || after < from) return null;
  if (after >= last) return { batch: null, last, ended };
  const key = `${after}:${maxBytes}`;
  let batch = tail.batches.get(key) ?? null;
  if (batch === null) {
    batch = batchFrom(tail.pieces, after, maxBytes);
    if (batch !== null) tail.batches.set(key, batch);
  }
  return { batch, last, ended: ended && batch?.last === last };
}
