/** The CLI's only reader of the environment. */
import { homedir } from 'node:os';
import path from 'node:path';
import { defaultHome } from '../contract/embedded.ts';
import { cliEnvironment } from '../contract/environment.ts';
import { type CiEnvironment, readCiEnvironment } from './ci-environment.ts';

export type VariableName = keyof typeof cliEnvironment;

/** What the environment says, read once. */
export type Environment = {
  /** Sphere's own variables that are set and not empty. */
  variables: Partial<Record<VariableName, string>>;
  /** What the host of this job says of it to whom it may concern; null: it says nothing. */
  job: JobIdentity | null;
  /** Nobody is there to answer, even where there is a terminal. */
  ci: boolean;
  /** What the build service says of the code, where one is known. */
  ciRun: CiEnvironment | null;
  /** GitHub's runner reads along, and obeys lines that look like its commands. Its files; null elsewhere. */
  github: GithubFiles | null;
  /** What `NO_COLOR` and `FORCE_COLOR` ask for. */
  colour: 'never' | 'always' | 'auto';
  /** The embedded plane's data directory, absolute. */
  home: string;
  /** The file of the sign-ins, absolute. */
  credentials: string;
  /** The environment for child processes: everything but what only the CLI may know. */
  forChildren: NodeJS.ProcessEnv;
};

/** Where GitHub's runner expects results and gives the event; a path that is not set is null. */
export type GithubFiles = { output: string | null; summary: string | null; event: string | null };
/** How a job can show what it is: GitHub's runner is asked for an ID token, GitLab's gives one. */
export type JobIdentity =
  | { kind: 'github'; requestUrl: string; requestToken: string }
  | { kind: 'given'; idToken: string };

/** By these, whoever has them can be the job. */
const identityVariables = ['ACTIONS_ID_TOKEN_REQUEST_URL', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'] as const;

// The variables by which build services that do not all set CI make themselves known.
const ciVariables = ['CI', 'CONTINUOUS_INTEGRATION', 'BUILD_NUMBER'];

/** Reads `env` (the process environment) for a CLI started in `cwd` on `platform`. */
export function readEnvironment(
  env: NodeJS.ProcessEnv,
  cwd: string,
  platform: NodeJS.Platform = process.platform,
): Environment {
  const variables: Environment['variables'] = {};
  for (const name of Object.keys(cliEnvironment) as VariableName[]) {
    if (env[name]) variables[name] = env[name];
  }
  const forChildren = { ...env };
  for (const name of [...Object.keys(cliEnvironment), ...identityVariables]) delete forChildren[name];
  const ciRun = readCiEnvironment(env);
  return {
    variables,
    job: readJob(env),
    ci: ciRun !== null || ciVariables.some((name) => env[name] && env[name] !== 'false' && env[name] !== '0'),
    ciRun,
    github: ciRun?.service === 'GitHub Actions' ? githubFiles(env) : null,
    colour: wantedColour(env),
    home: variables.SPHERE_HOME
      ? path.resolve(cwd, variables.SPHERE_HOME)
      : defaultHome(env, { platform, homeDirectory: homedir() }),
    credentials: path.join(configDirectory(env), 'sphere', 'credentials.json'),
    forChildren,
  };
}

function githubFiles(env: NodeJS.ProcessEnv): GithubFiles {
  const { GITHUB_OUTPUT, GITHUB_STEP_SUMMARY, GITHUB_EVENT_PATH } = env;
  return {
    output: GITHUB_OUTPUT || null,
    summary: GITHUB_STEP_SUMMARY || null,
    event: GITHUB_EVENT_PATH || null,
  };
}

function readJob(env: NodeJS.ProcessEnv): JobIdentity | null {
  if (env.SPHERE_ID_TOKEN) return { kind: 'given', idToken: env.SPHERE_ID_TOKEN };
  const [requestUrl, requestToken] = identityVariables.map((name) => env[name]);
  return requestUrl && requestToken ? { kind: 'github', requestUrl, requestToken } : null;
}

function wantedColour(env: NodeJS.ProcessEnv): Environment['colour'] {
  if (env.NO_COLOR) return 'never';
  if (env.FORCE_COLOR === undefined) return env.TERM === 'dumb' ? 'never' : 'auto';
  return env.FORCE_COLOR === '0' || env.FORCE_COLOR === 'false' ? 'never' : 'always';
}

/** Where programs keep their settings, on macOS too: command-line tools there do the same. */
function configDirectory(env: NodeJS.ProcessEnv): string {
  const { XDG_CONFIG_HOME: named } = env;
  return named && path.isAbsolute(named) ? named : path.join(homedir(), '.config');
}
