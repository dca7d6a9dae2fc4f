/** The builder's program: reads its environment, runs one attempt (or with `--plan` only plans), and exits. */
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { SphereError } from '../contract/errors.ts';
import { exitCodeFor, runAttempt, Terminated } from './attempt.ts';
import { readConfig } from './config.ts';
import { planOnly } from './plan-only.ts';
import { openPlane } from './plane.ts';

async function main(): Promise<number> {
  const [mode, directory = '.', settings = '{}'] = process.argv.slice(2);
  if (mode === '--plan') {
    const answer = await planOnly(directory, settings, { nodeVersion: process.version.slice(1) });
    // Exits end what is written to a pipe in the background.
    await new Promise((resolve) => process.stdout.write(JSON.stringify(answer), resolve));
    return 0;
  }
  const config = readConfig();
  mkdirSync(config.workDirectory, { recursive: true, mode: 0o700 });
  const leave = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(name, () => leave.abort(new Terminated(128 + constants.signals[name])));
  }
  const plane = openPlane({
    url: config.planeUrl,
    deployment: config.deployment,
    attempt: config.attempt,
    bootstrapToken: config.bootstrapToken,
    signal: leave.signal,
  });
  const { version, platform, arch, execPath } = process;
  return runAttempt({
    config,
    plane,
    leave,
    running: { version: version.slice(1), program: execPath, platform, arch },
  });
}

main().then(
  (exitCode) => process.exit(exitCode),
  (error: unknown) => {
    const known = error instanceof SphereError;
    process.stderr.write(
      `${known ? `${error.message}\n${error.hint ?? ''}` : ((error as Error).stack ?? error)}\n`,
    );
    process.exit(exitCodeFor(error));
  },
);
