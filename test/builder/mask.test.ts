/** The forms in which a secret is found. */
import { expect, test } from 'vitest';
import { createMask } from '../../builder/log/mask.ts';

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
