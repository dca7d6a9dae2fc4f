/** The plain environment values of one deployment: `--env`, and `env` in `sphere.json`. Pure. */
import type { DeploymentEnvironment } from '../contract/environment-api.ts';
import { environmentNameProblem, environmentValueProblem } from '../contract/environment-values.ts';
import { SphereError } from '../contract/errors.ts';

/** Each `NAME=VALUE`. The two flags are one thing: a static site has no other environment than that of its build. */
export type EnvironmentFlags = { env?: string[]; buildEnv?: string[]; prebuilt?: string };

/**
 * What the flags and the file say, or undefined for nothing. Throws `USAGE` for what is not `NAME=VALUE` (without
 * repeating it) and for names that cannot be.
 */
export function deploymentEnvironment(
  flags: EnvironmentFlags,
  file: Readonly<Record<string, string>> | undefined,
): DeploymentEnvironment | undefined {
  const texts = [...(flags.env ?? []), ...(flags.buildEnv ?? [])];
  if (flags.prebuilt !== undefined) {
    if (texts.length === 0) return undefined;
    throw new SphereError(
      'USAGE',
      '--prebuilt builds nothing, so that nothing would read the values of --env.',
      {
        hint: 'Leave one of the two out.',
      },
    );
  }
  const given = Object.fromEntries(texts.map(readValue));
  const environment: DeploymentEnvironment = {
    ...(texts.length === 0 ? {} : { given }),
    ...(file === undefined || Object.keys(file).length === 0 ? {} : { file: { ...file } }),
  };
  return Object.keys(environment).length === 0 ? undefined : environment;
}

function readValue(text: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at === -1) {
    throw new SphereError('USAGE', '--env takes NAME=VALUE, and there is a word without "=".', {
      hint: 'Secrets do not belong into command lines: `sphere env add NAME` keeps them.',
    });
  }
  const name = text.slice(0, at);
  const value = text.slice(at + 1);
  const problem = environmentNameProblem(name) ?? environmentValueProblem(value);
  if (problem === null) return [name, value];
  throw new SphereError('USAGE', `--env: "${name.slice(0, 200)}" ${problem}.`);
}
