/** What later steps of a GitHub workflow get from a deployment: outputs, and a summary of the run. */
import { randomUUID } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import type { Deployment } from '../contract/api.ts';
import type { ErrorBody } from '../contract/errors.ts';
import { isEnded } from '../contract/words.ts';
import { type CiEnvironment, withGithubEvent } from './ci-environment.ts';
import type { GithubFiles } from './config.ts';
import { publishedLine, sourceText, statusText } from './summary.ts';

/** How a deployment came out. `deployment` is null when none was made; `said`: what was done in place of building it. */
export type GithubOutcome = {
  deployment: Deployment | null;
  error: ErrorBody | null;
  said?: string | undefined;
};

export type GithubResults = {
  /** There is a deployment: a job that is stopped from now on has its id. */
  created(deployment: Deployment): void;
  ended(outcome: GithubOutcome): void;
};

/** Appends to the runner's files (null: we are not on GitHub). What cannot be written is said once by `warn` and stops nothing. */
export function openGithubResults(files: GithubFiles | null, warn: (text: string) => void): GithubResults {
  let broken = files === null;
  const append = (name: string, file: string | null | undefined, text: string) => {
    if (broken || !file) return;
    try {
      appendFileSync(file, text);
    } catch (error) {
      broken = true;
      warn(`${name} cannot be written: ${(error as Error).message}.`);
    }
  };
  const outputs = (values: Record<string, string>) =>
    append('GITHUB_OUTPUT', files?.output, outputLines(values));
  return {
    created: ({ id }) => outputs({ id }),
    ended(outcome) {
      const { deployment, error } = outcome;
      outputs({
        ...(deployment ? { id: deployment.id } : {}),
        // Only what serves this deployment's content is its address: not of one that is still to be built.
        ...(deployment && error === null && isEnded(deployment.status) ? { url: deployment.url } : {}),
        status: deployment?.status ?? 'error',
      });
      append('GITHUB_STEP_SUMMARY', files?.summary, summaryText(outcome));
    },
  };
}

/** `name=value` lines in the form that no value can break out of. */
export function outputLines(values: Record<string, string>, newDelimiter: () => string = randomUUID): string {
  return Object.entries(values)
    .map(([name, value]) => {
      const end = `sphere_${newDelimiter()}`;
      return `${name}<<${end}\n${value}\n${end}\n`;
    })
    .join('');
}

/** The summary in Markdown. What builds have printed stands in blocks of code, where it is text. Pure. */
export function summaryText({ deployment, error, said }: GithubOutcome): string {
  const rows: [string, string][] = deployment
    ? [
        ['project', `\`${deployment.project}\``],
        ['site', deployment.url],
        ['status', statusText(deployment)],
        ['source', inCode(sourceText(deployment))],
        ['deployment', `\`${deployment.id}\``],
      ]
    : [];
  const published = deployment && error === null ? (said ?? publishedLine(deployment)) : null;
  return [
    `### ${error ? '❌' : '✅'} Sphere${deployment ? `: ${deployment.project}` : ''}`,
    ...(rows.length > 0
      ? [['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')]
      : []),
    ...(published ? [published] : []),
    ...(error ? [block([error.message, ...(error.details ?? [])].join('\n'))] : []),
    ...(error?.hint ? [block(error.hint)] : []),
    '',
  ].join('\n\n');
}

/** A fence longer than any in the text. */
function block(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${text}\n${fence}`;
}

/** A branch's name may hold what Markdown or a table would take for its own. */
const inCode = (text: string) => `\`${text.replaceAll('`', "'").replaceAll('|', '/')}\``;

/** What the event's payload adds to the environment; a file that cannot be read adds nothing. */
export function readGithubEvent(known: CiEnvironment, files: GithubFiles | null): CiEnvironment {
  if (!files?.event) return known;
  try {
    return withGithubEvent(known, JSON.parse(readFileSync(files.event, 'utf8')));
  } catch {
    return known;
  }
}
