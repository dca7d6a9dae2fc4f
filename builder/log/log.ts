/** The attempt's log: what commands print and what Sphere says, on its way to the plane. */
import type { Readable } from 'node:stream';
import type { LogStream, Phase } from '../../contract/words.ts';
import { createLineReader } from './line-reader.ts';
import { createMask, type Mask } from './mask.ts';
import { createShipper, type SendBatch } from './shipper.ts';

export type Log = {
  /** The phase that lines belong to from now on. */
  phase: Phase;
  /** Keeps the secrets out of everything that is logged from now on. */
  hide(...more: string[]): void;
  /** The text without secrets, for error messages. */
  mask(text: string): string;
  /** A line of Sphere's own. */
  say(text: string): void;
  /**
   * Logs all that comes from `output`, and resolves at its end. Reads no faster than the plane takes it: a command
   * that prints more waits in its `write`. `seen` gets the lines as they are logged.
   */
  pipe(output: Readable, stream: LogStream, seen: (lines: readonly string[]) => void): Promise<void>;
  /** Resolves when the plane has every line. */
  flush(): Promise<void>;
};

/** `failed` is called once when the plane takes no more. */
export function createLog(send: SendBatch, failed: (error: unknown) => void): Log {
  const paused = new Set<Readable>();
  const secrets: string[] = [];
  let mask: Mask = createMask([]);
  const shipper = createShipper({
    send,
    failed,
    unblocked: () => {
      for (const output of paused) output.resume();
      paused.clear();
    },
  });

  const log: Log = {
    phase: 'prepare',
    hide(...more) {
      secrets.push(...more);
      mask = createMask(secrets);
    },
    mask: (text) => mask(text),
    say: (text) => shipper.push(mask(text.replaceAll('\0', '')).split('\n'), log.phase, 'sphere'),
    pipe(output, stream, seen) {
      const reader = createLineReader(mask);
      const take = (lines: string[]) => {
        if (lines.length === 0) return;
        seen(lines);
        shipper.push(lines, log.phase, stream);
        if (shipper.blocked && !output.destroyed) {
          output.pause();
          paused.add(output);
        }
      };
      return new Promise((resolve) => {
        output.on('data', (chunk: Buffer) => take(reader.read(chunk)));
        output.once('close', () => {
          paused.delete(output);
          take(reader.end());
          resolve();
        });
        // A broken pipe ends the output like any other end; the command's exit tells what happened.
        output.once('error', () => {});
      });
    },
    flush: () => shipper.flush(),
  };
  return log;
}
