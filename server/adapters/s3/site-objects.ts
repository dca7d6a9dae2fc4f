/**
 * Compiles a manifest into the objects of a bucket: a plain S3 website answers a path with the object of that name, or
 * with `index.html` below it, and knows nothing else (T9, T10, T11).
 */
import { setImmediate } from 'node:timers/promises';
import type { Manifest, ManifestFile } from '../../../contract/manifest.ts';
import { cacheControlOf, contentTypeOf, isFingerprinted } from '../../sites/file-headers.ts';
import { compileRules, escapePath, type SiteRules } from '../../sites/rules.ts';
import { compileRedirects, type RoutingRule } from './site-redirects.ts';

/** What lies under one key. Two that are equal need no second writing. */
export type SiteObject =
  | {
      kind: 'file';
      blob: string;
      bytes: number;
      /** What S3 keeps with an object and sends with it. */
      headers: ObjectHeaders;
    }
  /** An empty object that sends its visitor elsewhere, with 301. */
  | { kind: 'redirect'; location: string };

export type ObjectHeaders = {
  contentType: string;
  cacheControl: string;
  contentDisposition?: string;
  contentLanguage?: string;
};

/** The settings of the bucket as a website. */
export type Website = { errorDocument: string | null; rules: readonly RoutingRule[] };

export type SiteContent = {
  objects: ReadonlyMap<string, SiteObject>;
  website: Website;
  /** Files whose path is longer than a key may be. */
  tooLong: readonly string[];
  /** Redirects that no object and no routing rule can express, by their source. */
  lostRedirects: readonly string[];
};

/** S3 counts a key in bytes of UTF-8. */
const longestKey = 1024;

const compiled = new WeakMap<Manifest, SiteContent>();

/** Compiling goes on for so long without a break, in milliseconds. */
const sliceMs = 10;

/** Compiles `manifest`, once for each manifest in memory. */
export function compileContent(manifest: Manifest): SiteContent {
  const known = compiled.get(manifest);
  if (known) return known;
  const compiling = compile(manifest);
  let next = compiling.next();
  while (!next.done) next = compiling.next();
  compiled.set(manifest, next.value);
  return next.value;
}

/** Does the work of `compileContent` bit by bit: many files with many rules must not hold up all others on a replica. */
export async function prepareContent(manifest: Manifest): Promise<void> {
  if (compiled.has(manifest)) return;
  const compiling = compile(manifest);
  let next = compiling.next();
  for (let since = Date.now(); !next.done; next = compiling.next()) {
    if (Date.now() - since < sliceMs) continue;
    await setImmediate();
    since = Date.now();
  }
  compiled.set(manifest, next.value);
}

/** Yields after each file. */
function* compile(manifest: Manifest): Generator<void, SiteContent> {
  const rules = compileRules(manifest.serving);
  const objects = new Map<string, SiteObject>();
  const tooLong: string[] = [];
  const fits = (key: string) => Buffer.byteLength(key) <= longestKey;

  for (const [path, file] of Object.entries(manifest.files)) {
    if (fits(path)) objects.set(path, fileObject(path, file, rules));
    else tooLong.push(path);
    yield;
  }
  for (const [key, object] of pageObjects(manifest, rules)) {
    if (fits(key)) objects.set(key, object);
    yield;
  }
  const redirects = compileRedirects(manifest.serving.redirects ?? []);
  for (const [key, location] of redirects.objects) {
    if (fits(key)) objects.set(key, { kind: 'redirect', location });
  }
  return {
    objects,
    website: { errorDocument: errorDocument(manifest, rules), rules: redirects.rules },
    tooLong,
    lostRedirects: redirects.lost,
  };
}

/** Header names that S3 keeps with an object. */
export const keptHeaders = [
  'cache-control',
  'content-disposition',
  'content-language',
  'content-type',
] as const;

/**
 * A header's value as S3 keeps it, which signs and stores ASCII alone: a file name in the form of RFC 5987, other
 * characters percent-encoded. `value` has its UTF-8 as bytes, as `headersFor` gives it.
 */
