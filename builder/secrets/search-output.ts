/** Looks into a site before it is published: a secret that stands in a file would be everybody's. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SphereError } from '../../contract/errors.ts';
import { createFinder } from './finder.ts';
import { formsInFiles } from './forms.ts';

/** A secret, and what people call it. */
export type NamedSecret = { name: string; value: string };

/** What the token for the source's repository is called. */
export const gitToken = 'SPHERE_GIT_TOKEN';

/** A secret stands in a file of the site, or in its path. */
export type SecretFound = { name: string; path: string };

/** Files are read in pieces of this many bytes. */
const pieceBytes = 1024 * 1024;
/** So many files are named. */
const shownFiles = 20;

/**
 * Where `secrets` stand in the files `paths` of `directory`: raw, as JSON quotes it, URL-encoded or in base64. What is
 * compressed or encrypted is not looked into. The event loop gets a turn after each piece.
 */
export async function searchOutput(
  directory: string,
  paths: readonly string[],
  secrets: readonly NamedSecret[],
  signal: AbortSignal,
): Promise<SecretFound[]> {
  const forms = secrets.flatMap(({ name, value }) =>
    formsInFiles(value).map((text) => ({ name, bytes: Buffer.from(text) })),
  );
  if (forms.length === 0) return [];
  const find = createFinder(forms.map(({ bytes }) => bytes));
  const overlap = forms.reduce((most, { bytes }) => Math.max(most, bytes.length), 0) - 1;
  const buffer = Buffer.allocUnsafe(overlap + pieceBytes);
  const found: SecretFound[] = [];
  for (const path of paths) {
    const names = new Set<string>();
    const note = (index: number) => names.add((forms[index] as (typeof forms)[0]).name);
    const shown = Buffer.from(path);
    find(shown, shown.length, note);
    const file = openSync(join(directory, path), 'r');
    try {
      // A secret may begin in one piece and end in the next: the end of each stays before the next.
      for (let kept = 0; ; ) {
        const room = buffer.length - kept;
        const read = readSync(file, buffer, kept, room, null);
        if (read === 0) break;
        const end = kept + read;
        find(buffer, end, note);
        kept = Math.min(overlap, end);
        buffer.copyWithin(0, end - kept, end);
        if (read === room) await setImmediate();
      }
    } finally {
      closeSync(file);
    }
    found.push(...[...names].sort().map((name) => ({ name, path })));
    signal.throwIfAborted();
    await setImmediate();
  }
  return found;
}

/** Throws `SECRET_IN_OUTPUT` with the names of secrets and the paths of files when something was found. */
export function refuseFound(found: readonly SecretFound[]): void {
  const [first] = found;
  if (first === undefined) return;
  const rest = found.length === 1 ? '' : `, and ${found.length - 1} more`;
  throw new SphereError(
    'SECRET_IN_OUTPUT',
    `Nothing was published: the output holds the secret ${first.name} in ${first.path}${rest}.`,
    {
      hint: `Keep it out of what the browser gets.${plainHint(first.name)}`,
      details: found.slice(0, shownFiles).map(({ name, path }) => `${name} in ${path}`),
    },
  );
}

/** A Git token is a secret whatever anybody says. */
function plainHint(name: string): string {
  if (name === gitToken) return '';
  return ` If everybody may read it, it is no secret: \`sphere env add ${name} --plain\`.`;
}
