/**
 * What a token looks like: `sph_`, 30 random characters, and 6 that follow from those. Secret scanners find it by its
 * beginning and tell a real one from a text that only looks like it by its end, as with GitHub's own (which this is made
 * after: github.blog, "Behind GitHub's new authentication token formats").
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const beginning = 'sph_';
/** 178 random bits. */
const randomLength = 30;
/** 62^6 is more than 2^32. */
const checkLength = 6;

/** The shape of a token, for secret scanners: `sph_[0-9A-Za-z]{36}`. */
export const tokenShape = /^sph_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/;

/** A fresh token. */
export function newToken(): string {
  let random = '';
  while (random.length < randomLength) {
    // 248 is four times 62: a byte above that would make some digits more frequent than others.
    for (const byte of randomBytes(64)) if (byte < 248) random += digits[byte % 62];
  }
  return tokenOf(random.slice(0, randomLength));
}

/** The token that follows from 32 `bytes`, which nobody can guess. */
export function tokenFromBytes(bytes: Buffer): string {
  return tokenOf(base62(BigInt(`0x${bytes.toString('hex')}`), randomLength));
}

/**
 * Whether `text` was never a token of this plane, as its last characters say. A token that was typed wrong or made up
 * costs no question to the database. Texts of another shape may be what an admin has chosen, or older than this shape.
 */
export function isMisspelt(text: string): boolean {
  const [, random, check] = tokenShape.exec(text) ?? [];
  return random !== undefined && check !== checkOf(random);
}

const tokenOf = (random: string) => `${beginning}${random}${checkOf(random)}`;

const checkOf = (random: string) => base62(BigInt(crc32(random)), checkLength);

/** The last `length` digits of `value`. */
function base62(value: bigint, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest /= 62n) text = `${digits[Number(rest % 62n)]}${text}`;
  return text;
}
