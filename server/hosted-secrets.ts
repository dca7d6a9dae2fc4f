/** The secrets of a hosted plane: its key and its admin token. No problem shows any of them. */
import { readFileSync, statSync } from 'node:fs';
import { type EnvironmentValues, hidden, quoted } from './environment-values.ts';

const keyWants = 'the 32 random bytes that `openssl rand -hex 32` prints, the same on every replica';

type KeyName = 'SPHERE_KEY' | 'SPHERE_KEY_PREVIOUS';

/** The plane's key, 32 bytes, from SPHERE_KEY or the file that SPHERE_KEY_FILE names. */
export function readKey(values: EnvironmentValues): Buffer {
  return readOneKey(values, 'SPHERE_KEY');
}

/** The key that is accepted beside it, in the same two ways; null when there is none. */
export function readPreviousKey(values: EnvironmentValues): Buffer | null {
  const name = 'SPHERE_KEY_PREVIOUS';
  if (values.text(name) === undefined && values.text(`${name}_FILE`) === undefined) return null;
  return readOneKey(values, name);
}

/** After a problem undefined, which nobody sees because the caller throws in the end. */
function readOneKey(values: EnvironmentValues, name: KeyName): Buffer {
  const [key, file] = [values.text(name), values.text(`${name}_FILE`)];
  if (key !== undefined && file !== undefined)
    values.problem(
      `${name} and ${name}_FILE are both set; unset one of them, best ${name}: \`unset ${name}\``,
    );
  if (file === undefined)
    return values.read(name, {
      parse: parseKey,
      show: hidden,
      wants: `${keyWants}, or set ${name}_FILE to a file that holds them`,
    });
  return readKeyFile(values, name, file) as Buffer;
}

/** Undefined after a problem. */
function readKeyFile(values: EnvironmentValues, name: KeyName, file: string): Buffer | undefined {
  if (parseKey(file)) {
    values.problem(
      `${name}_FILE is a key and not the name of a file (not shown); set ${name} to it, or ${name}_FILE to a file that holds it, such as /etc/sphere/key`,
    );
    return undefined;
  }
  const wrong = (what: string) => values.problem(`${name}_FILE is ${quoted(file)}, ${what}`);
  try {
    const mode = statSync(file).mode & 0o777;
    if ((mode & 0o007) !== 0)
      wrong(`which everybody on this machine can open (mode ${mode.toString(8)}); run \`chmod 600 ${file}\``);
    const content = readFileSync(file, 'utf8').trim();
    const key = parseKey(content);
    if (!key) wrong(`which holds ${hidden(content)}; set its content to ${keyWants}`);
    return key;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    wrong(
      `which cannot be read (${code ?? message}); set it to a file that this user can read, such as /etc/sphere/key`,
    );
    return undefined;
  }
}

function parseKey(text: string): Buffer | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  // 32 bytes are 43 characters and one of padding, which some programs leave out; URLs have two letters of their own.
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined;
}

/** The admin token; null when it is unset. */
export function readAdminToken(values: EnvironmentValues): string | null {
  if (values.text('SPHERE_ADMIN_TOKEN') === undefined) return null;
  return values.read('SPHERE_ADMIN_TOKEN', {
    // What may stand behind `Bearer`.
    parse: (text) => (/^[\x21-\x7e]{32,512}$/.test(text) ? text : undefined),
    show: hidden,
    wants:
      'at least 32 characters without spaces, such as what `openssl rand -hex 32` prints, or unset it to have one made',
  });
}
