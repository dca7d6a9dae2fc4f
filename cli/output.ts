/**
 * The one owner of what the CLI prints: the result on stdout, everything else on stderr. Passed in, never imported as a
 * value.
 */
import { randomUUID } from 'node:crypto';
import type { ChalkInstance } from 'chalk';
import type { ErrorBody } from '../contract/errors.ts';
import { createActivity } from './activity.ts';
import { cleanText } from './terminal-text.ts';

export type OutputSettings = {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
  /** The result is one JSON object. */
  json: boolean;
  /** Colours on stderr, and with what; null for none. */
  chalk: ChalkInstance | null;
  /** Colours on stdout, where the result has some of its own. */
  resultColours: boolean;
  /** A build service reads along: plain lines, also where there is a terminal. */
  ci: boolean;
  /** GitHub's runner reads stderr: what builds print must not command it. */
  githubActions: boolean;
};

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export type Output = {
  readonly json: boolean;
  /** stderr is a terminal that a person looks at. */
  readonly live: boolean;
  /** The person sees stdout, too. */
  readonly resultSeen: boolean;
  /** The width of the terminal that stdout is, or null. */
  readonly columns: number | null;
  /** `text` in `style`, where stderr shows colours. */
  paint(style: Style, text: string): string;
  /** A line or more on stderr. */
  note(text: string): void;
  warn(text: string): void;
  error(body: ErrorBody): void;
  /** Build output on stderr: whole lines, each with its `\n`. Resolves when the stream has taken them. */
  lines(text: string): Promise<void>;
  /** Work goes on: shown by a spinner on a terminal, by a line now and then elsewhere. `since` is its start. */
  busy(what: string, since: number): void;
  /** No work goes on. */
  idle(): void;
  /** Writes the command's result on stdout, as it is. False when nobody reads it any more. */
  result(text: string): Promise<boolean>;
  /** As `result`, for text that others wrote: a part of the result, without control sequences. */
  resultLines(text: string): Promise<boolean>;
  /** Ends what `busy` began. Resolves when everything is written. */
  close(): Promise<void>;
};

export function createOutput(settings: OutputSettings): Output {
  const { chalk, json } = settings;
  const live = settings.stderr.isTTY === true && !settings.ci;
  const stdout = createSink(settings.stdout);
  const stderr = createSink(settings.stderr);
  const activity = createActivity({
    stream: settings.stderr,
    live,
    beat: (text) => void stderr.write(`${text}\n`),
  });
  const paint = (style: Style, text: string) => (chalk ? chalk[style](text) : text);
  const clean = (text: string) => cleanText(text, chalk !== null);

  const stopToken = randomUUID();
  let commandsStopped = false;

  const note = (text: string) => {
    activity.spoke();
    void stderr.write(`${clean(text)}\n`);
  };
  return {
    json,
    live,
    resultSeen: settings.stdout.isTTY === true,
    columns: settings.stdout.isTTY ? settings.stdout.columns : null,
    paint,
    note,
    warn: (text) => note(`${paint('yellow', 'Warning:')} ${text}`),
    error: (body) => {
      activity.idle();
      note(`${paint('red', 'Error:')} ${body.message}`);
      for (const line of body.details ?? []) {
        if (!body.message.includes(line)) note(paint('dim', `  ${line.replaceAll('\n', '\n  ')}`));
      }
      if (body.hint) note(body.hint);
    },
    lines: async (text) => {
      activity.spoke();
      if (settings.githubActions && !commandsStopped) await stderr.write(`::stop-commands::${stopToken}\n`);
      commandsStopped = settings.githubActions;
      await stderr.write(clean(text));
    },
    busy: activity.busy,
    idle: activity.idle,
    result: (text) => stdout.write(text),
    resultLines: (text) => stdout.write(cleanText(text, settings.resultColours)),
    close: async () => {
      activity.idle();
      const last = commandsStopped ? `::${stopToken}::\n` : '';
      await Promise.all([stdout.write(''), stderr.write(last)]);
    },
  };
}

/** Writes that end when the stream has taken them; a reader who has gone away (EPIPE) is no error. */
function createSink(stream: NodeJS.WriteStream) {
  let gone = false;
  stream.on('error', () => {
    gone = true;
  });
  return {
    write: (text: string): Promise<boolean> =>
      new Promise((resolve) => {
        if (gone) resolve(false);
        else stream.write(text, (error) => resolve(!error && !gone));
      }),
  };
}
