/** Which Node a source asks for, and whether the running one will do. */
import semver from 'semver';
import { joinPath, type SourceFiles } from './source-files.ts';

/** `fetch` is a version or range of npm's package `node`. */
export type NodeDecision = { use: 'running'; why: string } | { use: 'fetch'; fetch: string; why: string };

/** Where a wish comes from that a person has set for this build: nothing stands above it. */
export const nodeSetting = 'nodeVersion';

/** The names of the long-term releases, as in `lts/iron`. */
const releaseNames: Record<string, number> = {
  argon: 4,
  boron: 6,
  carbon: 8,
  dubnium: 10,
  erbium: 12,
  fermium: 14,
  gallium: 16,
  hydrogen: 18,
  iron: 20,
  jod: 22,
  krypton: 24,
};

/** Long-term majors, which is what is fetched for an open range. */
const longTermMajors = [12, 14, 16, 18, 20, 22, 24, 26];

/** Words that mean "any recent one". */
const anyVersion = new Set(['', '*', 'x', 'node', 'stable', 'latest', 'current', 'lts', 'lts/*', 'system']);

/**
 * Decides between the running Node and another. `pinned` takes an exact version at its word; otherwise one means "this
 * major, at least this", because `.nvmrc` and `engines` record what an author happened to have.
 */
export function planNode(
  wanted: string,
  running: string,
  { pinned = false }: { pinned?: boolean } = {},
): NodeDecision {
  const text = wanted.trim().toLowerCase();
  if (anyVersion.has(text)) return { use: 'running', why: `any version will do; Node ${running} is here` };
  const range = rangeOf(text, pinned);
  if (range === null) {
    return { use: 'running', why: `"${wanted}" is not a version or range; using Node ${running}` };
  }
  if (semver.satisfies(running, range)) return { use: 'running', why: `Node ${running} satisfies it` };
  return { use: 'fetch', fetch: versionToFetch(range, running), why: `Node ${running} does not satisfy it` };
}

function rangeOf(text: string, pinned: boolean): string | null {
  const release = releaseNames[text.replace(/^lts\//, '')];
  if (release !== undefined) return `${release}`;
  // `lts/-1` and the like: counted from a release that is not known here.
  if (text.startsWith('lts')) return null;
  const bare = text.replace(/^(?:node(?:js)?[-@]?)?v?(?=\d)/, '');
  if (semver.valid(bare) !== null) return pinned ? bare : `^${bare}`;
  return semver.validRange(bare) === null ? null : bare;
}

/** The nearest long-term major that fits, upwards first; the range itself where only a part of a major fits. */
function versionToFetch(range: string, running: string): string {
  const major = semver.major(running);
  const newest = (candidate: number) => semver.satisfies(`${candidate}.9999.9999`, range);
  const up = longTermMajors.find((candidate) => candidate > major && newest(candidate));
  const same = newest(major) ? major : undefined;
  const down = longTermMajors.findLast((candidate) => candidate < major && newest(candidate));
  const chosen = same ?? up ?? down;
  return chosen === undefined ? range : `${chosen}`;
}

/**
 * What the source asks for, or null: the setting, then `.nvmrc`, `.node-version` and `engines.node`, in each of
 * `directories` in turn (the root directory first, then where its packages are installed).
 */
export async function readNodeWish(
  files: SourceFiles,
  directories: readonly string[],
  setting: string | undefined,
): Promise<{ range: string; from: string; pinned: boolean } | null> {
  if (setting !== undefined) return { range: setting, from: nodeSetting, pinned: true };
  for (const name of ['.nvmrc', '.node-version']) {
    for (const directory of directories) {
      const path = joinPath(directory, name);
      const range = firstLine(await files.read(path));
      if (range !== null) return { range, from: path, pinned: false };
    }
  }
  for (const directory of directories) {
    const path = joinPath(directory, 'package.json');
    const range = enginesOf(await files.read(path));
    if (range !== null) return { range, from: `engines.node in ${path}`, pinned: false };
  }
  return null;
}

function firstLine(text: string | null): string | null {
  const lines = (text ?? '').split('\n').map((line) => line.replace(/#.*/, '').trim());
  return lines.find((line) => line !== '') ?? null;
}

function enginesOf(text: string | null): string | null {
  if (text === null) return null;
  try {
    const node: unknown = JSON.parse(text).engines?.node;
    return typeof node === 'string' && node.trim() !== '' ? node.trim() : null;
  } catch {
    // A broken package.json is reported by who needs it.
    return null;
  }
}
