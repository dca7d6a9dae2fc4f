/** Decides what of a collected output is the site, and where in it. Pure. */
import type { Serving } from '../../contract/configuration.ts';
import type { ManifestFile } from '../../contract/manifest.ts';

type Files = Record<string, ManifestFile>;

export type Site = { files: Files; serving: Serving };

/** `files` without those at or below a top-level name in `names`. */
export function withoutNames(files: Files, names: readonly string[]): Files {
  if (names.length === 0) return files;
  const unwanted = new Set(names);
  return Object.fromEntries(
    Object.entries(files).filter(([path]) => !unwanted.has(path.split('/')[0] as string)),
  );
}

/**
 * How a site is served whose addresses are made in the browser: when it has one page, that page answers unknown paths
 * too, as a reload of such an address would find nothing. What a setting says stands. `router`: null when there is none.
 */
export function servingOf(site: Site, router: string | null): Serving {
  if (router === null || site.serving.spa !== undefined) return site.serving;
  const pages = Object.keys(site.files).filter((path) => path.endsWith('.html'));
  return pages.length === 1 && pages[0] === 'index.html' ? { ...site.serving, spa: true } : site.serving;
}

/**
 * Puts a site that is built for a path such as `/docs/` there, so that its pages find their files, and leads `/` to it.
 * Null when the build has put it there by itself.
 */
export function mountAt(site: Site, basePath: string): Site | null {
  const prefix = basePath.replace(/^\/+/, '');
  const paths = Object.keys(site.files);
  if (paths.some((path) => path.startsWith(prefix))) return null;

  const files: Files = Object.fromEntries(
    paths.map((path) => [`${prefix}${path}`, site.files[path] as ManifestFile]),
  );
  const serving: Serving = { ...site.serving };
  const index = site.files['index.html'];
  // The fallback of a single-page application is the page at the top.
  if (serving.spa === true && index !== undefined) files['index.html'] = index;
  if (serving.notFound === undefined && site.files['404.html'] !== undefined) {
    serving.notFound = `${prefix}404.html`;
  } else if (serving.notFound !== undefined && site.files[serving.notFound] !== undefined) {
    serving.notFound = `${prefix}${serving.notFound}`;
  }
  const redirects = serving.redirects ?? [];
  if (!redirects.some((rule) => rule.source === '/')) {
    serving.redirects = [...redirects, { source: '/', destination: basePath, permanent: false }];
  }
  return { files, serving };
}
