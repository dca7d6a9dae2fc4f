/** Finds the directory in which a build has left the site. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join, sep } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import { listingDigest } from '../cache/listing.ts';
import type { BuildPlan, OutputCandidate } from '../plan/build-plan.ts';

/** What the candidates that are in the source looked like before the build. */
export type Before = ReadonlyMap<string, string | null>;

export function lookBefore(plan: BuildPlan, source: string): Before {
  if (plan.build === null) return new Map();
  const inSource = plan.output.candidates.filter((candidate) => candidate.inSource);
  return new Map(inSource.map(({ directory }) => [directory, listingDigest(join(source, directory))]));
}

/**
 * The first candidate that holds files which this build has made (or, without a build, that is there).
 * Throws NOT_STATIC when the plan knows how the framework is made to export, else OUTPUT_INVALID, with the directories
 * that look like a site.
 */
export function chooseOutput(plan: BuildPlan, source: string, before: Before): OutputCandidate {
  const { candidates, kind } = plan.output;
  const found = candidates.find((candidate) => isBuilt(candidate, kind, source, before));
  if (found !== undefined) {
    refuseOutside(found.directory, source);
    return found;
  }

  const looked = candidates.map(({ directory }) => describe(directory, source, before)).join('; ');
  const alike = directoriesWithPages(source, plan.rootDirectory);
  const details = alike.length === 0 ? [] : [`Directories with an HTML page: ${alike.join(', ')}`];
  const after =
    plan.build === null ? 'There is nothing to publish' : 'The build ended well, but left no site';
  const message = `${after}. Looked for: ${looked === '' ? 'nothing known' : looked}.`;
  if (plan.staticHint !== null && kind === 'derived') {
    throw new SphereError('NOT_STATIC', message, { hint: plan.staticHint, details });
  }
  throw new SphereError('OUTPUT_INVALID', message, { hint: hintFor(kind, alike), details });
}

/** A link in the place of the output would publish what the builder may read and the build may not. */
function refuseOutside(directory: string, source: string): void {
  const real = realpathSync(join(source, directory));
  const top = realpathSync(source);
  if (real === top || real.startsWith(top + sep)) return;
  throw new SphereError(
    'OUTPUT_INVALID',
    `The output ${directory} is a link to ${real}, outside of the source.`,
    {
      hint: 'Let the build copy what it points to.',
    },
  );
}

function isBuilt(candidate: OutputCandidate, kind: string, source: string, before: Before): boolean {
  const { directory } = candidate;
  // A person who names a directory knows. Otherwise a server's or a library's output could be taken for a site, and a
  // directory that was committed years ago could be published unnoticed.
  if (kind === 'given') return holds(join(source, directory), anyFile);
  if (!holds(join(source, directory), pages)) return false;
  if (!before.has(directory)) return true;
  return before.get(directory) !== listingDigest(join(source, directory));
}

function describe(directory: string, source: string, before: Before): string {
  const at = join(source, directory);
  if (!existsSync(at)) return `${directory} (not there)`;
  if (!holds(at, anyFile)) return `${directory} (empty)`;
  if (!holds(at, pages)) return `${directory} (without an HTML page)`;
  return before.has(directory) ? `${directory} (in the source, and not changed by the build)` : directory;
}

function hintFor(kind: string, alike: string[]): string {
  const [first] = alike;
  if (first !== undefined) {
    return `If ${first} is the site, set "outputDirectory": "${first}" in sphere.json or use --output ${first}.`;
  }
  return kind === 'given'
    ? 'Set "outputDirectory" to where the build command leaves the site, relative to the root directory.'
    : 'Say where the build leaves the site with "outputDirectory" in sphere.json or --output.';
}

const anyFile = /^/;
const pages = /\.html?$/i;

/** Whether a file with such a name is in `directory`, at any depth. */
function holds(directory: string, names: RegExp): boolean {
  try {
    return readdirSync(directory, { withFileTypes: true }).some((item) =>
      item.isDirectory() ? holds(join(directory, item.name), names) : names.test(item.name),
    );
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

/** Directories below the root, at most three levels down, that hold a page; relative to the root. */
export function directoriesWithPages(source: string, root: string): string[] {
  const found: string[] = [];
  const walk = (at: string, depth: number) => {
    const items = readdirSync(join(source, root, at), { withFileTypes: true });
    if (at !== '' && items.some((item) => item.isFile() && item.name.endsWith('.html'))) {
      // What lies below a site is part of it.
      found.push(at);
      return;
    }
    if (depth === 3 || found.length >= 8) return;
    for (const item of items) {
      if (!item.isDirectory() || item.name === 'node_modules' || item.name === '.git') continue;
      walk(at === '' ? item.name : `${at}/${item.name}`, depth + 1);
    }
  };
  walk('', 0);
  return found.sort();
}
