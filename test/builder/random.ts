/** Numbers that look random and are the same in every run: what a test finds, it finds again. */

/** Numbers from 0 to below 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from `least` to `most`. */
export const wholeFrom = (random: () => number, least: number, most: number) =>
  least + Math.floor(random() * (most - least + 1));

/** `length` characters out of `alphabet`. */
export const textOf = (random: () => number, alphabet: string, length: number) => {
  const characters = [...alphabet];
  return Array.from({ length }, () => characters[Math.floor(random() * characters.length)]).join('');
};
