/**
 * Expresses the redirects of a site in what an S3 website has for them: objects that redirect (one exact path, always
 * 301), and at most 50 routing rules (every path below a prefix, with a status). Patterns are not expressed (T10).
 */
import type { Redirect } from '../../../contract/configuration.ts';
import { compileRules } from '../../sites/rules.ts';

/** A routing rule, as plain data. */
export type RoutingRule = {
  /** Keys that begin with this; empty: all. */
  prefix: string;
  status: number;
  /** Absent: the host that was asked. */
  host?: string;
  protocol?: 'http' | 'https';
} & ({ replacePrefix: string } | { replaceKey: string });

export type CompiledRedirects = {
  /** Key to location. */
  objects: ReadonlyMap<string, string>;
  rules: readonly RoutingRule[];
  /** Sources of what could not be expressed. */
  lost: readonly string[];
};

/** S3's limit for one bucket (T10). */
const mostRules = 50;
/** S3's limit for the header of a redirecting object. */
const longestLocation = 2048;

/** Compiles `redirects`; of two for one path the first wins, as everywhere. */
export function compileRedirects(redirects: readonly Redirect[]): CompiledRedirects {
  const objects = new Map<string, string>();
  const rules: RoutingRule[] = [];
  const lost: string[] = [];
  for (const redirect of redirects) {
    const expressed = isPattern(redirect.source)
      ? expressPattern(redirect, objects, rules)
      : expressPath(redirect, objects, rules);
    if (!expressed) lost.push(redirect.source);
  }
  // A rule answers before any object is looked for, so it also takes the paths of redirects that came before it.
  for (const [key] of objects) {
    const rule = rules.find(({ prefix }) => key.startsWith(prefix));
    if (!rule) continue;
    objects.delete(key);
    if (!lost.includes(`/${key}`) && !key.endsWith('/index.html')) lost.push(`/${key}`);
  }
  return { objects, rules, lost };
}

/** Whether `source` stands for more than one path. */
function isPattern(source: string): boolean {
  return /\*|\/:[A-Za-z_]/.test(source);
}

/** One path, with and without a slash at its end. */
function expressPath(
  redirect: Redirect,
  objects: Map<string, string>,
  rules: readonly RoutingRule[],
): boolean {
  const bare = redirect.source.slice(1).replace(/\/$/, '');
  const one = compileRules({ redirects: [redirect] });
  let expressed = false;
  for (const [path, key] of [
    [`/${bare}`, bare],
    [`/${bare}/`.replace('//', '/'), bare === '' ? 'index.html' : `${bare}/index.html`],
  ] as const) {
    // No redirect for this one: it is the destination itself.
    const location = one.redirect(path, '')?.location;
    if (location === undefined || key === '') continue;
    if (!isLocation(location)) return false;
    expressed = true;
    const taken = objects.has(key) || rules.some(({ prefix }) => key.startsWith(prefix));
    if (!taken) objects.set(key, location);
  }
  return expressed;
}

function isLocation(location: string): boolean {
  return /^(?:\/|https?:\/\/)/.test(location) && location.length <= longestLocation;
}

/** `/docs/*` to something that ends in `/:splat`, or to one fixed place. */
function expressPattern(redirect: Redirect, objects: Map<string, string>, rules: RoutingRule[]): boolean {
  const stem = /^\/((?:[^*:]+\/)?)\*$/.exec(redirect.source)?.[1];
  const target = targetOf(redirect.destination);
  if (stem === undefined || target === null || rules.length >= mostRules) return false;
  // Its own destination would match the rule again, for ever.
  if (target.host === undefined && target.key.startsWith(stem)) return false;
  const { key, splat, ...host } = target;
  rules.push({
    prefix: stem,
    status: redirect.statusCode ?? (redirect.permanent ? 308 : 307),
    ...host,
    ...(splat ? { replacePrefix: key } : { replaceKey: key }),
  });
  const bare = stem.replace(/\/$/, '');
  const location = compileRules({ redirects: [redirect] }).redirect(`/${bare}`, '')?.location;
  // `/docs/*` is about `/docs` too, which the prefix `docs/` is not.
  if (bare !== '' && location !== undefined && isLocation(location) && !objects.has(bare)) {
    objects.set(bare, location);
  }
  return true;
}

type Target = { host?: string; protocol?: 'http' | 'https'; key: string; splat: boolean };

/** A destination taken apart; null for one that a routing rule cannot lead to. */
function targetOf(destination: string): Target | null {
  const absolute = /^(https?):\/\/([^/?#]+)(\/.*)?$/.exec(destination);
  const path = absolute ? (absolute[3] ?? '/') : destination;
  if (!path.startsWith('/') || path.startsWith('//')) return null;
  const splat = path.endsWith('/:splat');
  const key = (splat ? path.slice(0, -':splat'.length) : path).slice(1);
  // A query, other names, or characters that S3 would escape once more.
  if (!/^[A-Za-z0-9/._~-]*$/.test(key)) return null;
  // An empty key to lead to is as good as none; here the root has a name.
  if (!splat && key === '') return absolute ? null : { key: 'index.html', splat };
  return {
    ...(absolute ? { protocol: absolute[1] as 'http' | 'https', host: absolute[2] as string } : {}),
    key,
    splat,
  };
}
