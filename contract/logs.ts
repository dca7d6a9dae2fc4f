/**
 * Log lines, and how they travel and are kept.
 *
 * A line is kept and sent as one JSON array, `[seq,time,phase,stream,text]`, one per `\n`: half the bytes of an object,
 * and a batch can go from disk to a follower as the bytes that it is. People and scripts get objects (`LogLine`).
 */
import type { LogStream, Phase } from './words.ts';

export type LogLine = {
  /** 1, 2, 3 … per deployment, across attempts, given by the plane alone. */
  seq: number;
  /** Milliseconds since 1970. */
  time: number;
  phase: Phase;
  stream: LogStream;
  /** One line without its line break. Of control sequences, only colours are left. */
  text: string;
};

/** A line before the plane has numbered it: `[time, phase, stream, text]`. */
export type NewLine = readonly [time: number, phase: Phase, stream: LogStream, text: string];

/** The longest text of one line in UTF-16 units; what is longer is cut, and says so. */
export const maxLineLength = 16_384;

/** The most that one batch from a builder may hold. */
export const batchLimits = { lines: 4_096, bytes: 1024 * 1024 } as const;

/** A numbered run of lines in their kept form. */
export type LogBatch = {
  /** seq of the first line. */
  first: number;
  /** seq of the last line. */
  last: number;
  /** The lines in their kept form, each with its `\n`. */
  lines: string;
};

/** The kept form of `line` under number `seq`, with its `\n`. */
export function encodeLine(seq: number, line: NewLine): string {
  return `[${seq},${line[0]},"${line[1]}","${line[2]}",${JSON.stringify(line[3])}]\n`;
}

/** The lines of a batch's kept form. */
export function decodeLines(lines: string): LogLine[] {
  if (lines === '') return [];
  const rows = JSON.parse(`[${lines.trimEnd().replaceAll('\n', ',')}]`) as [
    number,
    number,
    Phase,
    LogStream,
    string,
  ][];
  return rows.map(([seq, time, phase, stream, text]) => ({ seq, time, phase, stream, text }));
}

/**
 * The Socket.IO conversation, on path `/v1/socket`, WebSocket only, `auth: { token }` in the handshake.
 * The client asks to `follow`; the plane sends `batch`es of at most `maxBatchBytes`, asks at least once every `askEvery`
 * characters that one be acknowledged, and waits while `window` of those are not; after the deployment's last line it
 * sends `end`. A client that reconnects follows again with the last seq that it has: it gets every later line once.
 */
export const followPath = '/v1/socket';
export const followLimits = { maxBatchBytes: 256 * 1024, askEvery: 64 * 1024, window: 4 } as const;

export type FollowRequest = { deployment: string; after: number };
export type FollowAnswer = { ok: true } | { ok: false; error: import('./errors.ts').ErrorBody };

export type ClientEvents = {
  follow: (request: FollowRequest, answer: (answer: FollowAnswer) => void) => void;
};
export type PlaneEvents = {
  batch: (deployment: string, batch: LogBatch, received?: () => void) => void;
  /** No line follows. The deployment's status comes from REST. */
  end: (deployment: string, lastSeq: number) => void;
};
