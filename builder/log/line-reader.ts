/** Turns a command's output, as it comes in chunks, into clean lines. */
import { StringDecoder } from 'node:string_decoder';
import { maxLineLength } from '../../contract/logs.ts';
import type { Mask } from './mask.ts';
import { lastWritten, needsCleaning, sanitiseLine } from './sanitise.ts';

export type LineReader = {
  /** The lines that `chunk` completes: sanitised, masked, cut at `maxLineLength`. */
  read(chunk: Buffer): string[];
  /** What stands after the last line break. */
  end(): string[];
};

/**
 * A reader for one stream. Its memory is bounded, whatever a command prints: of a line without an end it keeps the
 * start and a count.
 */
export function createLineReader(mask: Mask): LineReader {
  // Bytes that are not UTF-8 become U+FFFD; a character that is split between chunks does not.
  const decoder = new StringDecoder('utf8');
  // Masked before it is cut to its final length, so that most secrets at the cut are seen whole.
  const keep = maxLineLength + mask.longest + maxEscapes;
  let partial = '';
  let dropped = 0;

  const hold = (rest: string) => {
    partial += rest;
    if (partial.length <= keep) return;
    // A progress display that never ends its line: only what it wrote last is kept.
    partial = partial.endsWith('\r') ? `${lastWritten(partial)}\r` : lastWritten(partial);
    if (partial.length <= keep) return;
    dropped += partial.length - keep;
    partial = partial.slice(0, keep);
  };

  const take = (text: string): string[] => {
    const end = text.lastIndexOf('\n');
    if (end === -1) {
      hold(text);
      return [];
    }
    const firstEnd = text.indexOf('\n');
    hold(text.slice(0, firstEnd));
    const first = partial;
    const cutFrom = dropped;
    partial = '';
    dropped = 0;
    hold(text.slice(end + 1));
    const lines = [finish(first, cutFrom, mask)];
    if (firstEnd < end) pushAll(lines, text.slice(firstEnd + 1, end), mask);
    return lines;
  };

  return {
    read: (chunk) => take(decoder.write(chunk)),
    end: () => {
      const lines = take(decoder.end());
      if (partial !== '') lines.push(finish(partial, dropped, mask));
      partial = '';
      dropped = 0;
      return lines;
    },
  };
}

/** Room for colours, which are not counted as text while a line is still coming. */
const maxEscapes = 1024;

/** Adds the whole lines of `block`. Most blocks hold colours at most, and no long line: a scan or two, one split. */
function pushAll(lines: string[], block: string, mask: Mask): void {
  if (needsCleaning(block)) {
    for (const line of block.split('\n')) lines.push(finish(line, 0, mask));
    return;
  }
  for (const line of mask(block).split('\n')) lines.push(line.length > maxLineLength ? cut(line, 0) : line);
}

function finish(line: string, dropped: number, mask: Mask): string {
  const clean = mask(needsCleaning(line) ? sanitiseLine(line) : line);
  if (dropped === 0) return clean.length > maxLineLength ? cut(clean, 0) : clean;
  // What was dropped may be the rest of a secret, however much of what was kept were escapes.
  const safe = clean.slice(0, Math.max(0, clean.length - mask.longest));
  return cut(safe, dropped + clean.length - safe.length);
}

/** Cuts at `maxLineLength` and says so, without a half character or a half colour at the cut. */
function cut(line: string, dropped: number): string {
  const room = maxLineLength - 48;
  if (dropped === 0 && line.length <= maxLineLength) return line;
  const kept = line
    .slice(0, room)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC starts a colour
    .replace(/\u001b(?:\[[0-9;:]*)?$/, '')
    .replace(/[\ud800-\udbff]$/, '');
  return `${kept} … (${line.length - kept.length + dropped} more characters)`;
}
