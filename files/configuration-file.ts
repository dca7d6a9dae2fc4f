/** Reads the text of a `sphere.json`: JSON with comments, every problem at once, each with its path and line. */
import { closest, distance } from 'fastest-levenshtein';
import {
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from 'jsonc-parser';
import type { z } from 'zod';
import { type Configuration, configurationSchema } from '../contract/configuration.ts';
import { SphereError } from '../contract/errors.ts';

/** One thing that is wrong with a configuration file. Line and column count from 1. */
export type ConfigurationProblem = { path: string; line: number; column: number; message: string };

export type ParsedConfiguration =
  | { ok: true; configuration: Configuration }
  | { ok: false; problems: ConfigurationProblem[] };

/**
 * The configuration in `text`, the content of `fileName`.
 * Throws CONFIGURATION_INVALID with one line per problem, as `sphere.json:3:5 outputDirectroy: …`.
 */
export function parseConfiguration(text: string, fileName: string): Configuration {
  const parsed = readConfiguration(text);
  if (parsed.ok) return parsed.configuration;
  const { problems } = parsed;
  const lines = problems.map(
    ({ line, column, path, message }) =>
      `${fileName}:${line}:${column} ${path === '' ? '' : `${path}: `}${message}`,
  );
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  throw new SphereError('CONFIGURATION_INVALID', `${fileName} has ${count}.\n${lines.join('\n')}`, {
    hint: `Correct ${fileName}. Every key is described in its JSON schema; \`sphere init\` writes a valid file.`,
    details: lines,
  });
}

/** As `parseConfiguration`, with the problems as data. */
export function readConfiguration(text: string): ParsedConfiguration {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  if (source.trim() === '') {
    const message = 'is empty; write at least {}';
    return { ok: false, problems: [{ path: '', line: 1, column: 1, message }] };
  }
  const syntax: ParseError[] = [];
  const tree = parseTree(source, syntax, { allowTrailingComma: true });
  const problems = syntaxProblems(syntax, source);
  if (problems.length > 0) return { ok: false, problems };
  if (tree === undefined) throw new Error('JSON without problems and without a value');
  problems.push(...repeatedKeys(tree, source));
  const checked = configurationSchema.safeParse(getNodeValue(tree));
  if (!checked.success)
    problems.push(...checked.error.issues.flatMap((issue) => explain(issue, tree, source)));
  if (checked.success && problems.length === 0) return { ok: true, configuration: checked.data };
  return { ok: false, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
}

/** Where `source` is no JSON, by what its parser says: what follows the first break is mostly an echo of it. */
export function syntaxProblems(found: readonly ParseError[], source: string): ConfigurationProblem[] {
  return found.slice(0, 1).map(({ error, offset }) => ({
    ...position(source, offset),
    path: '',
    message: `is not JSON: ${words(printParseErrorCode(error))}`,
  }));
}

type Issue = z.core.$ZodIssue;

function explain(issue: Issue, tree: Node, source: string): ConfigurationProblem[] {
  const path = issue.path as (string | number)[];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...at(tree, [...path, key], source, true),
      path: pathText([...path, key]),
      message: unknownKey(key, knownKeys(path)),
    }));
  }
  const value = valueAt(tree, path);
  const message = numberProblem(schemaAt(path), value) ?? describe(issue, value);
  return [{ ...at(tree, path, source, false), path: pathText(path), message }];
}

/** What a number must be, where the schema wants one: every number of ours is whole, and between two bounds. */
function numberProblem(schema: unknown, value: unknown): string | null {
  const [least, most] = [field(schema, 'minValue'), field(schema, 'maxValue')];
  if (typeof least !== 'number' || typeof most !== 'number' || value === undefined) return null;
  return `must be a whole number from ${least} to ${most}, not ${shortened(value)}`;
}

/** The problem in words, with the value that was seen. */
function describe(issue: Issue, value: unknown): string {
  const seen = value === undefined ? '' : `, not ${shortened(value)}`;
  if (issue.code === 'invalid_type') {
    return value === undefined ? 'is missing' : `must be ${article(issue.expected)}${seen}`;
  }
  if (issue.code === 'invalid_union') {
    // The alternatives of our unions are literals or a type and null: each says in short what it takes.
    const takes = issue.errors.flatMap((errors) => errors.map(expectation)).filter((text) => text !== null);
    return takes.length === 0
      ? `is not allowed${seen}`
      : `must be ${[...new Set(takes)].join(' or ')}${seen}`;
  }
  if (issue.code === 'too_small' && issue.origin === 'string') return 'must not be empty';
  if (issue.code === 'too_big') {
    return issue.origin === 'string'
      ? `must not be longer than ${issue.maximum} characters`
      : `holds more than ${issue.maximum} entries`;
  }
  if (issue.code === 'invalid_value')
    return `must be ${issue.values.map((v) => JSON.stringify(v)).join(' or ')}${seen}`;
  // The key itself is wrong, not what it holds.
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => inner.message).join(', ');
  const message = issue.message.replace(/^Invalid input: ?/, '');
  return seen === '' || message.includes(', not ') ? message : `${message} (it is ${shortened(value)})`;
}

