/** Many texts looked for in one pass find what looking for each by itself finds. */
import { expect, test } from 'vitest';
import { createFinder } from '../../builder/secrets/finder.ts';
import { seeded, textOf, wholeFrom } from './random.ts';

function findAll(texts: readonly string[], text: string): string[] {
  const bytes = Buffer.from(text);
  const found: string[] = [];
  createFinder(texts.map((one) => Buffer.from(one)))(bytes, bytes.length, (index, start) =>
    found.push(`${start} ${index}`),
  );
  return found.sort();
}

function oneByOne(texts: readonly string[], text: string): string[] {
  const bytes = Buffer.from(text);
  return texts
    .flatMap((one, index) => {
      const places: string[] = [];
      for (let at = bytes.indexOf(one); at !== -1; at = bytes.indexOf(one, at + 1))
        places.push(`${at} ${index}`);
      return places;
    })
    .sort();
}

test('as looking for each by itself, in 3,000 texts of few different characters', () => {
  const random = seeded(1);
  for (let round = 0; round < 3_000; round++) {
    const alphabet = ['ab', 'abcé', 'abcdefgh0123'][round % 3] as string;
    const texts = Array.from({ length: wholeFrom(random, 1, 12) }, () =>
      textOf(random, alphabet, wholeFrom(random, 8, 14)),
    );
    const text = textOf(random, alphabet, wholeFrom(random, 0, 400));
    // Some of them stand in it for certain, at the beginning and at the end, too.
    const at = wholeFrom(random, 0, text.length);
    const seen = `${round % 2 ? texts[0] : ''}${text.slice(0, at)}${texts.at(-1)}${text.slice(at)}${round % 3 ? '' : texts[0]}`;
    expect([round, findAll(texts, seen)]).toEqual([round, oneByOne(texts, seen)]);
  }
});

test('also for so many texts that the larger table is used', () => {
  const random = seeded(2);
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/';
  const texts = Array.from({ length: 5_000 }, () => textOf(random, alphabet, wholeFrom(random, 8, 60)));
  const text = Array.from({ length: 2_000 }, (_, n) =>
    n % 10 === 0 ? texts[wholeFrom(random, 0, 4_999)] : textOf(random, alphabet, wholeFrom(random, 1, 80)),
  ).join('');
  const found = findAll(texts, text);
  expect(found.length).toBeGreaterThanOrEqual(200);
  expect(found).toEqual(oneByOne(texts, text));
});
