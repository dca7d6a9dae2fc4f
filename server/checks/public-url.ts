/** `sphere server check`: the address that people are given answers. */
import { z } from 'zod';
import type { Check } from '../check.ts';
import { describeError } from './run-checks.ts';

const healthSchema = z.object({ status: z.literal('ok'), version: z.string() });

/**
 * Never a failure: at the first set-up nothing runs yet, and from inside a network its outer address may lead nowhere.
 * Then `fix` says what to look at.
 */
export async function checkPublicUrl(publicUrl: string): Promise<Check[]> {
  const name = 'public address';
  const url = `${publicUrl}/v1/health`;
  const wrong = (what: string): Check[] => [
    {
      name,
      ok: true,
      seen: `${url} ${what} (only a warning)`,
      fix: 'Once a replica runs behind the proxy, look at it from outside: `curl -i` with that address. Builds need it, too.',
    },
  ];
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000), redirect: 'manual' });
    const text = await response.text();
    const health = healthSchema.safeParse(response.status === 200 ? JSON.parse(text) : null);
    if (!health.success) return wrong(`answers with HTTP ${response.status}, and not as a plane does`);
    return [{ name, ok: true, seen: `${publicUrl} answers: Sphere ${health.data.version}` }];
  } catch (error) {
    if (error instanceof SyntaxError) return wrong('answers, and not as a plane does');
    return wrong(`does not answer from here: ${describeError(error)}`);
  }
}
