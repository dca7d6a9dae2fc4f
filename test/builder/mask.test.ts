/** The forms in which a secret is found. */
import { expect, test } from 'vitest';
import { createLineReader } from '../../builder/log/line-reader.ts';
import { createMask } from '../../builder/log/mask.ts';
import { seeded, textOf, wholeFrom } from './random.ts';

const secret = 'p@ss/word+with?signs ü';

test.each([
  ['raw', `value: ${secret}!`, 'value: ***!'],
  ['URL-encoded', `https://x/?t=${encodeURIComponent(secret)}&b`, 'https://x/?t=***&b'],
  ['URL-encoded as a form', new URLSearchParams({ t: secret }).toString(), 't=***'],
  [
    'URL-encoded in small letters',
    encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
    '***',
  ],
  ['in JSON', JSON.stringify({ secret: 'line one "quoted"' }), '{"secret":"***"}'],
])('a secret %s is hidden', (_, text, shown) => {
  expect(createMask([secret, 'line one "quoted"'])(text)).toBe(shown);
});

test.each([0, 1, 2, 3, 4, 5])(
  'a secret in base64 behind %d bytes is hidden, whatever follows it',
  (before) => {
    const mask = createMask([secret]);
    for (const after of ['', 'x', 'yz', 'a longer end']) {
      const text = `${'.'.repeat(before)}${secret}${after}`;
      for (const encoding of ['base64', 'base64url'] as const) {
        const shown = mask(Buffer.from(text).toString(encoding));
        expect(shown).toContain('***');
        // What neighbours have a share in may stay: fewer than two characters at each side.
        const left = shown.replace('***', '').length;
        expect(left).toBeLessThanOrEqual(Math.ceil(((before + after.length) * 4) / 3) + 5);
      }
    }
  },
);

test('each long line of a secret is hidden by itself, and short ones are left', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nabc\n-----END KEY-----\n';
  const mask = createMask([key]);
  expect(mask('found MIIEvQIBADANBgkqhkiG here')).toBe('found *** here');
  expect(mask('abc')).toBe('abc');
});

test('a secret of fewer than 8 bytes hides nothing', () => {
  expect(createMask(['true', ''])('it is true')).toBe('it is true');
});

test.each([
  ['by a shell that traces its commands', `+ login 'it'\\''s a secret'`, `+ login '***'`],
  ['beside another that it overlaps', 'aaaabbbbccccdddd', '***'],
  ['twice in a row', 'it is one!it is one!', '******'],
  ['of eight bytes and no more', 'x12345678x', 'x***x'],
  ['between half of itself', 'it is it is one! one!', 'it is *** one!'],
  ['with letters of two bytes', 'größe=äöüß!', 'größe=***!'],
])('a secret %s is hidden', (_, text, shown) => {
  const mask = createMask([
    "it's a secret",
    'aaaabbbbcccc',
    'bbbbccccdddd',
    'it is one!',
    '12345678',
    'äöüß',
  ]);
  expect(mask(text)).toBe(shown);
});

test('base64 in lines hides every line of a long secret, whatever stands before it', () => {
  const random = seeded(7);
  for (let length = 49; length < 400; length += 13) {
    const long = randomSecret(random, length);
    const mask = createMask([long]);
    for (const before of ['', 'a', 'ab', '{"key":"']) {
      for (const width of [64, 76]) {
        const encoded = Buffer.from(`${before}${long}`).toString('base64');
        const lines = encoded.match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
        // Line by line, as a log comes: of the secret at most its ends are left, which neighbours have a share in.
        const shown = lines.map((line) => mask(line)).join('');
        expect([length, before, width, shown.replaceAll('***', '').length]).toEqual([
          length,
          before,
          width,
          expect.toSatisfy((left: number) => left <= Math.ceil((before.length * 4) / 3) + 15),
        ]);
      }
    }
  }
});

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const randomSecret = (random: () => number, length: number) =>
  textOf(random, `${letters}!"§$%&/()=?'+*#-_.:,;<>|^°äöü€😀 `, length);

/** Every way in which the tests know a program to print a secret. */
const printed: readonly ((secret: string, before: string, after: string) => string)[] = [
  (secret, before, after) => `${before}${secret}${after}`,
  (secret, before, after) => `${before}${encodeURIComponent(secret)}${after}`,
  (secret, before, after) => `${before}${encodeURI(secret)}${after}`,
  (secret, before, after) => `${before}&${new URLSearchParams({ q: secret })}&${after}`,
  (secret, before, after) => JSON.stringify({ [before]: `${after}${secret}${after}` }),
  (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('base64'),
  (secret, before, after) => Buffer.from(`${before}${secret}${after}`).toString('base64url'),
];

test('4,000 random secrets, printed in every form and cut into chunks anywhere, never come out of the reader', () => {
  const random = seeded(42);
  for (let round = 0; round < 4_000; round++) {
    const secret = randomSecret(random, wholeFrom(random, 8, 60))
      .trim()
      .padEnd(8, 'x');
    const form = printed[round % printed.length] as (typeof printed)[0];
    const before = textOf(random, letters, wholeFrom(random, 0, 20));
    const after = textOf(random, letters, wholeFrom(random, 0, 20));
    const output = Buffer.from(`one line\n${form(secret, before, after)}\nlast line`);
    const reader = createLineReader(createMask(['another-secret', secret]));
    const lines: string[] = [];
    for (let at = 0; at < output.length; ) {
      const next = at + wholeFrom(random, 1, 30);
      lines.push(...reader.read(output.subarray(at, next)));
      at = next;
    }
    lines.push(...reader.end());
    const shown = [
      round,
      lines.length,
      lines[0],
      lines[2],
      lines[1]?.includes('***'),
      lines[1]?.includes(secret),
    ];
    expect(shown).toEqual([round, 3, 'one line', 'last line', true, false]);
    const left = lines[1] ?? '';
    expect(Buffer.from(left, 'base64').includes(secret)).toBe(false);
  }
});

test('each line of a secret is hidden where it comes a line at a time', () => {
  const random = seeded(43);
  for (let round = 0; round < 300; round++) {
    const parts = Array.from({ length: wholeFrom(random, 2, 6) }, () =>
      textOf(random, letters, wholeFrom(random, 8, 70)),
    );
    const reader = createLineReader(createMask([parts.join(round % 2 ? '\n' : '\r\n')]));
    const lines = [...reader.read(Buffer.from(`key:\n${parts.join('\n')}\n`)), ...reader.end()];
    expect(lines).toEqual(['key:', ...parts.map(() => '***')]);
  }
});

test('text without a secret comes out as it went in', () => {
  const random = seeded(44);
  const mask = createMask(Array.from({ length: 50 }, () => randomSecret(random, 24)));
  for (let round = 0; round < 500; round++) {
    const text = textOf(random, `${letters} äöü€😀\n{}[]"`, wholeFrom(random, 0, 3_000));
    expect(mask(text)).toBe(text);
  }
});
