/** What is found in an output before it is published, and what is rightly left alone. */
import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { refuseFound, searchOutput } from '../../builder/secrets/search-output.ts';
import { tree } from '../files/tree.ts';
import { seeded, textOf } from './random.ts';

const { signal } = new AbortController();
const secret = 'sk_live_51/Hx+9 "quoted" ü';
const pem = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

async function found(content: string | Buffer, value = secret): Promise<boolean> {
  const directory = tree({ 'page.js': content.toString() });
  const hits = await searchOutput(directory, ['page.js'], [{ name: 'KEY', value }], signal);
  return hits.length > 0;
}

test.each([
  ['raw', `const k = \`${secret}\`;`],
  ['as JSON quotes it', JSON.stringify({ k: secret })],
  ['URL-encoded', `https://api.example.com/?k=${encodeURIComponent(secret)}`],
  ['URL-encoded as a form', new URLSearchParams({ k: secret }).toString()],
  ['in base64', `atob("${Buffer.from(secret).toString('base64')}")`],
  ['in base64 of something longer', Buffer.from(`user:${secret}:more`).toString('base64')],
  ['in URL-safe base64', Buffer.from(`?${secret}`).toString('base64url')],
])('a secret %s is found', async (_, content) => {
  expect(await found(content)).toBe(true);
});

test('a private key is found whole, without its line breaks, a line of it, and inside of what JSON escapes', async () => {
  const body = pem.split('\n').slice(1, -2);
  expect(await found(pem, pem)).toBe(true);
  expect(await found(`const key = "${body.join('')}"`, pem)).toBe(true);
  expect(await found(`x = "${body[1]}"`, pem)).toBe(true);
  const account = JSON.stringify({
    type: 'service_account',
    private_key: pem,
    token_uri: 'https://id.example.com/token',
  });
  expect(await found(`key: ${JSON.stringify(pem)}`, account)).toBe(true);
  expect(await found(pem, account)).toBe(true);
});

test('what everybody may have is not taken for a secret that holds it', async () => {
  const account = JSON.stringify({ private_key: pem, token_uri: 'https://id.example.com/token' }, null, 2);
  expect(await found('if (text.startsWith("-----BEGIN PRIVATE KEY-----")) read(text)', pem)).toBe(false);
  expect(await found('fetch("https://id.example.com/token")', account)).toBe(false);
  expect(await found('the end of sk_live_51/Hx+9')).toBe(false);
  expect(await found('short', 'short')).toBe(false);
  // Two tokens of one service, of which one is for the browser, begin alike.
  const header = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
  const token = (role: string) =>
    `${header}.${Buffer.from(`{"role":"${role}"}`).toString('base64url')}.c2lnbmF0dXJl`;
  expect(await found(`const anon = "${token('anon')}"`, token('service_role'))).toBe(false);
  expect(await found(`const mine = "${token('service_role')}"`, token('service_role'))).toBe(true);
});

test('wherever a piece of a large file ends, a secret across it is found', async () => {
  const filler = 'x'.repeat(1024 * 1024);
  const length = Buffer.byteLength(secret);
  for (const before of [0, 1, length - 1, length, 2 * length, 4 * length]) {
    const content = `${filler.slice(0, filler.length - before)}${secret}${filler}`;
    expect([before, await found(content)]).toEqual([before, true]);
    expect(await found(`${filler}${content}`)).toBe(true);
  }
});

test('secrets and files are named, also a file that is called like a secret', async () => {
  const random = seeded(3);
  const values = Array.from({ length: 30 }, (_, n) => ({
    name: `KEY_${n}`,
    value: textOf(random, 'abcdefghijklmnopqrstuvwxyz0123456789', 20),
  }));
  const files = {
    'index.html': 'nothing',
    'assets/a.js': `${values[3]?.value}${values[29]?.value}`,
    'assets/b.js': `a ${values[3]?.value} ${values[3]?.value}`,
    [`assets/${values[7]?.value}.css`]: 'body{}',
  };
  const hits = await searchOutput(tree(files), Object.keys(files), values, signal);
  expect(hits).toEqual([
    { name: 'KEY_29', path: 'assets/a.js' },
    { name: 'KEY_3', path: 'assets/a.js' },
    { name: 'KEY_3', path: 'assets/b.js' },
    { name: 'KEY_7', path: `assets/${values[7]?.value}.css` },
  ]);
  expect(() => refuseFound(hits)).toThrow(/the secret KEY_29 in assets\/a\.js, and 3 more/);
  expect(() => refuseFound([])).not.toThrow();
});
