/** What becomes of each line of another tool's settings: taken into `sphere.json`, or left out and why. */
import type { Configuration, Redirect } from '../../contract/configuration.ts';
import { environmentNameProblem, environmentValueProblem } from '../../contract/environment-values.ts';

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
  /** A value for builds. What cannot be one is left out. */
  environment(from: string, name: string, value: unknown): void;
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
    environment(from, name, value) {
      if (typeof value === 'object') return leave(from, 'it is no text');
      const text = String(value);
      const problem = environmentNameProblem(name) ?? environmentValueProblem(text);
      if (problem !== null) return leave(from, `it ${problem}`);
      if ((configuration.env?.[name] ?? text) !== text)
        return leave(from, 'it was taken from elsewhere already');
      configuration.env = { ...configuration.env, [name]: text };
      findings.push({ from, to: 'env', text: `where it is a secret: \`sphere env add ${name}\` instead` });
    },
  };
}

/** The statuses of redirects that `sphere.json` knows. */
export function isRedirectStatus(status: number): status is NonNullable<Redirect['statusCode']> {
  return [301, 302, 303, 307, 308].includes(status);
}
