/** What to try when a build fails for a reason that is no fault of the source and has a known way round. */
import { stripVTControlCharacters } from 'node:util';

export type BuildRetry = { command: string; why: string };

/**
 * webpack before 5.61 hashes with MD4, which OpenSSL 3 (Node 17 and later) refuses unless it is told otherwise. Whether
 * a project has such a webpack, and uses it, is in no file of its own: the build says it, and within seconds.
 */
const refusedHash = /ERR_OSSL_EVP_UNSUPPORTED|error:0308010C/;

/** The command to run instead of the derived `command` that failed with `lastLines`, or null. */
export function buildRetry(command: string, lastLines: readonly string[]): BuildRetry | null {
  if (!lastLines.some((line) => refusedHash.test(stripVTControlCharacters(line)))) return null;
  return {
    command: `export NODE_OPTIONS="$NODE_OPTIONS --openssl-legacy-provider" && ${command}`,
    why: 'An old webpack uses a hash that Node 17 and later refuse; building once more with `NODE_OPTIONS=--openssl-legacy-provider`.',
  };
}
