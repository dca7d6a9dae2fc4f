/** What the relative address of a submodule stands for: git's own reading (`relative_url` in its remote.c). Pure. */

/** Whether git reads `url` as beside the repository that names it. */
export function isRelativeUrl(url: string): boolean {
  return /^\.\.?\//.test(url);
}

/**
 * The address that `url`, which begins with `./` or `../`, has for git in the checkout of `parent`, an absolute address. It
 * knows no hosts: `../../../10.0.0.5/x` beside `http://host/a/b` is `http://10.0.0.5/x`, so that the result has to be checked
 * like any other. Null: it climbs over all of `parent`.
 */
export function resolveRelativeUrl(parent: string, url: string): string | null {
  let base = parent.replace(/\/$/, '');
  let rest = url;
  let separator = '/';
  while (isRelativeUrl(rest)) {
    const climbs = rest.startsWith('../');
    rest = rest.slice(climbs ? 3 : 2);
    if (!climbs) continue;
    const slash = base.lastIndexOf('/');
    const end = slash === -1 ? base.lastIndexOf(':') : slash;
    if (end === -1) return null;
    if (slash === -1) separator = ':';
    base = base.slice(0, end);
  }
  return `${base}${separator}${rest.replace(/\/$/, '')}`;
}
