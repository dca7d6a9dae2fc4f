/** Storing one environment value: where it comes from, whether it can be a secret, and that the plane has it. */
import { createHash } from 'node:crypto';
import type { SetEnvironmentValueAnswer } from '../contract/environment-api.ts';
import {
  clientPrefixOf,
  type EnvironmentScope,
  environmentLimits,
  environmentNameProblem,
  environmentScopes,
  environmentValueProblem,
  shortestSecretBytes,
  utf8Bytes,
} from '../contract/environment-values.ts';
import { SphereError } from '../contract/errors.ts';
import type { Api } from './api.ts';
import type { Context } from './command.ts';

/** How long the first byte of a value may take: a program may have to fetch it. */
export const valuePatienceMs = 60_000;

/** `live`, `previews` or `live,previews`. Throws `USAGE`. */
export function readScopes(text: string): EnvironmentScope[] {
  const parts = text.split(',').map((part) => part.trim());
  const scopes = environmentScopes.filter((scope) => parts.includes(scope));
  if (scopes.length === parts.length) return scopes;
  throw new SphereError('USAGE', `--scope takes live, previews or live,previews, not "${text}".`);
}

/** Reads `--scope` where only one can be meant. Throws `USAGE`. */
export function readScope(text: string): EnvironmentScope {
  const [scope, more] = readScopes(text);
  if (scope !== undefined && more === undefined) return scope;
  throw new SphereError('USAGE', 'Here, --scope takes live or previews, one of them.');
}

/** The one name of `sphere env add`. Throws `USAGE` where a value stands beside it, which is not repeated. */
export function readName([name, ...more]: readonly string[]): string {
  if (name === undefined) {
    throw new SphereError('INPUT_NEEDED', 'No value is named.', {
      hint: 'Name it: printf %s "$VALUE" | sphere env add NAME',
    });
  }
  const before = name.split('=')[0] ?? '';
  if (name.includes('=') || more.length > 0) {
    const known = environmentNameProblem(before) === null ? before : 'NAME';
    throw new SphereError(
      'USAGE',
      'The value must not stand in the command line: lists of processes and the history of the shell show it.',
      {
        hint: `Type \`sphere env add ${known}\` and the value when it asks for it, or pipe it: sphere env add ${known} < FILE`,
      },
    );
  }
  const problem = environmentNameProblem(name);
  if (problem === null) return name;
  throw new SphereError('USAGE', `"${name.slice(0, 200)}" ${problem}.`);
}

/**
 * Whether the values of `names` may be stored as plain ones although that was not asked for: what begins with `VITE_` and
 * the like ends in the pages. Throws `INPUT_NEEDED` where nobody can answer, `USAGE` after a no.
 */
export async function confirmPublic(
  { prompts, yes, output }: Context,
  names: readonly string[],
): Promise<void> {
  const [first] = names;
  if (first === undefined) return;
  const all = names.join(', ');
  output.warn(
    `Frameworks put what begins with ${clientPrefixOf(first)} into the pages: everybody will be able to read ${all}.`,
  );
  const instead = 'Where it is a secret, give it a name without that prefix and use it in the build alone.';
  if (yes) return;
  if (!prompts) {
    throw new SphereError(
      'INPUT_NEEDED',
      `${all} cannot be kept as a secret, and nobody is here to confirm that.`,
      {
        hint: `--plain says that everybody may read it. ${instead}`,
      },
    );
  }
  if (await prompts.confirm(`Store ${all} as plain, for everybody to read?`, false)) return;
  throw new SphereError('USAGE', 'Nothing was stored.', { hint: instead });
}

/**
 * The value of `name`: typed without being shown, or all of stdin less one line break at its end. Throws `INPUT_NEEDED`
 * for no value, and for an empty one that is not allowed; `USAGE` for one that cannot be.
 */
export async function readValue(
  { prompts, output, piped: readPiped }: Context,
  name: string,
  allowEmpty: boolean,
): Promise<string> {
  const typed = prompts ? await prompts.secret(`Value of ${name}`) : null;
  const piped = prompts
    ? null
    : await readPiped({ most: environmentLimits.valueBytes + 2, patienceMs: valuePatienceMs });
  if (typed === null && piped === null) {
    throw new SphereError('INPUT_NEEDED', `The value of ${name} is not there.`, {
      hint: `Pipe it: printf %s "$VALUE" | sphere env add ${name}`,
    });
  }
  const value = typed ?? (piped ?? '').replace(/\r?\n$/, '');
  if (value === '' && !allowEmpty) {
    throw new SphereError('INPUT_NEEDED', `The value of ${name} is empty, and was not stored.`, {
      hint: 'Check what was piped in. --allow-empty stores an empty value.',
    });
  }
  const problem = environmentValueProblem(value);
  if (problem !== null) throw new SphereError('USAGE', `The value of ${name} ${problem}.`);
  if (piped !== null && value !== piped) output.note('The line break at the end was left out.');
  return value;
}

/** Stores a value and compares what the plane has read back. Throws `DIGEST_MISMATCH`. */
export async function storeValue(
  { output }: Context,
  api: Api,
  slug: string,
  entry: { name: string; value: string; sensitive: boolean; scopes: EnvironmentScope[] },
): Promise<SetEnvironmentValueAnswer> {
  const { name, value, sensitive, scopes } = entry;
  const answer = await api.setEnvironmentValue(slug, name, { value, sensitive, scopes });
  if (answer.sha256 !== createHash('sha256').update(value).digest('hex')) {
    throw new SphereError('DIGEST_MISMATCH', `The plane has stored another value of ${name} than was sent.`, {
      hint: 'Store it again. Text that is not valid Unicode cannot be kept.',
    });
  }
  if (sensitive && utf8Bytes(value) < shortestSecretBytes) {
    output.warn(
      `${name} has fewer than ${shortestSecretBytes} bytes: too few to be hidden in logs and looked for in the output.`,
    );
  }
  return answer;
}
