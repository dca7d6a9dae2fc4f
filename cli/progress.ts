/** Shows a deployment as it goes: build lines under their phases, each phase with how long it took. */
import type { Deployment } from '../contract/api.ts';
import type { LogLine } from '../contract/logs.ts';
import { type Phase, phases } from '../contract/words.ts';
import { duration } from './format.ts';
import type { Output } from './output.ts';

export type Progress = {
  /** Prints lines of the log. Resolves when the output has taken them. */
  lines(lines: readonly LogLine[]): Promise<void>;
  /** What REST says: phases show also when they print nothing. */
  state(deployment: Deployment): void;
  /** The deployment has ended, `well` or not. */
  end(well: boolean, at: number): void;
};

/** What each phase does, for the spinner. */
const doing: Record<Phase, string> = {
  queue: 'waiting in the queue',
  prepare: 'preparing',
  clone: 'cloning',
  install: 'installing',
  build: 'building',
  upload: 'uploading',
  publish: 'publishing',
};

/** `startedAt`: milliseconds since 1970. */
export function createProgress(output: Output, startedAt: number): Progress {
  let shown: Phase | null = null;
  let since = startedAt;

  const leave = (mark: string, at: number) => {
    if (shown === null) return;
    output.endSection();
    output.note(`${mark} ${shown} ${output.paint('dim', duration(at - since))}`);
    shown = null;
  };
  const enter = (phase: Phase, at: number) => {
    leave(output.paint('green', '✔'), at);
    shown = phase;
    since = at;
    output.section(phase);
    output.busy(doing[phase], at);
  };
  output.busy(doing.queue, startedAt);

  return {
    async lines(all) {
      const lines = all.filter((line) => !isFailure(line));
      let from = 0;
      while (from < lines.length) {
        const first = lines[from] as LogLine;
        const to = endOfPhase(lines, from);
        if (first.phase !== shown) enter(first.phase, first.time);
        await output.lines(render(lines, from, to, output));
        from = to;
      }
    },
    state(deployment) {
      // The log may be far behind what REST knows: only what is yet to come is shown, and only by the spinner.
      const { phase } = deployment;
      if (phase && (shown === null || phases.indexOf(phase) > phases.indexOf(shown))) {
        const started = deployment.phases.findLast((timing) => timing.phase === phase)?.startedAt;
        output.busy(doing[phase], started ? Date.parse(started) : Date.now());
      }
    },
    end(well, at) {
      output.idle();
      leave(well ? output.paint('green', '✔') : output.paint('red', '✖'), at);
    },
  };
}

/** The plane's last line of a deployment that failed: the error itself is printed at the end. */
function isFailure({ stream, text }: LogLine): boolean {
  return stream === 'sphere' && text.startsWith('Failed: ');
}

/** The index after the last line from `from` on that is of the same phase. */
function endOfPhase(lines: readonly LogLine[], from: number): number {
  const { phase } = lines[from] as LogLine;
  let to = from + 1;
  while (to < lines.length && (lines[to] as LogLine).phase === phase) to += 1;
  return to;
}

function render(lines: readonly LogLine[], from: number, to: number, output: Output): string {
  let text = '';
  for (let index = from; index < to; index += 1) {
    const line = lines[index] as LogLine;
    text += line.stream === 'sphere' ? `${output.paint('cyan', line.text)}\n` : `${line.text}\n`;
  }
  return text;
}
