/** Keeps secrets out of the log: finds each in the forms in which programs print it. */

/** Puts `***` where a secret stands. Text must come in whole lines, so that no secret is cut in two. */
export type Mask = {
  (text: string): string;
  /** The longest text that the mask looks for, in UTF-16 units. */
  readonly longest: number;
};

/** A shorter text would mask harmless output, and tell as much by its gaps. */
const shortestSecretBytes = 8;

/** A mask for `secrets`: raw, each line of one, base64 at its three alignments, URL-encoded. */
export function createMask(secrets: readonly string[]): Mask {
  const forms = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  const mask = (text: string) => {
    let masked = text;
    for (const form of forms) {
      if (masked.includes(form)) masked = masked.replaceAll(form, '***');
    }
    return masked;
  };
  return Object.assign(mask, { longest: forms[0]?.length ?? 0 });
}

function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).flatMap((line) => [line, line.trim()]);
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [secret, inJson, ...lines]
    .filter((text) => Buffer.byteLength(text) >= shortestSecretBytes)
    .flatMap((text) => [text, ...urlEncoded(text), ...base64(text)])
    .filter((form) => !form.includes('\n'));
}

/** Every program escapes a little differently: the two usual sets, capitals or not, `+` for a space. */
function urlEncoded(text: string): string[] {
  const component = encodeURIComponent(Buffer.from(text).toString('utf8'));
  const strict = component.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const all = [component, strict, strict.replaceAll('%20', '+')];
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
