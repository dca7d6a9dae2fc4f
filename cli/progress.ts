/** Shows a deployment as it goes: build lines under their phases, each phase with how it ended. */
import type { Deployment } from '../contract/api.ts';
import type { LogLine } from '../contract/logs.ts';
import { type Phase, phases } from '../contract/words.ts';
import type { Output } from './output.ts';

export type Progress = {
  /** Prints lines of the log. Resolves when the output has taken them. */
  lines(lines: readonly LogLine[]): Promise<void>;
  /** What REST says: phases show also when they print nothing. */
  state(deployment: Deployment): void;
  /** The deployment has ended, `well` or not. */
  end(well: boolean): void;
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

  // How long each took is said at the end, by the plane: the first line of a phase may come long after its start.
  const leave = (well: boolean) => {
    if (shown === null) return;
    output.endSection();
    output.note(`${well ? output.paint('green', '✔') : output.paint('red', '✖')} ${shown}`);
    shown = null;
  };
  const enter = (phase: Phase, at: number) => {
    // An attempt that was lost goes back to the queue.
    leave(shown === null || phases.indexOf(phase) > phases.indexOf(shown));
    shown = phase;
    output.section(phase);
    output.busy(doing[phase], at);
  };
  output.busy(doing.queue, startedAt);

  return {
    async lines(all) {
      const lines = all.filter((line) => !isEnd(line));
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
    end(well) {
      output.idle();
      leave(well);
    },
  };
}

/** The plane's last line of a deployment that was not published: how it ended is printed at the end. */
function isEnd({ stream, text }: LogLine): boolean {
  return stream === 'sphere' && /^(?:Failed|Ignored): /.test(text);
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
