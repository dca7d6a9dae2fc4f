/** A command as a step of a GitHub workflow. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { githubOutputs } from '../action/github-runner.ts';

/** A step of a GitHub workflow whose files are in `directory`: what it leaves to the next ones and to the scripts around it. */
export function openWorkflow(directory: string) {
  const files = {
    output: join(directory, `output-${randomUUID()}`),
    events: join(directory, randomUUID()),
  };
  for (const file of Object.values(files)) writeFileSync(file, '');
  return {
    environment: {
      GITHUB_ACTIONS: 'true',
      GITHUB_OUTPUT: files.output,
      SPHERE_OUTPUT_FILE: files.events,
    },
    outputs: () => githubOutputs(readFileSync(files.output, 'utf8')),
    events: () =>
      readFileSync(files.events, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type as string),
  };
}
