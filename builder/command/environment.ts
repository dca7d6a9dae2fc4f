/** The environment of the user's commands: an allow-list, so that no secret of the machine is in it. */
import { delimiter, join } from 'node:path';
import type { buildEnvironment } from '../../contract/environment.ts';

type Environment = Record<string, string | undefined>;

/** What commands need of a machine: where programs, home and temporary files are, and how they show text. */
const machineNames =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|TERM|COLORTERM|LANG|LANGUAGE|LC_[A-Z]+|TZ|TMPDIR|XDG_(?:CACHE|CONFIG|DATA|STATE)_HOME)$/;

/** How programs reach the network from this machine. Programs differ in which of the two cases they read. */
const networkNames =
  /^(?:(?:https?|ftp|all|no)_proxy|NODE_EXTRA_CA_CERTS|NODE_USE_SYSTEM_CA|SSL_CERT_(?:FILE|DIR)|NIX_SSL_CERT_FILE|GIT_SSL_CAINFO|GIT_SSL_CAPATH|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|AWS_CA_BUNDLE)$/i;

/**
 * Where packages come from and where downloads are kept. Of npm's settings only these: `npx` and `npm run` add dozens
 * that describe themselves (`npm_config_local_prefix` …) and would lead the build's own npm astray.
 */
const registryNames =
  /^(?:npm_config_(?:registry|@[^:]+:registry|ca|cafile|strict_ssl|proxy|https_proxy|http_proxy|noproxy|cache|userconfig|globalconfig|fetch_(?:retries|timeout|retry_\w+)|maxsockets|store_dir)|yarn_(?:registry|npm_registry_server|cache_folder|global_folder|https?_proxy|https_ca_file_path|enable_strict_ssl)|bun_config_registry|bun_install_cache_dir|corepack_npm_registry)$/i;

/** What git needs beside that: the keys and settings of the user who runs the builder. */
const gitNames =
  /^(?:SSH_AUTH_SOCK|SSH_AGENT_PID|GIT_SSH|GIT_SSH_COMMAND|GIT_SSH_VARIANT|GIT_CONFIG_(?:GLOBAL|SYSTEM))$/;

function keep(machine: Environment, ...names: RegExp[]): Environment {
  return Object.fromEntries(
    Object.entries(machine).filter(([name]) => names.some((pattern) => pattern.test(name))),
  );
}

/** For git: it runs before any command of the source, and needs the user's keys. */
export function gitMachineEnvironment(machine: Environment): Environment {
  return keep(machine, machineNames, networkNames, gitNames);
}

/** For fetching tools with npm. */
export function toolEnvironment(machine: Environment): Environment {
  return { ...keep(machine, machineNames, networkNames, registryNames), ...quietNpm };
}

/** npm neither looks for news nor asks for money while a build waits for it. */
const quietNpm = {
  npm_config_update_notifier: 'false',
  npm_config_fund: 'false',
  npm_config_audit: 'false',
};

/** Set for all commands, below what the framework and the person set. */
const defaults = {
  ...quietNpm,
  FORCE_COLOR: '1',
  // Tools that send usage reports, or ask whether they may.
  DO_NOT_TRACK: '1',
  ASTRO_TELEMETRY_DISABLED: '1',
  GATSBY_TELEMETRY_DISABLED: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  NG_CLI_ANALYTICS: 'false',
  NUXT_TELEMETRY_DISABLED: '1',
  STORYBOOK_DISABLE_TELEMETRY: '1',
  YARN_ENABLE_TELEMETRY: '0',
  // A shim would fetch another version than the one that was chosen, or ask whether it may.
  COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
  COREPACK_ENABLE_STRICT: '0',
  SKIP_YARN_COREPACK_CHECK: '1',
  HUSKY: '0',
};

export type CommandSetting = {
  /** Directories of programs, most wanted first. */
  programs: readonly string[];
  /** What the framework and the package manager want. */
  derived: Readonly<Record<string, string>>;
  /** Sphere's own names. */
  sphere: Partial<Record<keyof typeof buildEnvironment, string>>;
  /** The environment values of the deployment. None has a name of Sphere's. */
  given: Readonly<Record<string, string>>;
};

/** The environment of a command of the user's. */
export function commandEnvironment(
  machine: Environment,
  { programs, derived, sphere, given }: CommandSetting,
): Environment {
  const kept = keep(machine, machineNames, networkNames, registryNames);
  const path = [...programs, ...ownPrograms(machine.PATH)].join(delimiter);
  return { ...kept, ...defaults, ...sphere, ...derived, ...given, PATH: path };
}

/** The machine's PATH without what `npx` and `npm run` put before it: their programs would hide the project's. */
function ownPrograms(path: string | undefined): string[] {
  const inPackages = join('node_modules', '.bin');
  return (path ?? '/usr/local/bin:/usr/bin:/bin')
    .split(delimiter)
    .filter((part) => part !== '' && !part.endsWith(inPackages) && !part.includes('node-gyp-bin'));
}
