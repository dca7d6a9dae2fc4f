/** What the end of a command means, in words that a person can act on. */
import { constants } from 'node:os';
import { stripVTControlCharacters } from 'node:util';
import { SphereError } from '../../contract/errors.ts';
import { hintForFailure } from './failure-hints.ts';
import { tellingLines } from './telling-lines.ts';

/** How a command ended. */
export type Ending = {
  command: string;
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** Its last lines. */
  lastLines: readonly string[];
};

/** Null for success, else BUILD_FAILED or BUILD_OUT_OF_MEMORY. `what` names the step: "install". */
export function failureOf(what: string, ending: Ending): SphereError | null {
  if (ending.exitCode === 0) return null;
  const details = tellingLines(ending.lastLines);
  const command = `The ${what} command \`${ending.command}\``;
  const memory = outOfMemory(ending);
  if (memory !== null) {
    return new SphereError('BUILD_OUT_OF_MEMORY', `${command} ran out of memory: ${memory}.`, {
      hint: 'Free memory or build less at once; `NODE_OPTIONS=--max-old-space-size=4096` in the build command raises the limit of Node.',
      details: details.filter((line) => !ofTheHeap.test(line)),
    });
  }
  return new SphereError('BUILD_FAILED', `${command} ${describe(ending)}.`, {
    hint:
      hintForFailure(stripVTControlCharacters(ending.lastLines.join('\n')), ending.exitCode) ??
      'The lines above say why. The same command fails outside of Sphere too, most likely.',
    details,
  });
}

/** What V8 says of its heap and its own frames when it gives up: nothing that a person could act on. */
const ofTheHeap =
  /^<---|^-{3,} Native stack trace|^\s*\d+: 0x[0-9a-f]+ |^\[\d+:0x[0-9a-f]+\]\s+\d+ ms: |^Aborted|^\s*$/;

function outOfMemory({ exitCode, signal, lastLines }: Ending): string | null {
  if (lastLines.some((line) => line.includes('JavaScript heap out of memory'))) {
    return 'Node reached the limit of its heap';
  }
  // Builds are not killed for other reasons than memory, unless by Sphere, which says so elsewhere.
  if (signal === 'SIGKILL' || exitCode === 137)
    return 'it was killed (SIGKILL), as the system does when memory is short';
  return null;
}

function describe({ exitCode, signal }: Ending): string {
  if (signal !== null) return `was ended by ${signal}`;
  // A shell reports a signal of its child as 128 and the signal's number.
  const name = Object.entries(constants.signals).find(([, number]) => number + 128 === exitCode)?.[0];
  return name === undefined
    ? `failed with exit code ${exitCode}`
    : `was ended by ${name} (exit code ${exitCode})`;
}
