/** Finds the directory of our own package, from source as from the bundles in dist/. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import packageJson from '../package.json' with { type: 'json' };

/** The directory that holds our `package.json`. Throws when this file runs outside our package (a bug). */
export function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let directory = start; ; directory = dirname(directory)) {
    if (nameIn(directory) === packageJson.name) return directory;
    if (directory === dirname(directory)) {
      throw new Error(`no package.json of ${packageJson.name} in ${start} or above it`);
    }
  }
}

function nameIn(directory: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name?: string }).name;
  } catch {
    return undefined;
  }
}
