/** Lists the directories in which a build may leave the site. */
import type { OutputCandidate } from './build-plan.ts';
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
