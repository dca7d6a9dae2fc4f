/** Decides which directory holds the site, out of what a build has left. */
import { posix } from 'node:path';
import { SphereError } from '../../contract/errors.ts';
import type { BuildPlan, OutputCandidate } from './build-plan.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

/** Where sites are usually left, for a build that nothing is known of. */
const usualOutputs = ['dist', 'build', 'out', 'public', '_site', 'www', 'site', 'docs', 'output'];

/** The candidates of a derived output: what the framework says, then the usual names where that may be wrong. */
export async function outputCandidates(
  files: SourceFiles,
  root: string,
  outputs: readonly { directory: string; why: string }[],
  guess: boolean,
): Promise<OutputCandidate[]> {
  const guesses = guess ? usualOutputs.map((directory) => ({ directory, why: 'a usual name' })) : [];
  const all = [...outputs, ...guesses].map(({ directory, why }) => ({
    directory: joinPath(root, directory),
    why,
  }));
  const distinct = all.filter(
    ({ directory }, at) => all.findIndex((other) => other.directory === directory) === at,
  );
  return Promise.all(
    distinct.map(async (candidate) => ({ ...candidate, inSource: await files.exists(candidate.directory) })),
  );
}

/** What is in a candidate's directory after the build. */
export type SeenOutput = {
  directory: string;
  /** Files in it, at any depth; 0 when there is no such directory. */
  files: number;
  /** Whether any of them is HTML. */
  html: boolean;
  /** Whether index.html is at its top. */
  index: boolean;
  /** Whether any of them is newer than the start of the build. */
  changed: boolean;
};

/**
 * The candidate that is the site. `others`: directories with HTML that were seen elsewhere, for the error. Throws
 * NOT_STATIC or OUTPUT_INVALID.
 */
export function chooseOutput(
  plan: BuildPlan,
  seen: readonly SeenOutput[],
  others: readonly string[] = [],
): OutputCandidate {
  const { candidates, kind } = plan.output;
  const at = (candidate: OutputCandidate) => seen.find(({ directory }) => directory === candidate.directory);
  const filled = candidates.filter((candidate) => (at(candidate)?.files ?? 0) > 0);
  if (kind === 'given' && filled[0] !== undefined) return filled[0];
  // What was committed and what the build did not touch is an old output, or no output at all.
  const isFresh = (candidate: OutputCandidate) =>
    plan.build === null || !candidate.inSource || at(candidate)?.changed;
  const fresh = filled.filter(isFresh);
  const chosen =
    fresh.find((candidate) => at(candidate)?.index) ?? fresh.find((candidate) => at(candidate)?.html);
  if (chosen !== undefined) return chosen;
  throw noOutput(plan, seen, others);
}

function noOutput(plan: BuildPlan, seen: readonly SeenOutput[], others: readonly string[]): SphereError {
  const looked = plan.output.candidates.map((candidate) => {
    const found = seen.find(({ directory }) => directory === candidate.directory);
    if (found === undefined || found.files === 0) return `${candidate.directory}: nothing there`;
    if (candidate.inSource && !found.changed) return `${candidate.directory}: not touched by the build`;
    return `${candidate.directory}: ${found.files} files${found.html ? '' : ', no HTML'}`;
  });
  const details = [...looked, ...others.map((directory) => `Seen elsewhere: HTML in ${directory}`)];
  const what = plan.build === null ? 'There is' : `\`${plan.build.command}\` left`;
  if (plan.staticHint !== null && plan.output.kind === 'derived') {
    const name = plan.framework?.name ?? 'the framework';
    return new SphereError('NOT_STATIC', `${what} no static site: ${name} was built for a server.`, {
      hint: plan.staticHint,
      details,
    });
  }
  const [first] = plan.output.candidates;
  const where = plan.output.kind === 'given' ? ` in ${first?.directory}` : '';
  const hint =
    others[0] === undefined
      ? 'Set "outputDirectory" in sphere.json to the directory that the build writes.'
      : `Set "outputDirectory" in sphere.json, for example to "${posix.relative(plan.rootDirectory, others[0])}".`;
  return new SphereError('OUTPUT_INVALID', `${what} no site${where}.`, { hint, details });
}
