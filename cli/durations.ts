/** Durations and instants as people type them into flags. Pure. */
import { SphereError } from '../contract/errors.ts';

const unitMs: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `text` in milliseconds: `90s`, `5m`, `2h`, `1d`, or seconds without a unit. Null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(s|m|min|h|d)?$/.exec(text.trim());
  if (!match) return null;
  const ms = Number(match[1]) * (unitMs[(match[2] ?? 's').charAt(0)] as number);
  return ms > 0 && ms <= 366 * 86_400_000 ? ms : null;
}

/** What `--timeout` says, in milliseconds. Throws `USAGE`. */
export function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  throw new SphereError('USAGE', `--timeout takes a duration such as 90s, 5m or 1h, not "${text}".`);
}

/** What `--since` says, in milliseconds since 1970: so long before `now`, or an instant. Throws `USAGE`. */
export function readSince(text: string, now: number): number {
  const ms = parseDuration(text);
  if (ms !== null) return now - ms;
  const instant = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(instant)) return instant;
  throw new SphereError(
    'USAGE',
    `--since takes a duration such as 10m or an instant such as 2026-03-01T12:00:00Z, not "${text}".`,
  );
}