function ascii(value: string | undefined): string | undefined {
  if (value === undefined || !/[\x80-\xff]/.test(value)) return value;
  return Buffer.from(value, 'latin1')
    .toString()
    .replace(
      /\bfilename="([^"]*[^\x20-\x7e"][^"]*)"/g,
      (_, name: string) => `filename*=UTF-8''${encodeURIComponent(name)}`,
    )
    .replace(/[^\x20-\x7e]+/g, encodeURIComponent);
}

function fileObject(
  path: string,
  { blob, bytes }: ManifestFile,
  rules: SiteRules,
  address?: string,
): SiteObject {
  const own = rules.headersFor(address ?? addressOf(path));
  const disposition = ascii(own['content-disposition']);
  const language = ascii(own['content-language']);
  return {
    kind: 'file',
    blob,
    bytes,
    headers: {
      contentType: ascii(own['content-type']) ?? contentTypeOf(path),
      cacheControl: ascii(own['cache-control']) ?? cacheControlOf(path),
      ...(disposition === undefined ? {} : { contentDisposition: disposition }),
      ...(language === undefined ? {} : { contentLanguage: language }),
    },
  };
}

/** The address under which people see a file: rules for headers are about addresses. */
function addressOf(path: string): string {
  return `/${path.replace(/(^|\/)index\.html$/, '$1')}`;
}

/**
 * Second objects for pages, so that `about.html` answers at `/about` too, and the one of two addresses leads to the
 * other where `cleanUrls` or `trailingSlash` ask for it.
 */
function* pageObjects({ files }: Manifest, rules: SiteRules): Generator<[string, SiteObject]> {
  const free = (key: string) => key !== '' && !Object.hasOwn(files, key);
  const moved = (path: string): SiteObject => ({ kind: 'redirect', location: `/${escapePath(path)}` });

  for (const [path, file] of Object.entries(files)) {
    if (!path.endsWith('.html') || path === 'index.html') continue;
    if (path.endsWith('/index.html')) {
      const directory = path.slice(0, -'/index.html'.length);
      const shadowed = rules.cleanUrls !== false && Object.hasOwn(files, `${directory}.html`);
      if (rules.trailingSlash !== false || shadowed || !free(directory)) continue;
      yield [directory, fileObject(path, file, rules, `/${directory}`)];
      yield [path, moved(directory)];
      continue;
    }
    const bare = path.slice(0, -'.html'.length);
    if (rules.cleanUrls === false || bare.endsWith('/')) continue;
    const index = `${bare}/index.html`;
    if (rules.trailingSlash === true) {
      if (!free(index)) continue;
      yield [index, fileObject(path, file, rules, `/${bare}/`)];
    } else {
      if (!free(bare)) continue;
      yield [bare, fileObject(path, file, rules, `/${bare}`)];
      if (rules.trailingSlash === false) yield [index, moved(bare)];
    }
    if (rules.cleanUrls === true && path !== rules.notFound) {
      yield [path, moved(rules.trailingSlash === true ? `${bare}/` : bare)];
    }
  }
}

/** What is sent, with a status of 4xx, for what is not there. */
function errorDocument({ files }: Manifest, rules: SiteRules): string | null {
  const page = rules.spa && Object.hasOwn(files, 'index.html') ? 'index.html' : rules.notFound;
  return Object.hasOwn(files, page) ? page : null;
}

/** Whether what lies under `key` may stay when a newer manifest has no such key: its address changes with its content. */
export function staysForTabs(key: string, object: SiteObject): boolean {
  return object.kind === 'file' && isFingerprinted(key);
}

/** Whether `a` and `b` are the same object to a visitor. */
export function isSameObject(a: SiteObject | undefined, b: SiteObject | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind === 'redirect' || b.kind === 'redirect') {
    return a.kind === 'redirect' && b.kind === 'redirect' && a.location === b.location;
  }
  return (
    a.blob === b.blob &&
    a.headers.contentType === b.headers.contentType &&
    a.headers.cacheControl === b.headers.cacheControl &&
    a.headers.contentDisposition === b.headers.contentDisposition &&
    a.headers.contentLanguage === b.headers.contentLanguage
  );
}

/** Whether the bucket needs no new settings. */
export function isSameWebsite(a: Website, b: Website): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
