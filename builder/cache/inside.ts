/**
 * Whether a path of the source is really in the source. Whoever wrote the source, or a command of it, may have put a link
 * in the way, as `node_modules` that leads to a home directory: the builder would then copy or move what lies there.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

/** Where `path`, relative to `source`, really is; null when it leads out of the source, or nowhere. */
export function realPathInside(source: string, path: string): string | null {
  const top = realpathSync(source);
  try {
    const real = realpathSync(join(top, path));
    return real === top || real.startsWith(top + sep) ? real : null;
  } catch {
    return null;
  }
}

/**
 * False when `path`, relative to `source`, lies behind a link that leads out of it. Where it is not there yet, what would
 * hold it is looked at.
 */
export function isReallyInside(source: string, path: string): boolean {
  const top = realpathSync(source);
  let at = dirname(join(source, path));
  while (lstatSync(at, { throwIfNoEntry: false }) === undefined) at = dirname(at);
  try {
    const real = realpathSync(at);
    return real === top || real.startsWith(top + sep);
  } catch {
    // A link that leads nowhere, or round in a circle.
    return false;
  }
}
