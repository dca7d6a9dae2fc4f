/** Which failures of a request to S3 are worth another try, and how long to wait between tries. */
import { setTimeout as wait } from 'node:timers/promises';

/** Failures of the moment, by the codes that S3 gives them. */
const passing: ReadonlySet<string> = new Set([
  'BadGateway',
  'InternalError',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TimeoutError',
  'TooManyRequestsException',
]);

/**
 * A request came too late for its signature, while the time within which it may write goes on: that is longer after each
 * renewal of the lease behind it.
 */
export class TooLate extends Error {
  override name = 'TooLate';
}

/** No single wait is longer, in milliseconds. */
const longestWaitMs = 20_000;
const tries = 10;

/** The name that S3, the SDK or Node gave the failure. */
export function nameOf(error: unknown): string {
  const { name, Code, code } = error as { name?: string; Code?: string; code?: string };
  return Code ?? (name === undefined || name === 'Error' ? (code ?? 'Error') : name);
}

/** The status with which S3 answered, if it did. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/**
 * Whether the same request may succeed a little later: S3 is busy or failing (500, 503), another change of the same
 * bucket is under way (409 OperationAborted, T3), the connection broke, or the request came too late.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof TooLate || passing.has(nameOf(error))) return true;
  const status = statusOf(error);
  if (status !== undefined) return status >= 500 || status === 408 || status === 429;
  return isConnectionFailure(error);
}

function isConnectionFailure(error: unknown): boolean {
  const { code, syscall, message = '' } = error as NodeJS.ErrnoException;
  if (syscall !== undefined || (code !== undefined && /^(?:E[A-Z]+|HPE_.*|UND_ERR_.*)$/.test(code)))
    return true;
  // An answer that was cut: the SDK could not read its end.
  return /socket hang up|aborted|premature|Unexpected (?:end|EOF)/i.test(message);
}

/**
 * Calls `work` until it succeeds, with random waits that double, while its failures are passing. Throws the first
 * failure that is not, the last one after ten tries, and the signal's reason at once when it is aborted.
 */
export async function retrying<T>(
  work: () => Promise<T>,
  { backoffMs, signal }: { backoffMs: number; signal?: AbortSignal | undefined },
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= tries || !isPassing(error)) throw error;
      const most = Math.min(longestWaitMs, backoffMs * 2 ** (attempt - 1));
      await wait(most * (0.5 + Math.random() / 2), undefined, { signal });
    }
  }
}
