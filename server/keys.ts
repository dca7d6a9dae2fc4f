/** What is derived from the plane's key: tokens, their hashes, and sealed secrets. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { tokenFromBytes } from './token-text.ts';

export type Keys = {
  /** The account token of an embedded plane: the same after every start. */
  accountToken: string;
  /** The token that starts an attempt; reproducible, spent on the builder's first request. */
  bootstrapToken(deployment: string, attempt: number): string;
  /** A digest of `value` that says nothing about it without the key. */
  digest(value: string): string;
  /** Encrypts (AES-256-GCM) what is kept at rest. */
  seal(text: string): string;
  /** Throws when `sealed` was not made with this key. */
  open(sealed: string): string;
};

/** `key`: 32 random bytes. */
export function createKeys(key: Buffer): Keys {
  const derive = (what: string) => createHmac('sha256', key).update(what).digest();
  const sealKey = derive('seal');
  return {
    accountToken: tokenFromBytes(derive('account')),
    bootstrapToken: (deployment, attempt) => derive(`bootstrap ${deployment} ${attempt}`).toString('hex'),
    digest: (value) => derive(`digest ${value}`).toString('hex'),
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealKey, nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', sealKey, bytes.subarray(0, 12));
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
  };
}

/** How a token is stored. Tokens are random, so a plain hash is enough. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Whether two strings are equal, in a time that does not depend on where they differ. */
export function equalStrings(a: string, b: string): boolean {
  const [x, y] = [a, b].map((value) => createHash('sha256').update(value).digest()) as [Buffer, Buffer];
  return timingSafeEqual(x, y);
}

/** A fresh identifier such as `dpl_k3v9x0q2m8t4w6z1`: 80 random bits, so that it cannot be guessed. */
export function newId(prefix: 'acc' | 'dpl' | 'pln' | 'prj' | 'pub' | 'tok' | 'trs'): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  const letters = [...randomBytes(16)].map((byte) => alphabet[byte & 31]);
  return `${prefix}_${letters.join('')}`;
}
