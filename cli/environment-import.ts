/** `sphere env import`: what of a file is to be stored. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  clientPrefixOf,
  environmentLimits,
  environmentNameProblem,
  environmentValueProblem,
} from '../contract/environment-values.ts';
import { SphereError } from '../contract/errors.ts';
import { fileError } from '../files/file-error.ts';
import type { Context } from './command.ts';
import { environmentFileProblems, parseEnvironmentFile } from './environment-file.ts';
import { confirmPublic, valuePatienceMs } from './environment-value.ts';

export type ImportEntry = { name: string; value: string; sensitive: boolean };

/**
 * The values of `file` (`-`: stdin). Nothing of it may be wrong: all problems are named at once. Throws `USAGE`,
 * `INPUT_NEEDED`.
 */
export async function readImport(context: Context, file: string, plain: boolean): Promise<ImportEntry[]> {
  const text = await readText(context, file);
  const values = [...parseEnvironmentFile(text)];
  const unfit = values.flatMap(([name, value]) => {
    const problem = environmentNameProblem(name) ?? environmentValueProblem(value);
    return problem === null ? [] : [`${name.slice(0, 200)} ${problem}`];
  });
  const problems = [...environmentFileProblems(text), ...unfit];
  const empty = values.flatMap(([name, value]) => (value === '' ? [name] : []));
  if (problems.length > 0) {
    throw new SphereError('USAGE', `Nothing of ${file} was stored: not all of it can be.`, {
      details: problems,
      hint: 'Correct these lines or take them out of the file, or give it to `sphere env import -` without them.',
    });
  }
  if (values.length === 0) throw new SphereError('USAGE', `${file} holds no values.`);
  const published = values.map(([name]) => name).filter((name) => clientPrefixOf(name) !== null);
  if (!plain) await confirmPublic(context, published);
  if (empty.length > 0) context.output.note(`Empty, and stored so: ${empty.join(', ')}.`);
  return values.map(([name, value]) => ({
    name,
    value,
    sensitive: !plain && !published.includes(name) && value !== '',
  }));
}

async function readText({ directory, piped }: Context, file: string): Promise<string> {
  const most = environmentLimits.totalBytes * 2;
  if (file === '-') {
    const text = await piped({ most, patienceMs: valuePatienceMs });
    if (text !== null) return text;
    throw new SphereError('INPUT_NEEDED', 'Nothing is piped in.', { hint: 'sphere env import - < FILE' });
  }
  try {
    return await readFile(path.resolve(directory, file), 'utf8');
  } catch (cause) {
    throw fileError(cause, { what: file, done: 'read', hint: 'Name a file in the format of .env.' }) ?? cause;
  }
}
