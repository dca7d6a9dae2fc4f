/** Reads typed values out of an environment, and collects what is wrong with them, a line each. */
import { closest, distance } from 'fastest-levenshtein';

/** How one variable is read. */
export type Reading<T> = {
  /** The value that `text` stands for; undefined when it stands for none. */
  parse(text: string): T | undefined;
  /** What to set it to, with an example: the end of "set it to …". */
  wants: string;
  /** For a variable that may be unset. */
  otherwise?: T;
  /** How a wrong value is shown. Default: in quotes. */
  show?(text: string): string;
};

export type EnvironmentValues = {
  /** The text of a variable; undefined when it is unset or blank. */
  text(name: string): string | undefined;
  /** A value; after a problem, undefined under a wrong type, which nobody sees because the caller throws in the end. */
  read<T>(name: string, reading: Reading<T>): T;
  whole(name: string, otherwise: number, least: number, most: number): number;
  choice<T extends string>(name: string, values: readonly T[], otherwise?: T): T;
  /** A comma-separated list, each part of which `fits`. */
  list(name: string, reading: ListReading): string[];
  /** Notes that `name` is wrong in a way of its own. */
  problem(line: string): void;
  readonly problems: readonly string[];
};

export type ListReading = {
  fits(part: string): boolean;
  /** The most parts that there may be. */
  most: number;
  wants: string;
  otherwise?: string[];
};

/** What a problem shows of an ordinary value. */
export const quoted = (text: string) => `"${text.length > 200 ? `${text.slice(0, 200)}…` : text}"`;

/** What a problem shows of a secret. */
export const hidden = (text: string) => `a text of ${text.length} characters (not shown)`;

/**
 * What a problem shows of an address that may hold a password. A password that was not escaped can hold any character:
 * all between the scheme and the last `@` goes, and what a query calls a password.
 */
export function withoutPassword(text: string): string {
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  if (scheme === undefined) return hidden(text);
  const rest = text.slice(scheme.length);
  const host = rest.slice(rest.lastIndexOf('@') + 1).replace(/(pass\w*)=[^&]*/gi, '$1=***');
  return quoted(`${scheme}${rest.includes('@') ? '***@' : ''}${host}`);
}

/** What a problem shows of an address that should hold no password, in case that it does. */
export const address = (text: string) => (text.includes('@') ? withoutPassword(text) : quoted(text));

/** `a, b or c` */
export function either(values: readonly string[]): string {
  const last = values.at(-1) ?? '';
  return values.length < 2 ? last : `${values.slice(0, -1).join(', ')} or ${last}`;
}

/** Which of `words` somebody may have meant with `word`, or null. */
export function nearest(word: string, words: readonly string[]): string | null {
  const near = closest(word, [...words]);
  const away = distance(word, near);
  return away < word.length && away <= Math.max(2, Math.floor(word.length / 4)) ? near : null;
}

/** Reads `environment`. */
export function createEnvironmentValues(environment: NodeJS.ProcessEnv): EnvironmentValues {
  const problems: string[] = [];
  const text = (name: string) => environment[name]?.trim() || undefined;

  function read<T>(name: string, { parse, wants, otherwise, show = quoted }: Reading<T>): T {
    const given = text(name);
    if (given === undefined && otherwise !== undefined) return otherwise;
    const value = given === undefined ? undefined : parse(given);
    if (value === undefined) {
      problems.push(`${name} is ${given === undefined ? 'not set' : show(given)}; set it to ${wants}`);
    }
    return value as T;
  }

  return {
    text,
    read,
    problems,
    problem: (line) => void problems.push(line),
    whole: (name, otherwise, least, most) =>
      read(name, {
        parse: (given) => {
          const value = Number(given);
          return /^\d+$/.test(given) && value >= least && value <= most ? value : undefined;
        },
        wants: `a whole number from ${least} to ${most}, such as ${otherwise}`,
        otherwise,
      }),
    choice<T extends string>(name: string, values: readonly T[], otherwise?: T) {
      const meant = nearest(text(name) ?? '', values);
      const example = meant === null ? '' : ` (did you mean ${name}=${meant}?)`;
      return read<T>(name, {
        parse: (given) => values.find((value) => value === given),
        wants: `${either(values)}${example}`,
        ...(otherwise === undefined ? {} : { otherwise }),
      });
    },
    list(name, { fits, most, wants, otherwise }) {
      const split = (given: string) => given.split(',').map((part) => part.trim());
      return read<string[]>(name, {
        parse: (given) => {
          const parts = split(given);
          return parts.length <= most && parts.every(fits) ? [...new Set(parts)] : undefined;
        },
        wants,
        ...(otherwise === undefined ? {} : { otherwise }),
        show: (given) => {
          const wrong = split(given).filter((part) => !fits(part));
          if (wrong.length === 0) return `a list of ${split(given).length}`;
          return `${quoted(given)}, where ${wrong.map(quoted).join(' and ')} cannot be`;
        },
      });
    },
  };
}
