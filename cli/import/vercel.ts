/** `vercel.json` */
import { type ParseError, parse as parseJson } from 'jsonc-parser';
import { SphereError } from '../../contract/errors.ts';
import { syntaxProblems } from '../../files/configuration-file.ts';
import { slugify } from '../slug.ts';
import { type Collector, isRedirectStatus } from './findings.ts';

type Table = Record<string, unknown>;

/** Takes the text of a `vercel.json`. Throws CONFIGURATION_INVALID when it is no JSON. */
export function importVercel(text: string, file: string, into: Collector) {
  for (const [key, value] of Object.entries(read(text, file))) {
    const from = `${file} ${key}`;
    const readRule = { redirects: importRedirect, headers: importHeaders, rewrites: importRewrite }[key];
    if (readRule === undefined) importSetting(from, key, value, into);
    else for (const [index, rule] of listOf(value).entries()) readRule(`${from}[${index}]`, rule, into);
  }
}

const tableOf = (value: unknown): Table =>
  typeof value === 'object' && value !== null ? (value as Table) : {};
const listOf = (value: unknown) => (Array.isArray(value) ? value.map(tableOf) : []);

const whyNot: Record<string, string> = {
  framework: 'Sphere detects it; "framework" in sphere.json is for where that is wrong',
  devCommand: 'it is for the development server',
  routes: 'it is the old form: redirects, rewrites and headers say the same, and can be imported',
  functions: 'functions need a server: sites are files',
  crons: 'there is nothing to run at a time: sites are files',
  images: 'images are not changed on their way: the build has to',
  regions: 'regions here are of the store of the site: choose one with --region',
  env: 'it is for functions, which need a server: sites are files',
  builds: 'builders of Vercel are not run here',
  github: 'nothing here is deployed by a push alone: see docs/ci.md',
  git: 'nothing here is deployed by a push alone: see docs/ci.md',
};

function importSetting(from: string, key: string, value: unknown, into: Collector) {
  if (key === '$schema' || key === 'version') return;
  const isCommand = typeof value === 'string' || value === null;
  if (key === 'build') importBuild(from, value, into);
  else if (key === 'buildCommand' && isCommand) into.take(from, key, value);
  else if (key === 'installCommand' && isCommand) into.take(from, key, value);
  else if (key === 'ignoreCommand' && /\$\{?VERCEL_/.test(String(value)))
    into.leave(
      from,
      'it uses variables of Vercel; builds have CI, SPHERE_BRANCH, SPHERE_COMMIT and SPHERE_TARGET',
    );
  else if (key === 'ignoreCommand' && typeof value === 'string')
    into.take(from, key, value, 'exit code 0 ignores, here as there');
  else if (key === 'outputDirectory' && typeof value === 'string')
    into.take(from, key, value.replace(/^\.\//, ''));
  else if (key === 'cleanUrls' && typeof value === 'boolean') into.take(from, key, value);
  else if (key === 'trailingSlash' && typeof value === 'boolean') into.take(from, key, value);
  else if (key === 'framework' && value === null) into.take(from, key, 'none');
  else if (key === 'name' && typeof value === 'string' && slugify(value))
    into.take(from, 'slug', slugify(value) as string);
  else into.leave(from, whyNot[key] ?? 'nothing in sphere.json is like it');
}

/** `{ env: { NAME: 'value' } }`, where a value such as `@name` is that of a secret kept at Vercel. */
function importBuild(from: string, value: unknown, into: Collector) {
  const { env, ...more } = tableOf(value);
  for (const [name, text] of Object.entries(tableOf(env))) {
    const isSecret = typeof text === 'string' && text.startsWith('@');
    if (isSecret) into.leave(`${from}.env.${name}`, `it is a secret kept there: \`sphere env add ${name}\``);
    else into.environment(`${from}.env.${name}`, name, text);
  }
  for (const key of Object.keys(more)) into.leave(`${from}.${key}`, 'nothing in sphere.json is like it');
}

function importRedirect(from: string, rule: Table, into: Collector) {
  const { source, destination, permanent, statusCode } = rule;
  const paths = conditional(rule) ? null : convert(String(source), String(destination));
  if (paths === null) return into.leave(from, `${source} -> ${destination}: ${whyNoRule(rule)}`);
  const what = `${source} -> ${destination}`;
  if (typeof statusCode === 'number') {
    if (!isRedirectStatus(statusCode))
      return into.leave(from, `${what}: a redirect has 301, 302, 303, 307 or 308`);
    return into.redirect(from, { ...paths, statusCode }, what);
  }
  // Without a word it is permanent there, and temporary here.
  into.redirect(from, { ...paths, permanent: permanent !== false }, what);
}

function importHeaders(from: string, rule: Table, into: Collector) {
  const paths = conditional(rule) ? null : convert(String(rule.source), '');
  if (paths === null) return into.leave(from, `${rule.source}: ${whyNoRule(rule)}`);
  into.headers(
    from,
    paths.source,
    Object.fromEntries(listOf(rule.headers).map(({ key, value }) => [String(key), String(value)])),
  );
}

/** Everything to the page at the top, whatever is left out of it: a single-page application. */
function importRewrite(from: string, rule: Table, into: Collector) {
  const what = `${rule.source} -> ${rule.destination}`;
  const isAll = /^\/(?:\(\.\*\)|:\w+\*|\(\?!.*|\(\(\?!.*\)\.\*\)|\[\^.\]\+)$/.test(String(rule.source));
  if (isAll && !conditional(rule) && /^\/(?:index(?:\.html)?)?$/.test(String(rule.destination))) {
    return into.take(from, 'spa', true, what);
  }
  into.leave(from, `${what} serves another path or host under this one: sites of files cannot`);
}

const conditional = (rule: Table) => rule.has !== undefined || rule.missing !== undefined;
const whyNoRule = (rule: Table) =>
  conditional(rule)
    ? 'it depends on more than the path ("has", "missing")'
    : 'the pattern is a regular expression; patterns here are /old, /blog/:slug and /docs/*';

/** `/docs/:path*` and `/docs/(.*)` are `/docs/*`, and what they have matched is `:splat`. Null for other expressions. */
function convert(source: string, destination: string): { source: string; destination: string } | null {
  const rest = /(?<=\/)(?::(\w+)(?:\*|\(\.\*\))|\(\.\*\))$/.exec(source);
  const name = rest?.[1];
  const plain = rest === null ? source : `${source.slice(0, rest.index)}*`;
  if (/[()?+{}[\]\\]|:\w+\*|\*./.test(plain) || (rest === null && plain.includes('*'))) return null;
  const sign = name === undefined ? /\$1/g : new RegExp(`:${name}\\*?(?!\\w)`, 'g');
  return { source: plain, destination: rest === null ? destination : destination.replace(sign, ':splat') };
}

function read(text: string, file: string): Table {
  const problems: ParseError[] = [];
  const source = text.replace(/^\uFEFF/, '');
  const value: unknown = parseJson(source, problems, { allowTrailingComma: true });
  const [problem] = syntaxProblems(problems, source);
  if (!problem && typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Table;
  const what = problem
    ? `${file}:${problem.line}:${problem.column} ${problem.message}.`
    : `${file} is not a JSON object.`;
  throw new SphereError('CONFIGURATION_INVALID', what, {
    hint: `Correct ${file}, or move it away.`,
  });
}
