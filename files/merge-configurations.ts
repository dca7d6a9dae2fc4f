/** Which `sphere.json` counts where there are two: at the top, and in the directory that is built. */
import path from 'node:path';
import type { Configuration } from '../contract/configuration.ts';

/** Whether the file at the top is about the directory `root` (relative, without an end of its own), or about none. Pure. */
export function isAbout({ rootDirectory }: Configuration, root: string): boolean {
  return rootDirectory === undefined || path.posix.normalize(rootDirectory).replace(/\/$/, '') === root;
}

/** The settings of `root`: its own file's, above those of the file at the top where that is about it. Pure. */
export function mergeConfigurations(outer: Configuration, inner: Configuration, root: string): Configuration {
  const { rootDirectory: _, ...rest } = outer;
  return isAbout(outer, root) ? { ...rest, ...inner } : inner;
}
