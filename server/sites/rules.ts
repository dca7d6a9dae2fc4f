/** Compiles a site's serving settings into what answers per request: redirects, headers, and how pages are named. */
import type { Redirect, Serving } from '../../contract/configuration.ts';
import { matchPattern, parsePattern } from './patterns.ts';

export type RedirectTo = { status: number; location: string };

export type SiteRules = {
  cleanUrls: boolean | undefined;
  trailingSlash: boolean | undefined;
  spa: boolean;
  notFound: string;
  /** Where `path` (decoded) is sent, with the request's `search` (`''` or `?…`) carried over; the first rule that matches. */
  redirect(path: string, search: string): RedirectTo | null;
  /** The headers of every rule that matches `path`, names in lower case; of two with one name the later holds. */
  headersFor(path: string): Record<string, string>;
};

/** Headers that belong to how a response is framed and compared: a rule cannot set them. */
const framing = new Set([
  'accept-ranges',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'date',
  'etag',
  'keep-alive',
  'location',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Compiles `serving`. Patterns are no regular expressions: each is matched in linear time per `*`. */
export function compileRules(serving: Serving): SiteRules {
  const redirects = (serving.redirects ?? []).map((rule) => ({
    pattern: parsePattern(rule.source),
    destination: rule.destination,
    status: statusOf(rule),
  }));
  const headers = (serving.headers ?? []).map((rule) => ({
    pattern: parsePattern(rule.source),
    headers: Object.entries(rule.headers)
      .map(([name, value]) => [name.toLowerCase(), headerValue(value)] as const)
      .filter(([name]) => !framing.has(name)),
  }));
  return {
    cleanUrls: serving.cleanUrls,
    trailingSlash: serving.trailingSlash,
    spa: serving.spa ?? false,
    notFound: serving.notFound ?? '404.html',
    redirect(path, search) {
      for (const { pattern, destination, status } of redirects) {
        const names = matchPattern(pattern, path);
        if (names === null) continue;
        const target = fillIn(destination, names);
        // A rule such as `/about` -> `/about/` also matches its own destination.
        if (leadsTo(target, path)) continue;
        return { status, location: withSearch(target, search) };
      }
      return null;
    },
    headersFor(path) {
      const matching = headers.filter(({ pattern }) => matchPattern(pattern, path) !== null);
      return Object.fromEntries(matching.flatMap((rule) => rule.headers));
    },
  };
}

function statusOf(rule: Redirect): number {
  return rule.statusCode ?? (rule.permanent ? 308 : 307);
}

/** A path as it stands in a `Location`: only its own `/` are left as they are. */
export function escapePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** `/about` with `?a=1`. */
export function withSearch(location: string, search: string): string {
  if (search === '' || search === '?') return location;
  const [base, ...fragment] = location.split('#');
  const joined = (base as string).includes('?') ? `${base}&${search.slice(1)}` : `${base}${search}`;
  return [joined, ...fragment].join('#');
}

function fillIn(destination: string, names: ReadonlyMap<string, string>): string {
  const filled = destination
    .replace(/:([A-Za-z_]\w*)/g, (whole, name: string) => {
      const value = names.get(name);
      return value === undefined ? whole : escapePath(value);
    })
    .replace(/[^\x21-\x7e]+/g, percentEncode);
  // `//host` and `/\host` would lead to another host, and what stands there came with the request.
  return filled.startsWith('/') ? `/${stripLeading(filled)}` : filled;
}

function leadsTo(location: string, path: string): boolean {
  try {
    return decodeURIComponent(location) === path;
  } catch {
    return false;
  }
}

function stripLeading(path: string): string {
  let start = 0;
  while (path[start] === '/' || path[start] === '\\') start += 1;
  return path.slice(start);
}

function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
}

/** What Node accepts as a value: UTF-8 as bytes, no control characters. */
function headerValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
  return Buffer.from(value.replace(/[\u0000-\u001f\u007f]/g, ' ')).toString('latin1');
}
