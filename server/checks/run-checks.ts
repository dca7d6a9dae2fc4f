/** Runs checks side by side, each under a time limit: what hangs or throws is a failed check, too. */
import type { Check } from '../check.ts';

/** `name` stands for the whole when it fails as such. */
export type NamedChecks = { name: string; run: () => Promise<Check[]> };

/** What they came to, in the order of `checks`. */
export async function runChecks(checks: readonly NamedChecks[], timeoutMs = 20_000): Promise<Check[]> {
  return (await Promise.all(checks.map((check) => runOne(check, timeoutMs)))).flat();
}

async function runOne({ name, run }: NamedChecks, timeoutMs: number): Promise<Check[]> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Check[]>((resolve) => {
    timer = setTimeout(() => {
      const seen = `no answer within ${timeoutMs / 1000} s`;
      resolve([{ name, ok: false, seen, fix: 'Look at the network between this machine and that service.' }]);
    }, timeoutMs);
  });
  try {
    return await Promise.race([run(), late]);
  } catch (error) {
    return [{ name, ok: false, seen: describeError(error) }];
  } finally {
    clearTimeout(timer);
  }
}

/** An error as one line: what kind it is and what it says, with what caused it where that says more. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node gives a connection that failed on every address of a name no message, only the failures themselves.
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  const own = error.message.trim().replace(/\s*\n\s*/g, ' ');
  const kind = error.name === 'Error' || own.includes(error.name) ? '' : `${error.name}: `;
  if (!(inner instanceof Error) || own.includes(inner.message)) return `${kind}${own || 'no message'}`;
  return own === '' || own === 'fetch failed'
    ? describeError(inner)
    : `${kind}${own} (${describeError(inner)})`;
}
