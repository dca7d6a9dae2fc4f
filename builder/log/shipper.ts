/** Sends log lines to the plane: in numbered batches, one in flight at a time, so that order needs no thought. */
import type { LogAnswer } from '../../contract/builder-api.ts';
import { batchLimits, type NewLine } from '../../contract/logs.ts';
import type { LogStream, Phase } from '../../contract/words.ts';

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

/** The envelope of a batch in JSON, and of a line beside its text. */
const batchOverhead = 64;
const lineOverhead = 48;

export function createShipper({ send, unblocked, failed }: ShipperOptions): Shipper {
  let waiting: NewLine[] = [];
  let waitingBytes = 0;
  let batch = 0;
  let blocked = false;
  let ended: { error: unknown } | 'full' | null = null;
  let timer: NodeJS.Timeout | null = null;
  let sending: Promise<void> | null = null;

  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0 && ended === null) {
      const body = takeBatch();
      try {
        const { full } = await send(body);
        if (full === true) ended = 'full';
      } catch (error) {
        ended = { error };
        failed(error);
      }
      if (ended !== null) {
        waiting = [];
        waitingBytes = 0;
      }
      if (blocked && waitingBytes <= waterMarks.low) {
        blocked = false;
        unblocked();
      }
      // What came meanwhile and is little gets company first.
      if (!flushing && waitingBytes < batchLimits.bytes && waiting.length < batchLimits.lines) break;
    }
  };

  let flushing = false;
  const start = (): Promise<void> => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    sending ??= sendAll().finally(() => {
      sending = null;
      if (waiting.length > 0) schedule();
    });
    return sending;
  };

  const schedule = () => {
    if (sending !== null || timer !== null) return;
    timer = setTimeout(start, gatherMs);
  };

  /** The oldest lines as JSON, within `batchLimits`. */
  const takeBatch = (): string => {
    batch += 1;
    const parts: string[] = [];
    let bytes = batchOverhead;
    for (const [time, phase, stream, text] of waiting) {
      if (parts.length === batchLimits.lines) break;
      const line = `[${time},"${phase}","${stream}",${JSON.stringify(text)}]`;
      const size = Buffer.byteLength(line) + 1;
      if (parts.length > 0 && bytes + size > batchLimits.bytes) break;
      bytes += size;
      parts.push(line);
    }
    const rest = waiting.slice(parts.length);
    waitingBytes = rest.length === 0 ? 0 : waitingBytes - weigh(waiting, parts.length);
    waiting = rest;
    return `{"batch":${batch},"lines":[${parts.join(',')}]}`;
  };

  return {
    get blocked() {
      return blocked;
    },
    push(lines, phase, stream) {
      if (ended !== null || lines.length === 0) return;
      const time = Date.now();
      for (const text of lines) {
        waiting.push([time, phase, stream, text]);
        waitingBytes += text.length + lineOverhead;
      }
      if (waitingBytes > waterMarks.high) blocked = true;
      if (waitingBytes >= batchLimits.bytes || waiting.length >= batchLimits.lines) void start();
      else schedule();
    },
    async flush() {
      flushing = true;
      while (waiting.length > 0 || sending !== null) await start();
      flushing = false;
      if (ended !== null && ended !== 'full') throw ended.error;
    },
  };
}

function weigh(lines: readonly NewLine[], count: number): number {
  let bytes = 0;
  for (let index = 0; index < count; index++) bytes += (lines[index]?.[3].length ?? 0) + lineOverhead;
  return bytes;
}
