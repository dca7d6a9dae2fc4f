/**
 * The one owner of what the CLI prints: the result on stdout, everything else on stderr. Passed in, never imported as a
 * value.
 */
import type { ChalkInstance } from 'chalk';
import type { ErrorBody } from '../contract/errors.ts';
import { createActivity } from './activity.ts';
import { createGithubCommands, defuse } from './service-commands.ts';
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
  /** Its name, where it is known: what builds print must not command it. */
  service: string | null;
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
  /** The heading of what follows; on a terminal the spinner says it. On GitHub a group that can be folded. */
  section(title: string): void;
  /** Nothing more belongs under the last heading. */
  endSection(): void;
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
  const github = settings.service === 'GitHub Actions' ? createGithubCommands() : null;
  const stdout = createSink(settings.stdout);
  const stderr = createSink(settings.stderr);
  /** Text on stderr: nobody is commanded by it. */
  const say = (text: string) => stderr.write(github ? github.inert(text) : defuse(text, settings.service));
  const activity = createActivity({
    stream: settings.stderr,
    live,
    beat: (text) => void say(`${text}\n`),
  });
  const paint = (style: Style, text: string) => (chalk ? chalk[style](text) : text);
  const clean = (text: string) => cleanText(text, chalk !== null);
  let inSection = false;

  const note = (text: string) => {
    activity.spoke();
    void say(`${clean(text)}\n`);
  };
  const endSection = () => {
    if (inSection && github) void stderr.write(github.command('endgroup'));
    inSection = false;
  };
  /** On GitHub an annotation, which is shown beside the run as well. */
  const annotate = (kind: 'error' | 'warning', text: string, title?: string) => {
    if (!github) return false;
    activity.spoke();
    void stderr.write(github.command(kind, cleanText(text, false), title));
    return true;
  };
  return {
    json,
    live,
    resultSeen: settings.stdout.isTTY === true,
    columns: settings.stdout.isTTY ? settings.stdout.columns : null,
    paint,
    note,
    warn: (text) => {
      if (!annotate('warning', text)) note(`${paint('yellow', 'Warning:')} ${text}`);
    },
    error: (body) => {
      activity.idle();
      endSection();
      const message = sentence(body.message);
      if (!annotate('error', message, `Sphere: ${body.code}`)) {
        note(`${paint('red', 'Error:')} ${message}`);
      }
      for (const line of body.details ?? []) {
        if (!body.message.includes(line)) note(paint('dim', `  ${line.replaceAll('\n', '\n  ')}`));
      }
      if (body.hint) note(body.hint);
    },
    section: (title) => {
      endSection();
      inSection = true;
      if (live) return;
      activity.spoke();
      if (github) void stderr.write(github.command('group', title));
      else note(`--- ${title}`);
    },
    endSection,
    lines: async (text) => {
      activity.spoke();
      await say(clean(text));
    },
    busy: activity.busy,
    idle: activity.idle,
    result: (text) => stdout.write(text),
    resultLines: (text) => stdout.write(defuse(cleanText(text, settings.resultColours), settings.service)),
    close: async () => {
      activity.idle();
      endSection();
      await Promise.all([stdout.write(''), stderr.write(github?.release() ?? '')]);
    },
  };
}

/** Words that a clause of a plane begins with. Another word at the beginning may be a name, which stays as it is. */
const firstWords = new Set(
  (
    'a an another attempt batch builds cancelled content git its jobs no only port publishing something superseded ' +
    'the there this two what'
  ).split(' '),
);

/** What a plane says as a clause, as people read it. */
function sentence(text: string): string {
  const [word = ''] = /^[a-z]+(?= )/.exec(text) ?? [];
  const begun = firstWords.has(word) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return /[\w"'`)\]]$/.test(begun) && !begun.includes('\n') ? `${begun}.` : begun;
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
