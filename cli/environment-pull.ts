/** `sphere env pull`: brings the plain values of a project into a local file, and keeps what the file held. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { EnvironmentEntry } from '../contract/environment-api.ts';
import type { EnvironmentScope } from '../contract/environment-values.ts';
import { fileError } from '../files/file-error.ts';
import type { Context, Result } from './command.ts';
import { mergeIntoFile } from './environment-file.ts';
import { count } from './format.ts';

type Pulled = { project: string; scope: EnvironmentScope; values: readonly EnvironmentEntry[] };

/** Merges `values` into `file`, which is copied before it is changed. Throws `USAGE` when it cannot be read or written. */
export async function pullIntoFile(
  { directory, output }: Context,
  file: string,
  { project, scope, values }: Pulled,
): Promise<Result> {
  const target = path.resolve(directory, file);
  const before = await readOrNull(target);
  const plain = new Map(values.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])));
  const secrets = values.filter(({ sensitive }) => sensitive).map(({ name }) => name);
  const merged = mergeIntoFile(before ?? '', plain, secrets);
  const backup = before !== null && merged.text !== before ? backupOf(target) : null;
  try {
    if (backup !== null) await copyFile(target, backup);
    if (merged.text !== (before ?? '')) await writeFile(target, merged.text, { mode: 0o600 });
  } catch (error) {
    throw (
      fileError(error, { what: file, done: 'written', hint: 'Name a file that can be written.' }) ?? error
    );
  }

  const { changed, added, unwritable } = merged;
  // A file that is not there is not made for nothing.
  if (merged.text === '' && before === null) {
    output.note(`${project} has no plain values for ${scope}: nothing was written.`);
    const nothing = { file: null, backup, added, changed, secrets, unwritable };
    return { json: { project, scope, ...nothing }, text: null };
  }
  output.note(
    merged.text === before
      ? `${file} has all plain values of ${project} for ${scope} already.`
      : `${file}: ${count(added.length, 'value')} added, ${changed.length} changed; the rest is as it was.`,
  );
  if (backup !== null) output.note(`What was there before is in ${path.basename(backup)}.`);
  if (secrets.length > 0) output.note(`Secrets are not given out: ${secrets.join(', ')}.`);
  if (unwritable.length > 0) {
    output.warn(`The format of the file has no way to write the value of ${unwritable.join(', ')}.`);
  }
  const expanded = [...plain].filter(([, value]) => value.includes('$')).map(([name]) => name);
  if (expanded.length > 0) {
    output.warn(
      `Vite, Next.js and others replace what follows a $ in such files: ${expanded.join(', ')} may be read as something else.`,
    );
  }
  return {
    json: { project, scope, file: target, backup, added, changed, secrets, unwritable },
    text: target,
  };
}

/** `.env.local` to `.env.backup.local`, which `.env*.local` in a .gitignore covers as well. */
function backupOf(file: string): string {
  return file.endsWith('.local') ? `${file.slice(0, -'.local'.length)}.backup.local` : `${file}.backup`;
}

async function readOrNull(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError(cause, { what: file, done: 'read' }) ?? cause;
  }
}
