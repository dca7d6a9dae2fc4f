/** A digest of what files look like from outside: cheap, and different after any ordinary write. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * One SHA-256 over path, size, time of change and mode of everything at or below `top`; null when it is not there.
 * Reads no content: 3,500 files take about 30 ms. (Of stat's times only `mtime` can be used: making a hard link changes
 * `ctime`.)
 */
export function listingDigest(top: string): string | null {
  const digest = createHash('sha256');
  const note = (path: string) => {
    const { size, mtimeMs, mode } = lstatSync(join(top, path));
    digest.update(`${path}\0${size}\0${mtimeMs}\0${mode}\n`);
  };
  const walk = (at: string) => {
    for (const item of readdirSync(join(top, at), { withFileTypes: true }).sort(byName)) {
      const path = `${at}${item.name}`;
      if (item.isDirectory()) walk(`${path}/`);
      else note(path);
    }
  };
  try {
    if (lstatSync(top).isDirectory()) walk('');
    else note('');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return digest.digest('hex');
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
