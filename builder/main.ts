/**
 * The builder's program: reads its environment, runs one attempt, and exits. With `--plan` it only plans, with `--version`
 * it says which contract it keeps, as what publishes its image wants to know.
 */
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { SphereError } from '../contract/errors.ts';
import { builderContractVersion, version as sphereVersion } from '../contract/version.ts';
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
  if (mode === '--version') {
    process.stdout.write(`${JSON.stringify({ version: sphereVersion, contract: builderContractVersion })}\n`);
    return 0;
  }
  const config = readConfig();
  // Another user's commands must be able to enter it.
  mkdirSync(config.workDirectory, { recursive: true, mode: config.buildUser === null ? 0o700 : 0o755 });
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
      `${known ? [error.message, ...(error.details ?? []), error.hint ?? ''].join('\n') : ((error as Error).stack ?? error)}\n`,
    );
    process.exit(exitCodeFor(error));
  },
);
