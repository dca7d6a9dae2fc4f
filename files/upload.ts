/** Puts files where they are missing: many at once, tried again when that can help. */
import { setMaxListeners } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type ErrorBody, errorCodes, SphereError } from '../contract/errors.ts';
import { forEachBounded } from './bounded.ts';

export type UploadItem = {
  /** The file to send. */
  path: string;
  /** Where to `PUT` it, and with what. */
  url: string;
  headers: Record<string, string>;
  bytes: number;
};

export type UploadOptions = {
  concurrency: number;
  /** Sent as a bearer token to every URL. */
  token?: string;
  signal?: AbortSignal;
  /** Told after each file. */
  uploaded?: (item: UploadItem) => void;
  /** How often one file is tried. Default: 6. */
  tries?: number;
  /** The longest first wait between tries in milliseconds; doubles each time. Default: 250. */
  backoffMs?: number;
};

export type UploadFigures = {
  files: number;
  bytes: number;
  /** Tries that failed and were made again. */
  retries: number;
};

/** No wait between two tries is longer, whatever a server asks for. */
const longestWaitMs = 30_000;
/** Without an answer for this long, a try has failed. */
const silenceMs = 60_000;
const smallBytes = 1024 * 1024;

/** A store's answer that a signed URL is not good: it has run out, or never was. Stands as the cause of the error. */
type SignatureRefused = { signatureRefused: true };

/** Whether `error` says that a store did not accept the URL that it was given: a new one may be. */
export function isSignatureRefused(error: unknown): boolean {
  const cause =
    error instanceof SphereError ? (error.cause as Partial<SignatureRefused> | undefined) : undefined;
  return cause?.signatureRefused === true;
}

/**
 * Uploads `items`, each with a `PUT`. Network failures, 408, 429 and 5xx are tried again, with the wait that the server
 * asks for or growing random ones. The first failure that is final ends the rest and is thrown: the server's own error
 * where it sent one of ours, else INFRASTRUCTURE; the signal's reason after an abort. When a store refuses a signed URL,
 * what is under way is still completed.
 */
export async function uploadMissing(
  items: readonly UploadItem[],
  options: UploadOptions,
): Promise<UploadFigures> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  // Each upload listens to it, and more than ten listeners look like a leak to Node.
  setMaxListeners(0, signal);
  const agent = new Agent({
    connections: options.concurrency,
    connect: { timeout: 10_000 },
    headersTimeout: silenceMs,
    bodyTimeout: silenceMs,
  });
  const figures: UploadFigures = { files: 0, bytes: 0, retries: 0 };
  try {
    await forEachBounded(items, options.concurrency, async (item) => {
      try {
        const retries = await uploadOne(item, options, agent, signal);
        figures.retries += retries;
      } catch (error) {
        if (!isSignatureRefused(error)) stop.abort(error);
        throw error;
      }
      figures.files += 1;
      figures.bytes += item.bytes;
      options.uploaded?.(item);
    });
  } finally {
    await agent.destroy();
  }
  return figures;
}

/** Returns how often it was tried again. */
async function uploadOne(
  item: UploadItem,
  { token, tries = 6, backoffMs = 250 }: UploadOptions,
  agent: Agent,
  signal: AbortSignal,
): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await put(item, token, agent, signal);
    if (outcome === null) return attempt - 1;
    signal.throwIfAborted();
    if (!outcome.again || attempt >= tries) throw outcome.error;
    const growing = Math.random() * backoffMs * 2 ** (attempt - 1);
    await wait(Math.min(outcome.retryAfterMs ?? growing, longestWaitMs), undefined, { signal });
  }
}

type Failure = { error: Error; again: boolean; retryAfterMs?: number };

/** Null when the file arrived. Throws what reading the file throws, and the reason of an abort. */
async function put(
  item: UploadItem,
  token: string | undefined,
  agent: Agent,
  signal: AbortSignal,
): Promise<Failure | null> {
  const body = item.bytes <= smallBytes ? await readFile(item.path) : createReadStream(item.path);
  try {
    const response = await request(item.url, {
      method: 'PUT',
      dispatcher: agent,
      signal,
      body,
      headers: {
        ...item.headers,
        'content-length': String(item.bytes),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
    });
    const text = await response.body.text();
    const status = response.statusCode;
    if (status >= 200 && status < 300) return null;
    const retryAfterMs = waitOf(response.headers['retry-after']);
    const error = refusal(item, status, text);
    return {
      error,
      again: (status === 408 || status === 429 || status >= 500) && !isDiskFull(error),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  } catch (cause) {
    signal.throwIfAborted();
    if (isFileError(cause)) throw cause;
    const seen = cause instanceof Error ? cause.message : String(cause);
    const message = `The upload of ${item.path} to ${new URL(item.url).host} failed: ${seen}.`;
    return {
      error: new SphereError('INFRASTRUCTURE', message, { hint: 'Try again.', cause }),
      again: true,
    };
  }
}

/** Trying again does not empty it. */
const isDiskFull = (error: SphereError) => error.code === 'DISK_FULL';

function isFileError(error: unknown): boolean {
  return (
    ['read', 'open'].includes((error as NodeJS.ErrnoException).syscall ?? '') && 'path' in (error as object)
  );
}

/** A `Retry-After` in milliseconds: seconds or a date. */
function waitOf(header: string | string[] | undefined): number | undefined {
  if (typeof header !== 'string') return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function refusal(item: UploadItem, status: number, text: string): SphereError {
  const body = errorIn(text);
  if (body !== null) return SphereError.fromBody(body);
  const { host } = new URL(item.url);
  // S3 refuses with 403 what has run out, and with 400 what was signed by credentials that have.
  const runOut = status === 403 || (status === 400 && /<Code>ExpiredToken<\/Code>/.test(text));
  const refused: SignatureRefused | undefined = runOut ? { signatureRefused: true } : undefined;
  return new SphereError(
    'INFRASTRUCTURE',
    `The upload of ${item.path} was answered with ${status} by ${host}: ${text.slice(0, 200)}`,
    { hint: 'Try again.', cause: refused },
  );
}

function errorIn(text: string): ErrorBody | null {
  try {
    const { error } = JSON.parse(text) as { error?: ErrorBody };
    return error !== undefined && errorCodes.includes(error.code) ? error : null;
  } catch {
    return null;
  }
}
