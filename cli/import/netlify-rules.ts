/** Redirects and headers as Netlify and Cloudflare Pages write them: `_redirects`, `_headers`, and the same in netlify.toml. */
import type { Redirect } from '../../contract/configuration.ts';
import { type Collector, isRedirectStatus } from './findings.ts';

export type NetlifyRedirect = {
  from: string;
  to: string;
  status: number;
  /** `!`: also where there is a file. */
  force: boolean;
  /** Country, language, role, query: what the rule asks for beside the path. */
  conditions: readonly string[];
};

/** Takes a `_redirects` file: `FROM [QUERY=:VALUE] TO [STATUS[!]] [CONDITION=VALUE]`. */
export function importRedirectsFile(text: string, file: string, into: Collector) {
  for (const [index, line] of text.split('\n').entries()) {
    const words = line
      .replace(/(?:^|\s)#.*$/, '')
      .trim()
      .split(/\s+/);
    if (words[0] === '') continue;
    const from = `${file}:${index + 1}`;
    const at = words.findIndex((word, place) => place > 0 && /^(?:\/|https?:\/\/)/.test(word));
    if (at === -1) {
      into.leave(from, `"${line.trim()}" names no destination`);
      continue;
    }
    const [path, ...query] = words.slice(0, at);
    const [, status = '301', force] = /^(\d{3})(!?)$/.exec(words[at + 1] ?? '') ?? [];
    const conditions = [...query, ...words.slice(at + 1).filter((word) => word.includes('='))];
    importRedirect(
      from,
      {
        from: path as string,
        to: words[at] as string,
        status: Number(status),
        force: force === '!',
        conditions,
      },
      into,
    );
  }
}

/** Takes one rule. A rewrite to the page at the top is a single-page application's; other rewrites need a server. */
export function importRedirect(from: string, rule: NetlifyRedirect, into: Collector) {
  const { to, status, conditions } = rule;
  const path = rule.from.replace(/^https?:\/\/[^/]+(?=\/)/, '');
  const what = `${rule.from} -> ${to} ${status}`;
  if (conditions.length > 0) {
    return into.leave(from, `${what} depends on ${conditions.join(', ')}: a rule asks for the path alone`);
  }
  if (path !== rule.from) return into.leave(from, `${what} is for one host name: a project has one address`);
  if (/[^/]\*|\*./.test(path))
    return into.leave(from, `${what}: "*" stands at the end of a pattern, after "/"`);
  const isAll = path === '/*';
  if (status === 200 && isAll && /^\/(?:index\.html)?$/.test(to)) return into.take(from, 'spa', true, what);
  if (status === 200) {
    return into.leave(from, `${what} serves another path or host under this one: sites of files cannot`);
  }
  if (status === 404 && isAll) return into.take(from, 'notFound', to.replace(/^\/+/, ''), what);
  if (!isRedirectStatus(status)) return into.leave(from, `${what}: a redirect has 301, 302, 303, 307 or 308`);
  into.redirect(from, redirectOf(path, to, status), what);
}

function redirectOf(
  source: string,
  destination: string,
  statusCode: NonNullable<Redirect['statusCode']>,
): Redirect {
  if (statusCode === 308) return { source, destination, permanent: true };
  return statusCode === 307 ? { source, destination } : { source, destination, statusCode };
}

/** Takes a `_headers` file: a path, and below it, indented, `Name: value`. */
export function importHeadersFile(text: string, file: string, into: Collector) {
  let rule: { from: string; path: string; headers: Record<string, string> } | null = null;
  const finish = () => {
    if (rule !== null) importHeaders(rule.from, rule.path, rule.headers, into);
    rule = null;
  };
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const from = `${file}:${index + 1}`;
    if (!/^\s/.test(line)) {
      finish();
      rule = { from, path: line.trim(), headers: {} };
      continue;
    }
    const [, name, value] = /^\s+([^\s:!]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (rule === null || name === undefined || value === undefined) {
      into.leave(from, `"${line.trim()}" is no header`);
      continue;
    }
    const { headers } = rule;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  finish();
}

/** Takes the headers of one path. */
export function importHeaders(from: string, path: string, headers: Record<string, string>, into: Collector) {
  const { 'Basic-Auth': password, ...rest } = headers;
  if (password !== undefined) into.leave(from, 'Basic-Auth protects with a password: sites are public');
  if (!path.startsWith('/'))
    return into.leave(from, `${path} is for one host name: a project has one address`);
  if (Object.keys(rest).length > 0) into.headers(from, path, rest);
}
