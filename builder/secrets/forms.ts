/** The forms in which programs print and store a secret. */
import { shortestSecretBytes } from '../../contract/environment-values.ts';

/** A text to look for. */
export type Form = {
  text: string;
  /**
   * Set where `text` is a part of this longer form, `at` characters behind its beginning: what stands around a find
   * belongs to it as far as it is the same. `base64` breaks its lines, and so a long form into parts.
   */
  whole?: { text: string; at: number };
};

/**
 * Base64 that may be longer than a line of it (64 or 76 characters) is found by parts. They lie so close that every line
 * of 23 characters holds a whole one, wherever it begins; of a last line that is shorter, the end is found.
 */
const parts = { length: 16, every: 8, last: 12 } as const;
const shortestLine = 64;

/** So long, and of capitals, small letters and digits, a run of characters is nothing that stands in a text by chance. */
const keyMaterial = /[A-Za-z0-9+/_=-]{32,}/g;
const characters = [/[A-Z]/, /[a-z]/, /[0-9]/];
/** `{"alg":`, `{"typ":` or `{"kid":` in base64: with that begin all tokens of a kind, public ones too. */
const tokenHeader = /^eyJ(?:hbGci|0eXAi|raWQi)/;

/**
 * For the log, where a line comes after the other: raw, as JSON and shells quote it, URL-encoded, in base64 at its three
 * alignments; all that of each line, too, and of what looks like a key inside.
 */
export function formsInLog(secret: string): Form[] {
  const texts = [...wholes(secret), ...secret.split(/\r?\n/).flatMap((line) => [line, line.trim()])];
  const forms = distinct(texts.flatMap(encodings)).filter((text) => !text.includes('\n'));
  return forms.flatMap((text) => [{ text }, ...partsOf(text)]);
}

/**
 * For files that will be published. A line of a secret alone counts only when it looks like a key: pages may hold
 * `-----BEGIN PRIVATE KEY-----` or the address of an identity provider without giving anything away.
 */
export function formsInFiles(secret: string): string[] {
  return distinct(wholes(secret).flatMap(encodings));
}

function wholes(secret: string): string[] {
  // A key inside of JSON has its line breaks escaped.
  const runs = secret.replaceAll('\\n', '\n').match(keyMaterial) ?? [];
  const keys = runs.filter((run) => characters.every((kind) => kind.test(run)) && !tokenHeader.test(run));
  return [
    secret,
    secret.trim(),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll("'", "'\\''"),
    ...keys,
  ];
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)].filter((text) => Buffer.byteLength(text) >= shortestSecretBytes);
}

function encodings(text: string): string[] {
  if (Buffer.byteLength(text) < shortestSecretBytes) return [];
  return [text, ...urlEncoded(text), ...base64(text)];
}

/**
 * Every program escapes a little differently: JavaScript's two functions, RFC 3986 (curl), forms (WHATWG), Python's
 * `quote`, which leaves `/`, `+` for a space or not, and digits in capitals or not.
 */
function urlEncoded(text: string): string[] {
  // Half of a pair of surrogates has no encoding.
  const whole = Buffer.from(text).toString('utf8');
  const component = encodeURIComponent(whole);
  const strict = component.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ _: whole }).toString().slice('_='.length);
  const all = [component, encodeURI(whole), strict, form].flatMap((one) => [
    one,
    one.replaceAll('%20', '+'),
    one.replaceAll('%2F', '/'),
  ]);
  return [...all, ...all.map((form) => form.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()))];
}

/**
 * Base64 packs three bytes in four characters: by what stands before it, a secret begins at one of three places in such
 * a group. The characters that neighbours have a share in are left out: the rest is the same whatever stands around.
 */
function base64(text: string): string[] {
  const bytes = Buffer.from(text);
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replaceAll('=', '');
    const shared = (offset + bytes.length) % 3 === 0 ? 0 : 1;
    const stable = encoded.slice(offset === 0 ? 0 : offset + 1, encoded.length - shared);
    return [stable, stable.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

function partsOf(text: string): Form[] {
  if (text.length <= shortestLine || !/^[A-Za-z0-9+/_-]+$/.test(text)) return [];
  const part = (at: number, length: number) => ({ text: text.slice(at, at + length), whole: { text, at } });
  const count = Math.floor((text.length - parts.length) / parts.every) + 1;
  return [
    ...Array.from({ length: count }, (_, index) => part(index * parts.every, parts.length)),
    part(text.length - parts.last, parts.last),
  ];
}
