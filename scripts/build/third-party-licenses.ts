/** Writes the licences of everything that is bundled next to the bundles, as those licences ask. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A license text goes by one of these names; PGlite carries PostgreSQL's beside its own. */
const licenseFile = /^(postgres-?)?(licen[cs]es?|copying|notice)([.-].*)?$/i;

/** Writes `THIRD-PARTY-LICENSES.txt` into `directory`, for the packages that the bundled files `inputs` come from. */
export function writeThirdPartyLicenses(directory: string, inputs: Iterable<string>): void {
  const packages = new Set([...inputs].flatMap((input) => packageDirectory(input) ?? []));
  const notices = new Map([...packages].map(noticeOf));
  const sorted = [...notices].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, notice]) => notice);
  writeFileSync(join(directory, 'THIRD-PARTY-LICENSES.txt'), sorted.join(`\n${'-'.repeat(80)}\n\n`));
}

/** `node_modules/a/node_modules/@b/c/x.js` is in the package `node_modules/a/node_modules/@b/c`. */
function packageDirectory(input: string): string | undefined {
  return input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
}

/** The package's name and version, and what has to be said about it. */
function noticeOf(directory: string): [string, string] {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as {
    name: string;
    version: string;
    license?: string;
  };
  const texts = readdirSync(directory)
    .filter((name) => licenseFile.test(name))
    .sort()
    .map((name) => readFileSync(join(directory, name), 'utf8').trim());
  const title = `${manifest.name} ${manifest.version} (${manifest.license ?? 'see its text'})`;
  return [title, [title, ...texts, ''].join('\n\n')];
}
