/** An orderly end: what was opened is closed in reverse, each part under a deadline. */
import { SphereError } from '../contract/errors.ts';
import { within } from './within.ts';

/** How long one part's orderly end may take, in milliseconds. */
const closeWithinMs = 5_000;

/** Closes in reverse, each under a deadline, and goes on when one closer fails or hangs. */
export async function closeAll(closers: (() => Promise<void>)[], log: (line: string) => void): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await within(closeWithinMs, close()).catch((error: unknown) => log(describe('closing failed', error)));
  }
}

/** A line for the plane's own log. */
export function describe(message: string, error?: unknown): string {
  const time = new Date().toISOString();
  if (error === undefined) return `${time} ${message}`;
  if (error instanceof SphereError) {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return `${time} ${message}: ${error.code} ${error.message}${cause}`;
  }
  return `${time} ${message}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
