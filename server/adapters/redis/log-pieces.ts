/**
 * Pieces of a log in memory, and batches cut out of them.
 *
 * In Redis a batch is kept without its numbers: whoever reads it puts them in front, because processor time of Redis is
 * what all replicas share. A piece has its lines in their kept form.
 */
import { encodeLine, type LogBatch, type NewLine } from '../../../contract/logs.ts';

export type Piece = {
  first: number;
  last: number;
  /** Lines in their kept form. */
  text: string;
  /** Of `text` in UTF-8. */
  bytes: number;
};

/** What `encodeLine` writes before the rest of line 0. */
const unnumbered = '[0,'.length;
const newline = 10;

/** `lines` in their kept form, each without its `[seq,`. */
export function encodeBodies(lines: readonly NewLine[]): string {
  let text = '';
  for (const line of lines) text += encodeLine(0, line).slice(unnumbered);
  return text;
}

/** The piece that `bodies` are from number `first` on. */
export function numberBodies(first: number, bodies: string): Piece {
  let text = '';
  let seq = first;
  for (let at = 0; at < bodies.length; seq++) {
    const end = bodies.indexOf('\n', at) + 1;
    text += `[${seq},${bodies.slice(at, end)}`;
    at = end;
  }
  return { first, last: seq - 1, text, bytes: Buffer.byteLength(text) };
}

/** `text`, whose first line has the number `first`, cut into pieces of about `pieceBytes`. */
export function cutPieces(first: number, text: string, pieceBytes: number): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', Math.min(at + pieceBytes, text.length - 1)) + 1;
    const part = text.slice(at, end);
    const last = seqOfLast(part);
    pieces.push({ first, last, text: part, bytes: Buffer.byteLength(part) });
    first = last + 1;
    at = end;
  }
  return pieces;
}

/**
 * The lines after seq `after`, of at most `maxBytes` but one at least. `pieces` follow each other without a gap; null
 * when there is nothing after `after` in them.
 */
export function batchFrom(pieces: readonly Piece[], after: number, maxBytes: number): LogBatch | null {
  let index = pieces.length;
  while (index > 0 && (pieces[index - 1] as Piece).last > after) index--;
  const start = pieces[index];
  if (start === undefined) return null;
  const begin = pieceAfter(start, after);
  if (begin.bytes > maxBytes) return fitting(begin, maxBytes);
  let { last, text: lines, bytes } = begin;
  for (const piece of pieces.slice(index + 1)) {
    bytes += piece.bytes;
    if (bytes > maxBytes) break;
    lines += piece.text;
    last = piece.last;
  }
  return { first: begin.first, last, lines };
}

/** What of `piece` comes after seq `after`. */
export function pieceAfter(piece: Piece, after: number): Piece {
  if (piece.first > after) return piece;
  let at = 0;
  for (let seq = piece.first; seq <= after; seq++) at = piece.text.indexOf('\n', at) + 1;
  const text = piece.text.slice(at);
  return { first: after + 1, last: piece.last, text, bytes: Buffer.byteLength(text) };
}

/** The first lines of `piece` that fit, one at least. */
function fitting({ first, text }: Piece, maxBytes: number): LogBatch {
  const bytes = Buffer.from(text.slice(0, maxBytes));
  const end = bytes.lastIndexOf(newline, maxBytes - 1) + 1;
  const lines = end > 0 ? bytes.toString('utf8', 0, end) : text.slice(0, text.indexOf('\n') + 1);
  return { first, last: seqOfLast(lines), lines };
}

/** The number of the last line of `lines`. */
function seqOfLast(lines: string): number {
  return Number.parseInt(lines.slice(lines.lastIndexOf('\n', lines.length - 2) + 2), 10);
}
