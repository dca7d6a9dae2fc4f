/** Files in the format of `.env`: reading, and merging values into one without touching what else it holds. Pure. */
import { parse } from 'dotenv';

/** The values of a file; of a name that stands there twice, the last. */
export function parseEnvironmentFile(text: string): Map<string, string> {
  return new Map(Object.entries(parse(text.replace(/^\uFEFF/, ''))));
}

/** A line as dotenv has it (its LINE): name and value. Whatever else is in a file it passes over. */
const read =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\n]+)?[^\S\n]*(?:#.*)?$/gm;

/**
 * The lines that nobody can have meant as they are read: those that are passed over, and values whose quote is not
 * closed. One sentence each, by number (from 1) and without what stands there: it may be a secret.
 */
export function environmentFileProblems(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const problems: [line: number, text: string][] = [];
  const lineAt = (offset: number) => lines.slice(0, offset).split('\n').length;
  const rest = lines.replace(
    read,
    (whole: string, name: string, value: string | undefined, offset: number) => {
      const [, quote] = /^\s*(["'`])/.exec(value ?? '') ?? [];
      if (quote !== undefined && value?.split(quote).length === 2) {
        const at = offset + whole.indexOf(name);
        problems.push([lineAt(at), `the quote before the value of ${name.slice(0, 200)} is not closed`]);
      }
      return whole.replace(/[^\n]/g, '');
    },
  );
  for (const [index, line] of rest.split('\n').entries()) {
    if (/^\s*[^\s#]/.test(line)) problems.push([index + 1, 'is not NAME=VALUE']);
  }
  return problems.sort(([a], [b]) => a - b).map(([line, what]) => `line ${line}: ${what}`);
}

/**
 * How `value` is written so that every reader of the format finds the same again; null when the format has no way to: a
 * quote cannot stand in quotes of its own kind, nor a backslash before the last one, and only `\n` is an escape, in
 * double quotes.
 */
export function writtenValue(value: string): string | null {
  if (/^[A-Za-z0-9_./:@%+,~^=-]*$/.test(value)) return value;
  if (value.includes('\r')) return null;
  const closes = !value.endsWith('\\');
  if (!value.includes("'") && closes) return `'${value}'`;
  if (!/["\\]/.test(value)) return `"${value.replaceAll('\n', '\\n')}"`;
  return !value.includes('`') && closes ? `\`${value}\`` : null;
}

export type Merged = {
  text: string;
  /** Names whose value in the file was another, and names that were not there. */
  changed: string[];
  added: string[];
  /** Names whose value the format cannot hold. */
  unwritable: string[];
};

/** The assignments of the format, as its readers find them: name and value. */
const assignment =
  /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*|:[ \t]+)('(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`|[^#\r\n]*)/dgm;

/**
 * `text` with `values`: what is there is changed in place, the rest is added at the end. Of `secrets`, which have no
 * value here, a comment says that they are some.
 */
export function mergeIntoFile(
  text: string,
  values: ReadonlyMap<string, string>,
  secrets: readonly string[],
): Merged {
  const merged: Merged = { text, changed: [], added: [], unwritable: [] };
  const before = parseEnvironmentFile(text);
  const appended: string[] = [];
  for (const [name, value] of values) {
    if (before.get(name) === value) continue;
    const written = writtenValue(value);
    if (written === null) merged.unwritable.push(name);
    else if (before.has(name)) {
      merged.text = replaced(merged.text, name, written);
      merged.changed.push(name);
    } else {
      appended.push(`${name}=${written}`);
      merged.added.push(name);
    }
  }
  for (const name of secrets) {
    const line = `# ${name} is a secret`;
    if (!before.has(name) && !text.split(/\r?\n/).includes(line)) appended.push(line);
  }
  if (appended.length === 0) return merged;
  const between = merged.text === '' || merged.text.endsWith('\n') ? '' : '\n';
  const added = `${appended.join('\n')}\n`;
  const atEnd = `${merged.text}${between}${added}`;
  // What stands open at the end of the file, such as a quote or `NAME:`, would take what follows for its own.
  const expected = new Map(parseEnvironmentFile(merged.text));
  for (const name of merged.added) expected.set(name, values.get(name) as string);
  return { ...merged, text: holds(atEnd, expected) ? atEnd : `${added}${merged.text}` };
}

function holds(text: string, expected: ReadonlyMap<string, string>): boolean {
  const found = parseEnvironmentFile(text);
  return found.size === expected.size && [...expected].every(([name, value]) => found.get(name) === value);
}

/** The last assignment counts. */
function replaced(text: string, name: string, written: string): string {
  const last = [...text.matchAll(assignment)].findLast((match) => match[1] === name);
  const [start, end] = last?.indices?.[2] ?? [text.length, text.length];
  // A comment that follows stays, and stays apart.
  const value = text.slice(start, end);
  return `${text.slice(0, start)}${written}${value.slice(value.trimEnd().length)}${text.slice(end)}`;
}
