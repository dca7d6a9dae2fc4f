/** `ignoreCommand`: asks the source whether it is worth a build. */
import { dirname } from 'node:path';
import type { BuildResult } from '../contract/builder-api.ts';
import { machineFor } from './command/build-user.ts';
import { commandEnvironment } from './command/environment.ts';
import { openSteps } from './command/steps.ts';
import { type BuildContext, warn } from './context.ts';
import type { Isolation } from './isolation/isolate.ts';

export type IgnoreQuestion = {
  command: string;
  /** The root directory, relative to the source. */
  rootDirectory: string;
  source: string;
  /** What Sphere sets for commands. */
  sphere: Parameters<typeof commandEnvironment>[1]['sphere'];
  isolation: Isolation | null;
  signal: AbortSignal;
};

/**
 * Runs the command, with the programs of the machine: nothing is installed yet. Exit code 0 ignores the deployment, every
 * other builds, as with Vercel's `ignoreCommand` and Netlify's `ignore`. Null: build.
 */
export async function askIgnoreCommand(
  context: BuildContext,
  question: IgnoreQuestion,
): Promise<Extract<BuildResult, { outcome: 'ignored' }> | null> {
  const { config, log } = context;
  const { command, rootDirectory, source, sphere, isolation, signal } = question;
  const own = machineFor(config.buildUser, config.machine, config.workDirectory);
  const environment = commandEnvironment(isolation?.machine ?? own, {
    programs: [],
    // An upload has no history: git must not take that of a repository around our own directory for it.
    derived: { ...isolation?.environment, GIT_CEILING_DIRECTORIES: dirname(source) },
    given: {},
    sphere,
  });
  const steps = openSteps({
    log,
    source,
    environment,
    user: config.buildUser,
    wrapper: isolation?.wrapper ?? null,
    signal,
  });
  const { exitCode } = await steps.attempt({ command, directory: rootDirectory, kind: 'given' });
  if (exitCode === 0) {
    const message = `The ignore command \`${command}\` ended with exit code 0: nothing is built.`;
    log.say(message);
    return { outcome: 'ignored', message: log.mask(message).slice(0, 1000) };
  }
  const ended = exitCode === null ? 'was ended by a signal' : `ended with exit code ${exitCode}`;
  log.say(`The ignore command ${ended}: the build goes on.`);
  // 1 is how a command says no; what else it may be is most likely not meant.
  if (exitCode !== 1) {
    warn(context, `The ignore command \`${command}\` ${ended}, where 0 ignores and 1 builds. Is it right?`);
  }
  return null;
}
