/** Runs a build's commands one after the other, with what they print in the log. */
import { join } from 'node:path';
import type { Log } from '../log/log.ts';
import type { PlannedCommand } from '../plan/build-plan.ts';
import type { BuildUser } from './build-user.ts';
import { type Ending, failureOf } from './ending.ts';
import { runCommand } from './run-command.ts';

export type CommandSteps = {
  /** Throws BUILD_FAILED or BUILD_OUT_OF_MEMORY, with the command and its last lines. `what`: install or build. */
  run(what: 'install' | 'build', command: PlannedCommand): Promise<void>;
  /** As `run`, but resolves with how the command ended, whatever that is. */
  attempt(command: PlannedCommand): Promise<Ending>;
};

export type StepsOptions = {
  log: Log;
  /** Where the paths of commands begin. */
  source: string;
  environment: Record<string, string | undefined>;
  /** As whom the commands run; null for the builder's own user. */
  user: BuildUser | null;
  /** Isolates them; null to run them as they are. */
  wrapper: readonly string[] | null;
  signal: AbortSignal;
};

export function openSteps({ log, source, environment, user, wrapper, signal }: StepsOptions): CommandSteps {
  const attempt = async ({ command, directory }: PlannedCommand) => {
    log.say(directory === '.' ? `$ ${command}` : `$ ${command}  (in ${directory})`);
    const at = join(source, directory);
    const { pipe } = log;
    const ending = await runCommand({ command, directory: at, environment, user, wrapper, signal, pipe });
    // In errors, files are named as their author knows them.
    const own = (line: string) => line.replaceAll(`file://${source}/`, '').replaceAll(`${source}/`, '');
    return { ...ending, lastLines: ending.lastLines.map(own) };
  };
  return {
    attempt,
    async run(what, command) {
      const failure = failureOf(what, await attempt(command));
      if (failure !== null) throw failure;
    },
  };
}
