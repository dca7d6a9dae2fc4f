/** `netlify.toml` */
import { parse as parseToml, TomlError } from 'smol-toml';
import { SphereError } from '../../contract/errors.ts';
import type { Collector } from './findings.ts';
import { importHeaders, importRedirect } from './netlify-rules.ts';

type Table = Record<string, unknown>;

/** Takes the text of a `netlify.toml`. Throws CONFIGURATION_INVALID when it is no TOML. */
export function importNetlify(text: string, file: string, into: Collector) {
  const settings = read(text, file);
  for (const [key, value] of Object.entries(settings)) {
    const from = `${file} [${key}]`;
    const readRule = { redirects: importRule, headers: importValues }[key];
    if (key === 'build') importBuild(tableOf(value), file, into);
    else if (readRule === undefined) into.leave(from, whyNot[key] ?? 'nothing in sphere.json is like it');
    else for (const [index, rule] of listOf(value).entries()) readRule(`${from} ${index + 1}`, rule, into);
  }
}

const whyNot: Record<string, string> = {
  functions: 'functions need a server: sites are files',
  edge_functions: 'functions need a server: sites are files',
  plugins: 'build plugins are run by Netlify alone; what they do may be a part of the build command',
  context: 'there are no settings for one branch or kind of deployment alone',
  dev: 'it is for the development server',
  images: 'images are not changed on their way: the build has to',
};

function importBuild(build: Table, file: string, into: Collector) {
  for (const [key, value] of Object.entries(build)) {
    const from = `${file} [build] ${key}`;
    if (key === 'environment') importEnvironment(tableOf(value), from, into);
    else if (typeof value !== 'string' || value === '')
      into.leave(from, whyNot[key] ?? 'nothing in sphere.json is like it');
    else if (key === 'command') into.take(from, 'buildCommand', value);
    else if (key === 'publish') into.take(from, 'outputDirectory', inner(value));
    else if (key === 'base') into.take(from, 'rootDirectory', inner(value));
    else if (key === 'ignore' && onlyTheirs.test(value))
      into.leave(
        from,
        'it uses variables of Netlify; `git diff --quiet HEAD^ HEAD .` asks about the last commit',
      );
    else if (key === 'ignore') into.take(from, 'ignoreCommand', value, 'exit code 0 ignores, here as there');
    else into.leave(from, whyNot[key] ?? 'nothing in sphere.json is like it');
  }
}

/** Builds have no such variables, and without them the command says of every build that nothing has changed. */
const onlyTheirs = /\$\{?(?:CACHED_)?COMMIT_REF\b/;

const inner = (path: string) => path.replace(/^\.?\/+/, '').replace(/\/+$/, '') || '.';

function importEnvironment(environment: Table, from: string, into: Collector) {
  for (const [name, value] of Object.entries(environment)) {
    if (name === 'NODE_VERSION') into.take(`${from}.${name}`, 'nodeVersion', String(value).replace(/^v/, ''));
    else into.environment(`${from}.${name}`, name, value);
  }
}

function importRule(from: string, rule: Table, into: Collector) {
  const { from: path, to, status = 301, force } = rule;
  if (typeof path !== 'string' || typeof to !== 'string') return into.leave(from, 'it lacks "from" or "to"');
  const conditions = ['query', 'conditions', 'signed', 'headers'].filter((key) => rule[key] !== undefined);
  importRedirect(from, { from: path, to, status: Number(status), force: force === true, conditions }, into);
}

function importValues(from: string, rule: Table, into: Collector) {
  if (typeof rule.for !== 'string') return into.leave(from, 'it lacks "for"');
  const values = Object.entries(tableOf(rule.values)).map(([name, value]) => [
    name,
    (Array.isArray(value) ? value.join(', ') : String(value)).replace(/\s*[\r\n]+\s*/g, ' ').trim(),
  ]);
  importHeaders(from, rule.for, Object.fromEntries(values), into);
}

function read(text: string, file: string): Table {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [why = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new SphereError(
      'CONFIGURATION_INVALID',
      `${file}:${error.line}:${error.column} is not TOML: ${why}.`,
      {
        hint: `Correct ${file}, or move it away.`,
        details: error.codeblock.trimEnd().split('\n'),
        cause: error,
      },
    );
  }
}

function tableOf(value: unknown): Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Table) : {};
}

function listOf(value: unknown): Table[] {
  return Array.isArray(value) ? value.map(tableOf) : [];
}
