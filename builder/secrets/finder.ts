/**
 * Looks for many texts at once, in one pass whose time hardly depends on how many there are (Wu and Manber, "A fast
 * algorithm for multi-pattern searching", 1994): what three bytes stand at a place tells how far the next text can begin
 * at the earliest, and most places are skipped.
 */

/** Calls `found` for every place in `bytes` before `end` where one of the texts stands: its index, and where it begins. */
export type Find = (bytes: Uint8Array, end: number, found: (text: number, start: number) => void) => void;

/** The bytes that are looked at together. */
const blockBytes = 3;
/** A table that a processor keeps near, and one for so many texts that it would be full. */
const tableBits = { few: 16, many: 20, manyTexts: 2_000 } as const;

/** `texts`: of eight bytes or more each. */
export function createFinder(texts: readonly Uint8Array[]): Find {
  const shortest = texts.reduce((least, text) => Math.min(least, text.length), 255);
  if (texts.length === 0) return () => {};
  if (shortest < blockBytes) throw new Error('a text to look for is too short');
  const mask = (1 << (texts.length < tableBits.manyTexts ? tableBits.few : tableBits.many)) - 1;
  const furthest = shortest - blockBytes + 1;
  /** By a block's hash: how far on the next place is that has to be looked at. */
  const skips = new Uint8Array(mask + 1).fill(furthest);
  /** By the hash of the block at which they are compared: the texts. */
  const ending = new Map<number, number[]>();
  for (const [index, text] of texts.entries()) {
    for (let at = 0; at < furthest; at++) {
      const hash = hashAt(text, at) & mask;
      const skip = furthest - 1 - at;
      if (skip < (skips[hash] as number)) skips[hash] = skip;
      if (skip === 0) ending.set(hash, [...(ending.get(hash) ?? []), index]);
    }
  }

  return (bytes, end, found) => {
    const last = end - blockBytes;
    for (let at = shortest - blockBytes; at <= last; ) {
      const hash = hashAt(bytes, at) & mask;
      const skip = skips[hash] as number;
      if (skip > 0) {
        at += skip;
        continue;
      }
      const start = at - (shortest - blockBytes);
      for (const index of ending.get(hash) ?? []) {
        if (standsAt(bytes, end, start, texts[index] as Uint8Array)) found(index, start);
      }
      at += 1;
    }
  };
}

function hashAt(text: Uint8Array, at: number): number {
  return (text[at] as number) ^ ((text[at + 1] as number) << 6) ^ ((text[at + 2] as number) << 12);
}

function standsAt(bytes: Uint8Array, end: number, start: number, text: Uint8Array): boolean {
  if (start + text.length > end) return false;
  for (let at = 0; at < text.length; at++) if (bytes[start + at] !== text[at]) return false;
  return true;
}
