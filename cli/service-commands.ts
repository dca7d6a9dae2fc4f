/**
 * Build services read a job's output and obey what looks like their commands (`::add-mask::…`, `##vso[…]`). What a build
 * prints must not command them, and GitHub's are used for groups and annotations.
 */
import { randomUUID } from 'node:crypto';

export type GithubCommands = {
  /** `text` as it may be written: the runner obeys nothing in it. */
  inert(text: string): string;
  /** One command that the runner obeys, as whole lines. */
  command(name: 'group' | 'endgroup' | 'error' | 'warning', message?: string, title?: string): string;
  /** What gives the runner its commands back, at the end. */
  release(): string;
};

/**
 * GitHub's own means: `::stop-commands::TOKEN`, and `::TOKEN::` to go on. Everything is written in the stopped state, also
 * what Sphere says, as it quotes what builds have printed; every token is used once, as the one before has been shown.
 */
export function createGithubCommands(newToken: () => string = randomUUID): GithubCommands {
  let token: string | null = null;
  const stop = () => {
    if (token !== null) return '';
    token = newToken();
    return `::stop-commands::${token}\n`;
  };
  const release = () => {
    const line = token === null ? '' : `::${token}::\n`;
    token = null;
    return line;
  };
  return {
    inert: (text) => stop() + text,
    command: (name, message = '', title) => {
      const properties = title === undefined ? '' : ` title=${escapeProperty(title)}`;
      return `${release()}::${name}${properties}::${escapeMessage(message)}\n${stop()}`;
    },
    release,
  };
}

const escapeMessage = (text: string) =>
  text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const escapeProperty = (text: string) => escapeMessage(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/**
 * What each service takes for a command, where it cannot be told to stop: a space is put into it. On GitHub this is for
 * stdout, which holds nothing but the result. (`##[` is GitHub's old form, looked for anywhere in a line.)
 */
const commandSigns: Record<string, readonly [sign: RegExp, instead: string][]> = {
  'GitHub Actions': [
    [/^([^\S\n]*:)(?=:)/gm, '$1 '],
    [/##\[/g, '## ['],
  ],
  'Azure Pipelines': [[/##(?=vso\[)/gi, '## ']],
  TeamCity: [[/##(?=teamcity\[)/gi, '## ']],
};

/** `text` without anything that `service` would take for a command. Null: no service reads along. */
export function defuse(text: string, service: string | null): string {
  const signs = service === null ? undefined : commandSigns[service];
  if (signs === undefined) return text;
  return signs.reduce((safe, [sign, instead]) => safe.replace(sign, instead), text);
}
