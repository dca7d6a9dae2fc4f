/**
 * Reads settings out of a JavaScript or TypeScript configuration file without running it: only what is written down
 * literally counts, everything else is `computed` and leaves the question to the build.
 */
import jsTokens from 'js-tokens';
import { joinPath, type SourceFiles } from './source-files.ts';

/** What a property is set to. `text` includes paths joined from literals, as `path.resolve(__dirname, 'out')`. */
export type ConfigValue =
  | { kind: 'text'; text: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'object' }
  | { kind: 'computed' };

export type ConfigText = {
  path: string;
  /** Every value that the property at `path`, such as `build.outDir`, is given anywhere in the file. */
  values(path: string): ConfigValue[];
  /** The one literal text that the property is given, or null. */
  text(path: string): string | null;
  has(path: string): boolean;
  /** The modules that it imports. */
  imports: string[];
  /** Part of it may come from another file of the source. */
  usesOtherFiles: boolean;
};

const extensions = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts'];

/** The first of `names` (with or without an extension) that is in the directory, or null. */
export async function readConfig(
  files: SourceFiles,
  directory: string,
  ...names: string[]
): Promise<ConfigText | null> {
  for (const name of names) {
    for (const file of /\.[cm]?[jt]s$/.test(name) ? [name] : extensions.map((end) => name + end)) {
      const path = joinPath(directory, file);
      const text = await files.read(path);
      if (text !== null) return parseConfig(path, text);
    }
  }
  return null;
}

/** The settings in `text`, a configuration file's content. */
export function parseConfig(path: string, text: string): ConfigText {
  const tokens = tokensOf(text);
  const properties = propertiesOf(tokens);
  const { imports, usesOtherFiles } = importsOf(tokens);
  const values = (name: string) => properties.get(name) ?? [];
  return {
    path,
    values,
    text(name) {
      const found = values(name);
      const [first] = found;
      return found.length === 1 && first?.kind === 'text' ? first.text : null;
    },
    has: (name) => properties.has(name),
    imports,
    usesOtherFiles,
  };
}

const ignored = new Set(['WhiteSpace', 'LineTerminatorSequence', 'MultiLineComment', 'SingleLineComment']);

type Token = { type: string; value: string };

function tokensOf(text: string): Token[] {
  return [...jsTokens(text)].filter((token) => !ignored.has(token.type));
}

const isText = (token: Token | undefined) =>
  token?.type === 'StringLiteral' || token?.type === 'NoSubstitutionTemplate';

/** An open bracket: the property whose value it is, the one that is read in it, and whether it counts at all. */
type Frame = { name: string; pending: string; maybe: boolean };

/** `...(isProduction && { base: '/x/' })` sets something only sometimes, as does either side of a `?`. */
function followsCondition(tokens: readonly Token[], index: number): boolean {
  const before = tokens[index - 1]?.value ?? '';
  if (['&&', '||', '??', '?'].includes(before)) return true;
  return before === ':' && [')', '}'].includes(tokens[index - 2]?.value ?? '');
}

/**
 * Follows brackets to know what each property is inside of. Brackets that belong to no property (a call's, a
 * function's) leave no trace in the path, so that `defineConfig(() => ({ build: { outDir: 'x' } }))` has `build.outDir`.
 */
function propertiesOf(tokens: Token[]): Map<string, ConfigValue[]> {
  const properties = new Map<string, ConfigValue[]>();
  const stack: Frame[] = [{ name: '', pending: '', maybe: false }];
  const add = (key: string, literal: ConfigValue) => {
    const path = [...stack.map((frame) => frame.name), key].filter((part) => part !== '').join('.');
    const value = stack.at(-1)?.maybe ? ({ kind: 'computed' } as const) : literal;
    properties.set(path, [...(properties.get(path) ?? []), value]);
  };
  tokens.forEach((token, index) => {
    const top = stack.at(-1) as Frame;
    const before = tokens[index - 1]?.value ?? '';
    const after = tokens[index + 1]?.value ?? '';
    if ('([{'.includes(token.value)) {
      const maybe = top.maybe || followsCondition(tokens, index);
      stack.push({ name: top.pending, pending: '', maybe });
    } else if (')]}'.includes(token.value) && stack.length > 1) stack.pop();
    else if (token.value === ',' || token.value === ';') top.pending = '';
    else if (token.type === 'IdentifierName' || isText(token)) {
      const key = isText(token) ? token.value.slice(1, -1) : token.value;
      const opens = before === '{' || before === ',';
      if (opens && after === ':') {
        top.pending = key;
        add(key, valueAt(tokens, index + 2));
      } else if (opens && (after === ',' || after === '}')) {
        // `{ output }`: the value is a variable's. Elements of a list look alike and do no harm.
        add(key, { kind: 'computed' });
      } else if (after === '=' && !isText(token)) {
        add(key, valueAt(tokens, index + 2));
      }
    }
  });
  return properties;
}

const joinedPath =
  /^(?:path\.)?(?:resolve|join)\((?:(?:__dirname|import\.meta\.dirname|process\.cwd\(\)),)?((?:(?:'[^']*'|"[^"]*"),?)+)\)$/;
const urlPath = /^fileURLToPath\(newURL\((?:'([^']*)'|"([^"]*)"),import\.meta\.url\)\)$/;

function valueAt(tokens: Token[], start: number): ConfigValue {
  const [first, next] = [tokens[start], tokens[start + 1]];
  // What follows a whole literal: the end of the property, or a type.
  const ends = next === undefined || /^[,;)}\]]$/.test(next.value) || next.type === 'IdentifierName';
  if (isText(first) && ends) return { kind: 'text', text: (first as Token).value.slice(1, -1) };
  if (first !== undefined && ends && /^(?:true|false)$/.test(first.value)) {
    return { kind: 'boolean', value: first.value === 'true' };
  }
  if (first?.value === '{') return { kind: 'object' };
  const expression = expressionAt(tokens, start);
  const joined = joinedPath.exec(expression)?.[1];
  if (joined !== undefined) {
    const parts = [...joined.matchAll(/'([^']*)'|"([^"]*)"/g)].map((match) => match[1] ?? match[2] ?? '');
    return { kind: 'text', text: joinPath(...parts) };
  }
  const url = urlPath.exec(expression);
  return url === null ? { kind: 'computed' } : { kind: 'text', text: url[1] ?? url[2] ?? '' };
}

function expressionAt(tokens: Token[], start: number): string {
  let depth = 0;
  let expression = '';
  for (const token of tokens.slice(start, start + 40)) {
    if ('([{'.includes(token.value)) depth += 1;
    if (')]}'.includes(token.value)) depth -= 1;
    if (depth < 0 || (depth === 0 && (token.value === ',' || token.value === ';'))) break;
    expression += token.value;
  }
  return expression;
}

function importsOf(tokens: Token[]): { imports: string[]; usesOtherFiles: boolean } {
  const imports: string[] = [];
  let usesOtherFiles = false;
  tokens.forEach((token, index) => {
    const [before, beforeThat] = [tokens[index - 1]?.value, tokens[index - 2]?.value];
    const called = before === '(' && (beforeThat === 'require' || beforeThat === 'import');
    if (!isText(token) || !(before === 'from' || before === 'import' || called)) return;
    const module = token.value.slice(1, -1);
    imports.push(module);
    // `import './env.mjs'` runs something and brings no setting.
    if (/^(?:\.|~|@\/|#)/.test(module) && before !== 'import') usesOtherFiles = true;
  });
  return { imports, usesOtherFiles };
}
