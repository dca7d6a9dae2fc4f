/** Runs a build's commands one after the other, with what they print in the log. */
import { join } from 'node:path';
import type { Log } from '../log/log.ts';
import type { PlannedCommand } from '../plan/build-plan.ts';
import { failureOf } from './ending.ts';
import { runCommand } from './run-command.ts';

export type CommandSteps = {
  /** Throws BUILD_FAILED or BUILD_OUT_OF_MEMORY, with the command and its last lines. `what`: install or build. */
  run(what: 'install' | 'build', command: PlannedCommand): Promise<void>;
};

export type StepsOptions = {
  log: Log;
  /** Where the paths of commands begin. */
  source: string;
  environment: Record<string, string | undefined>;
  signal: AbortSignal;
};

export function openSteps({ log, source, environment, signal }: StepsOptions): CommandSteps {
  return {
    async run(what, { command, directory }) {
      log.say(directory === '.' ? `$ ${command}` : `$ ${command}  (in ${directory})`);
      const ending = await runCommand({
        command,
        directory: join(source, directory),
        environment,
        signal,
        pipe: log.pipe,
      });
      const failure = failureOf(what, ending);
      if (failure !== null) throw failure;
    },
  };
}
