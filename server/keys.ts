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
  /** Names the key that seals, and says nothing about it. */
  id: string;
  /** The names of both keys: of what was sealed with another, nothing can be opened. */
  ids: readonly string[];
  /** The account token of an embedded plane: the same after every start. */
  accountToken: string;
  /** The token that starts an attempt; reproducible, spent on the builder's first request. */
  bootstrapToken(deployment: string, attempt: number): string;
  /** Whether `token` starts that attempt, also by the previous key: it may have been given before the key was changed. */
  isBootstrapToken(token: string, deployment: string, attempt: number): boolean;
  /** Encrypts (AES-256-GCM) what is kept at rest. `about`: what it belongs to; it opens for nothing else. */
  seal(text: string, about?: string): string;
  /** Throws when `sealed` was made with neither of the keys, or about something else. */
  open(sealed: string, about?: string): string;
  /** What `sealed` is by the current key, or null when it is already. Throws as `open`. */
  reseal(sealed: string, about?: string): string | null;
};

/** `key` and `previous`: 32 random bytes each. Nothing new is made with `previous`. */
export function createKeys(key: Buffer, previous: Buffer | null = null): Keys {
  const current = ring(key);
  const all = previous === null ? [current] : [current, ring(previous)];
  const open = (sealed: string, about = '') => {
    for (const { openWith } of all) {
      const text = openWith(sealed, about);
      if (text !== null) return text;
    }
    throw new Error('it was sealed with another key, or for something else');
  };
  return {
    id: current.id,
    ids: all.map(({ id }) => id),
    accountToken: tokenFromBytes(current.derive('account')),
    bootstrapToken: current.bootstrapToken,
    isBootstrapToken: (token, deployment, attempt) =>
      all.map((one) => equalStrings(token, one.bootstrapToken(deployment, attempt))).includes(true),
    seal: (text, about = '') => current.seal(text, about),
    open,
    reseal: (sealed, about = '') =>
      current.openWith(sealed, about) === null ? current.seal(open(sealed, about), about) : null,
  };
}

/** What one key makes and opens. */
function ring(key: Buffer) {
  const derive = (what: string) => createHmac('sha256', key).update(what).digest();
  const sealKey = derive('seal');
  return {
    id: derive('id').toString('hex').slice(0, 16),
    derive,
    bootstrapToken: (deployment: string, attempt: number) =>
      derive(`bootstrap ${deployment} ${attempt}`).toString('hex'),
    seal(text: string, about: string): string {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', sealKey, nonce).setAAD(Buffer.from(about));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    /** Null when it is not this key's. */
    openWith(sealed: string, about: string): string | null {
      const bytes = Buffer.from(sealed, 'base64');
      if (bytes.length < 28) return null;
      const decipher = createDecipheriv('aes-256-gcm', sealKey, bytes.subarray(0, 12), { authTagLength: 16 })
        .setAAD(Buffer.from(about))
        .setAuthTag(bytes.subarray(12, 28));
      try {
        return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
      } catch {
        return null;
      }
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