function expectation(issue: Issue): string | null {
  if (issue.code === 'invalid_type') return article(issue.expected);
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value)).join(' or ');
  if (issue.code === 'too_small') return 'a string that is not empty';
  return null;
}

function article(type: string): string {
  if (type === 'null') return 'null';
  if (type === 'boolean') return 'true or false';
  if (type === 'record') return 'an object';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

function unknownKey(key: string, known: string[]): string {
  const nearest = nearestKey(key, known);
  return nearest === undefined
    ? `is not a known key; known are ${known.join(', ')}`
    : `is not a known key; did you mean "${nearest}"?`;
}

/** So many letters in common at the start make two keys near, as in `outputDir`. */
const nearPrefix = 5;

function nearestKey(key: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const lower = key.toLowerCase();
  const nearest = closest(key, known);
  if (distance(lower, nearest.toLowerCase()) <= Math.max(2, key.length / 3)) return nearest;
  if (key.length < nearPrefix) return undefined;
  const alike = known.filter((name) => name.toLowerCase().startsWith(lower.slice(0, nearPrefix)));
  return alike.length === 0 ? undefined : closest(key, alike);
}

/** The keys of the object at `path` in the schema. */
function knownKeys(path: readonly (string | number)[]): string[] {
  const shape = field(schemaAt(path), 'shape');
  return shape === undefined ? [] : Object.keys(shape as object);
}

/** What the schema says of the value at `path`; undefined: nothing. */
function schemaAt(path: readonly (string | number)[]): unknown {
  let schema: unknown = configurationSchema;
  for (const part of path) {
    schema = unwrap(schema);
    schema =
      typeof part === 'number'
        ? field(schema, 'element')
        : (field(schema, 'shape') as Record<string, unknown>)?.[part];
  }
  return unwrap(schema);
}

/** The schema inside `optional()`. */
function unwrap(schema: unknown): unknown {
  const inner = (schema as { unwrap?: () => unknown } | undefined)?.unwrap;
  return inner !== undefined && field(schema, 'shape') === undefined && field(schema, 'element') === undefined
    ? unwrap(inner.call(schema))
    : schema;
}

function field(schema: unknown, name: string): unknown {
  return (schema as Record<string, unknown> | undefined)?.[name];
}

/** JSON lets a key stand twice and forgets the first: surely a mistake. */
function repeatedKeys(node: Node, source: string): ConfigurationProblem[] {
  const problems: ConfigurationProblem[] = [];
  const visit = (current: Node, path: (string | number)[]) => {
    const seen = new Set<string>();
    for (const [index, child] of (current.children ?? []).entries()) {
      if (current.type === 'array') {
        visit(child, [...path, index]);
        continue;
      }
      const [key, value] = child.children ?? [];
      if (key === undefined || value === undefined) continue;
      const name = String(key.value);
      if (seen.has(name)) {
        problems.push({
          ...position(source, key.offset),
          path: pathText([...path, name]),
          message: 'stands twice',
        });
      }
      seen.add(name);
      visit(value, [...path, name]);
    }
  };
  if (node.type === 'object' || node.type === 'array') visit(node, []);
  return problems;
}

function valueAt(tree: Node, path: (string | number)[]): unknown {
  const node = findNodeAtLocation(tree, path);
  return node === undefined ? undefined : getNodeValue(node);
}

/** Where the value at `path` stands (or its key); where there is none, the nearest thing around it. */
function at(
  tree: Node,
  path: (string | number)[],
  source: string,
  key: boolean,
): { line: number; column: number } {
  for (let length = path.length; length > 0; length--) {
    const node = findNodeAtLocation(tree, path.slice(0, length));
    if (node === undefined) continue;
    const property = node.parent?.type === 'property' ? node.parent : node;
    return position(source, key || length < path.length ? property.offset : node.offset);
  }
  return position(source, tree.offset);
}

function position(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

/** `CloseBraceExpected` as words. */
function words(code: string): string {
  return code.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
}
