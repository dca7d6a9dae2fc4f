/** Finds the path that a built site expects to be served at, out of what its first page asks for. Pure. */

/** Addresses of scripts and styles in HTML, also in inline scripts, that begin at the host's top; `//` names a host. */
const ownAddress = /[="'(]\/(?!\/)([^"'\s<>?#()]+\.(?:m?js|css))(?=["'\s>?#)])/g;

/**
 * `/docs/` where the addresses of all scripts and styles in `page` are below that and their files at the top of `paths`,
 * the site's files. Null when one of them is where it is asked for: then the site is right as it is.
 */
export function basePathOf(page: string, paths: ReadonlySet<string>): string | null {
  const asked = [...page.matchAll(ownAddress)].map(([, address = '']) => address);
  if (asked.some((path) => paths.has(path))) return null;
  const bases = new Set(asked.map((path) => missingAbove(path, paths)));
  const [base = null] = bases;
  return bases.size === 1 ? base : null;
}

/** `/a/` for `a/b.js` when `b.js` is there. */
function missingAbove(path: string, paths: ReadonlySet<string>): string | null {
  for (let end = path.indexOf('/'); end >= 0; end = path.indexOf('/', end + 1)) {
    if (paths.has(path.slice(end + 1))) return `/${path.slice(0, end + 1)}`;
  }
  return null;
}
