/** What becomes of each line of another tool's settings: taken into `sphere.json`, or left out and why. */
import type { Configuration, Redirect } from '../../contract/configuration.ts';

/** `to`: the key of `sphere.json`; null when it is left out. `text`: what is to be known of it. */
export type Finding = { from: string; to: string | null; text: string };

export type Imported = { configuration: Configuration; findings: Finding[] };

export type Collector = Imported & {
  take<Key extends keyof Configuration>(
    from: string,
    key: Key,
    value: Configuration[Key],
    text?: string,
  ): void;
  redirect(from: string, rule: Redirect, text?: string): void;
  headers(from: string, source: string, headers: Record<string, string>): void;
  leave(from: string, why: string): void;
};

/** Gathers settings; a key that was taken once stays as it is. */
export function collect(): Collector {
  const configuration: Configuration = {};
  const findings: Finding[] = [];
  const leave = (from: string, text: string) => void findings.push({ from, to: null, text });
  return {
    configuration,
    findings,
    leave,
    take(from, key, value, text = '') {
      const known = configuration[key];
      if (known !== undefined && JSON.stringify(known) !== JSON.stringify(value)) {
        return leave(from, `"${key}" was taken from elsewhere already`);
      }
      configuration[key] = value;
      findings.push({ from, to: key, text });
    },
    redirect(from, rule, text = '') {
      configuration.redirects = [...(configuration.redirects ?? []), rule];
      findings.push({ from, to: 'redirects', text });
    },
    headers(from, source, headers) {
      configuration.headers = [...(configuration.headers ?? []), { source, headers }];
      findings.push({ from, to: 'headers', text: '' });
    },
  };
}

/** The statuses of redirects that `sphere.json` knows. */
export function isRedirectStatus(status: number): status is NonNullable<Redirect['statusCode']> {
  return [301, 302, 303, 307, 308].includes(status);
}
