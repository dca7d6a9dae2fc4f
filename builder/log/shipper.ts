/**
 * Sends log lines to the plane: in numbered batches, one in flight at a time, so that order needs no thought. A plane that
 * has lost what it had answered for gets it again, before anything new.
 */
import type { LogAnswer } from '../../contract/builder-api.ts';
import { batchLimits } from '../../contract/logs.ts';
import type { LogStream, Phase } from '../../contract/words.ts';
import { type Batch, createSentBatches } from './sent-batches.ts';

/** Sends the JSON text of one `LogRequest`; retries by itself, and rejects only when nothing more can be sent. */
export type SendBatch = (body: string) => Promise<LogAnswer>;

export type Shipper = {
  /** Takes lines for sending. Never waits: see `blocked`. */
  push(lines: readonly string[], phase: Phase, stream: LogStream): void;
  /** More is waiting than should be: whoever reads output stops reading until `unblocked` has been called. */
  readonly blocked: boolean;
  /** Sends what is waiting, and resolves when the plane has it all. Rejects as `send`. */
  flush(): Promise<void>;
};

export type ShipperOptions = {
  send: SendBatch;
  /** Called when `blocked` has become false again. */
  unblocked: () => void;
  /** Called once when a batch could not be sent. Nothing is sent from then on. */
  failed: (error: unknown) => void;
};

/** For how long a first line waits for company. */
const gatherMs = 25;
/** Bytes that wait while a request is away: a second or two of the fastest output, or all of a slow one's. */
const waterMarks = { high: 8 * 1024 * 1024, low: 2 * 1024 * 1024 } as const;

/** Of a batch: leaves room for quotes and colours, which JSON escapes. */
const batchCharacters = 0.75 * batchLimits.bytes;
/** A line's envelope in JSON, beside its text. */
const lineOverhead = 40;

/** Lines that came together. Kept so, because what is done once per chunk of output costs nothing. */
type Run = { texts: readonly string[]; start: number; prefix: string };

export function createShipper({ send, unblocked, failed }: ShipperOptions): Shipper {
  let waiting: Run[] = [];
  let waitingLines = 0;
  let waitingBytes = 0;
  const sent = createSentBatches();
  let batch = 0;
  let blocked = false;
  let flushing = false;
  let ended: { error: unknown } | 'full' | null = null;
  let timer: NodeJS.Timeout | null = null;
  let sending: Promise<void> | null = null;

  /** Sends `batch`, and before it those that the plane asks for again. True when the log is full. */
  const deliver = async (batch: Batch): Promise<boolean> => {
    for (let next = batch.number; next <= batch.number; ) {
      const body = next === batch.number ? batch.body : sent.bodyOf(next);
      const { full, again, kept } = await send(body);
      if (full === true) return true;
      if (again === undefined) next++;
      else if (again < next) next = again;
      else throw new Error(`the plane answered batch ${next} with a request for batch ${again}`);
      if (next > batch.number) sent.answered(batch, kept);
    }
    return false;
  };

  const sendAll = async (): Promise<void> => {
    while (waitingLines > 0 && ended === null) {
      try {
        if (await deliver(takeBatch())) ended = 'full';
      } catch (error) {
        ended = { error };
        failed(error);
      }
      if (ended !== null) {
        waiting = [];
        waitingLines = 0;
        waitingBytes = 0;
      }
      if (blocked && waitingBytes <= waterMarks.low) {
        blocked = false;
        unblocked();
      }
      // What came meanwhile and is little gets company first.
      if (!flushing && !isBatchFull()) break;
    }
  };

  const start = (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    sending ??= sendAll().finally(() => {
      sending = null;
      if (waitingLines > 0) schedule();
    });
    return sending;
  };

  const schedule = () => {
    if (sending !== null || timer !== null) return;
    timer = setTimeout(start, gatherMs);
  };

  const isBatchFull = () => waitingBytes >= batchLimits.bytes || waitingLines >= batchLimits.lines;

  /** The oldest lines as JSON, within `batchLimits`. */
  const takeBatch = (): Batch => {
    batch += 1;
    for (let limit: number = batchLimits.lines; ; limit = Math.ceil(limit / 4)) {
      const taken = encode(waiting, limit);
      const body = `{"batch":${batch},"lines":[${taken.parts.join(',')}]}`;
      // Sizes are counted in characters on the way: text of many bytes a character is found here.
      if (taken.parts.length > 1 && Buffer.byteLength(body) > batchLimits.bytes) continue;
      waiting = taken.rest;
      waitingLines -= taken.parts.length;
      waitingBytes = waitingLines === 0 ? 0 : waitingBytes - taken.bytes;
      return { number: batch, body, lines: taken.parts.length };
    }
  };

  return {
    get blocked() {
      return blocked;
    },
    push(lines, phase, stream) {
      if (ended !== null || lines.length === 0) return;
      waiting.push({ texts: lines, start: 0, prefix: `[${Date.now()},"${phase}","${stream}",` });
      waitingLines += lines.length;
      for (const text of lines) waitingBytes += text.length + lineOverhead;
      if (waitingBytes > waterMarks.high) blocked = true;
      if (isBatchFull()) void start();
      else schedule();
    },
    async flush() {
      flushing = true;
      while (waitingLines > 0 || sending !== null) await start();
      flushing = false;
      if (ended !== null && ended !== 'full') throw ended.error;
    },
  };
}

/** At most `limit` of the oldest lines in JSON, fewer where they are long, and what is left. */
function encode(waiting: readonly Run[], limit: number): { parts: string[]; bytes: number; rest: Run[] } {
  const parts: string[] = [];
  let bytes = 0;
  for (const [index, { texts, start, prefix }] of waiting.entries()) {
    for (let at = start; at < texts.length; at++) {
      const text = texts[at] as string;
      const size = text.length + lineOverhead;
      if (parts.length === limit || (parts.length > 0 && bytes + size > batchCharacters)) {
        return { parts, bytes, rest: [{ texts, start: at, prefix }, ...waiting.slice(index + 1)] };
      }
      bytes += size;
      parts.push(`${prefix}${JSON.stringify(text)}]`);
    }
  }
  return { parts, bytes, rest: [] };
}
