/** Decides how a request to a site is answered, as plain data. */
import type { ManifestFile } from '../../contract/manifest.ts';
import { askEachTime, cacheControlOf, contentTypeOf } from './file-headers.ts';
import type { LiveSite } from './live-site.ts';
import { readRequestUrl } from './request-path.ts';
import { compileRules, escapePath, type SiteRules, withSearch } from './rules.ts';

/** What of a site decides about answers. */
export type Site = {
  /** The file that is published under a site path. */
  file(path: string): ManifestFile | undefined;
  /** The same for what was live lately. */
  retained(path: string): ManifestFile | undefined;
  rules: SiteRules;
};

/** Header names in lower case. */
export type HeaderSet = Record<string, string>;

export type SiteAnswer =
  | { kind: 'file'; status: 200 | 404; path: string; file: ManifestFile; headers: HeaderSet }
  | { kind: 'redirect'; status: number; location: string; headers: HeaderSet }
  /** No such page, and the site has none of its own that says so. */
  | { kind: 'missing'; path: string; headers: HeaderSet }
  | { kind: 'refused'; status: 400 | 405 };

/** Prepares what is live for `resolveRequest`. */
export function compileSite(live: LiveSite): Site {
  const { files, serving } = live.manifest;
  return {
    file: (path) => (Object.hasOwn(files, path) ? files[path] : undefined),
    retained: (path) => live.retained.get(path),
    rules: compileRules(serving),
  };
}

/** `url` is the request line's; `accept` the header's value, `''` when there is none. */
export function resolveRequest(
  site: Site,
  request: { method: string; url: string; accept: string },
): SiteAnswer {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { kind: 'refused', status: 405 };
  const read = readRequestUrl(request.url);
  if (read === null) return { kind: 'refused', status: 400 };
  const { path, search } = read;
  const own = site.rules.headersFor(path);

  const redirect = site.rules.redirect(path, search);
  if (redirect !== null) return redirectTo(redirect.status, redirect.location, own);

  const found = locate(site, path);
  if (found?.kind === 'page') return fileAnswer(site, found.path, own);
  if (found?.kind === 'moved') return redirectTo(308, withSearch(escapePath(found.path), search), own);

  const key = path.slice(1);
  const retained = site.retained(key);
  if (retained !== undefined) return answerWith(key, retained, own);

  if (site.rules.spa && isNavigation(path, request.accept) && site.file('index.html') !== undefined) {
    return fileAnswer(site, 'index.html', withoutCaching(own));
  }
  return notFound(site, path, own);
}

/** A person's browser opens a page; everything else asks for files. */
function isNavigation(path: string, accept: string): boolean {
  return /\btext\/html\b/i.test(accept) && !path.slice(path.lastIndexOf('/')).includes('.');
}

type Located = { kind: 'page'; path: string } | { kind: 'moved'; path: string };

/** Finds the file for `path`, or the path under which its page is served. */
function locate(site: Site, path: string): Located | null {
  const key = path.slice(1);
  if (key !== '' && !key.endsWith('/') && site.file(key) !== undefined) {
    return cleanAddress(site.rules, key) ?? { kind: 'page', path: key };
  }
  return locatePage(site, key);
}

/** With `cleanUrls`, the address of a page that was asked for by its file's name. */
function cleanAddress(rules: SiteRules, key: string): Located | null {
  if (rules.cleanUrls !== true || !key.endsWith('.html') || key === rules.notFound) return null;
  const slash = rules.trailingSlash === true ? '/' : '';
  const index = /^(.*\/)?index\.html$/.exec(key);
  if (index === null) return { kind: 'moved', path: `/${key.slice(0, -'.html'.length)}${slash}` };
  const directory = index[1] ?? '';
  const bare = rules.trailingSlash === false ? directory.slice(0, -1) : directory;
  return { kind: 'moved', path: `/${bare}` };
}

/** `/docs` and `/docs/` are `docs/index.html` or `docs.html`; one of the two addresses leads to the other. */
function locatePage(site: Site, key: string): Located | null {
  const endsInSlash = key.endsWith('/');
  const bare = endsInSlash ? key.slice(0, -1) : key;
  if (bare === '')
    return site.file('index.html') && !endsInSlash ? { kind: 'page', path: 'index.html' } : null;
  const { cleanUrls, trailingSlash } = site.rules;
  const index = `${bare}/index.html`;
  const html = `${bare}.html`;
  const hasIndex = site.file(index) !== undefined;
  const hasHtml = cleanUrls !== false && site.file(html) !== undefined;
  if (!hasIndex && !hasHtml) return null;
  const slash = trailingSlash ?? (endsInSlash ? hasIndex : !hasHtml);
  if (slash !== endsInSlash) return { kind: 'moved', path: `/${bare}${slash ? '/' : ''}` };
  const preferIndex = hasIndex && (slash || !hasHtml);
  return { kind: 'page', path: preferIndex ? index : html };
}

function fileAnswer(site: Site, path: string, own: HeaderSet): SiteAnswer {
  return answerWith(path, site.file(path) as ManifestFile, own);
}

function answerWith(path: string, file: ManifestFile, own: HeaderSet): SiteAnswer {
  const headers = {
    'content-type': contentTypeOf(path),
    'cache-control': cacheControlOf(path),
    ...own,
  };
  return { kind: 'file', status: 200, path, file, headers };
}

function notFound(site: Site, path: string, own: HeaderSet): SiteAnswer {
  const headers = { 'cache-control': askEachTime, ...withoutCaching(own) };
  const page = site.rules.notFound;
  const file = site.file(page);
  if (file === undefined) return { kind: 'missing', path, headers };
  return {
    kind: 'file',
    status: 404,
    path: page,
    file,
    headers: { 'content-type': contentTypeOf(page), ...headers },
  };
}

function redirectTo(status: number, location: string, own: HeaderSet): SiteAnswer {
  return {
    kind: 'redirect',
    status,
    location,
    headers: { 'cache-control': askEachTime, ...withoutCaching(own) },
  };
}

/**
 * The rules are about the files at these addresses. Where another page stands in, a year of caching that is meant for
 * `/assets/*` would keep it there, so neither it nor a content type is taken over.
 */
function withoutCaching(own: HeaderSet): HeaderSet {
  const { 'cache-control': _cache, expires: _expires, 'content-type': _type, ...rest } = own;
  return rest;
}
