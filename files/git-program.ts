/** Runs the git program: never a prompt, no hooks, an allow-list of transports, a token only in the environment. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SphereError } from '../contract/errors.ts';
import type { PinnedHost } from './repository-host.ts';
import type { Repository } from './repository-url.ts';

export type Environment = Record<string, string | undefined>;

/** How git may reach repositories. */
export type GitAccess = {
  /** The machine's own environment, from which git gets PATH, HOME, proxies and certificates. */
  environment: Environment;
  repository: Repository;
  /** For a private repository over https. Sent to the repository's own host only. */
  token?: string | undefined;
  /**
   * Connect to these addresses of the hosts, and follow no redirect: a name that is resolved again may be another
   * address by then (DNS rebinding). Of ssh one host at most, which then is the only one that ssh connects to.
   * Undefined: as the machine resolves, wherever it leads.
   */
  pinned?: readonly PinnedHost[] | undefined;
};

export type GitResult = { exitCode: number | null; stdout: string; stderr: string };

/** One git, ready to be run many times; `close` removes what it keeps on disk. */
export type Git = {
  /** Runs `git ...args` in `directory` and resolves however it ends. Throws SOURCE_UNAVAILABLE without a git. */
  run(args: readonly string[], options?: GitRunOptions): Promise<GitResult>;
  close(): void;
};
export type GitRunOptions = {
  directory?: string;
  signal?: AbortSignal;
  /** Names added to git's environment. */
  environment?: Environment;
};

/** Answers git's prompts: a user name, then the token, for the one host and transport. Else it says nothing. */
const askpassScript = `#!/bin/sh
case "$1" in
  Username*"'$SPHERE_GIT_TRANSPORT://$SPHERE_GIT_HOST'"*) printf '%s\\n' "$SPHERE_GIT_USER" ;;
  Password*"'$SPHERE_GIT_TRANSPORT://$SPHERE_GIT_USER@$SPHERE_GIT_HOST'"*) printf '%s\\n' "$SPHERE_GIT_PASSWORD" ;;
  *) exit 1 ;;
esac
`;

/** Opens git for `access`. With a token an askpass script, which holds no secret, is written to a private directory. */
export function openGit(access: GitAccess): Git {
  const askpass = access.token === undefined ? null : writeAskpass();
  const environment = gitEnvironment(access, askpass?.file ?? null);
  // A helper of the machine would keep the token: git offers every credential that worked to all helpers.
  const withToken = access.token === undefined ? [] : ['-c', 'credential.helper='];
  const options = [
    ...['-c', 'core.hooksPath=/dev/null', '-c', 'advice.detachedHead=false'],
    ...withToken,
    ...pinOptions(access.pinned),
  ];
  return {
    run: async (args, run = {}) => {
      const all = { ...run, environment: { ...environment, ...run.environment } };
      const result = await runGit([...options, ...args], all);
      return { ...result, stderr: withoutCredentials(result.stderr, access.token) };
    },
    close: () => {
      if (askpass !== null) rmSync(askpass.directory, { recursive: true, force: true });
    },
  };
}

function pinOptions(pinned: GitAccess['pinned']): string[] {
  if (pinned === undefined) return [];
  // As curl's --resolve takes it: HOST:PORT:ADDRESS,ADDRESS (git-config, http.curloptResolve, since git 2.37).
  const resolve = pinned
    .filter(({ transport, host }) => transport !== 'ssh' && isIP(host) === 0)
    .flatMap(({ host, port, addresses }) => {
      const written = addresses.map((address) => (isIP(address) === 6 ? `[${address}]` : address));
      return ['-c', `http.curloptResolve=${host}:${port}:${written.join(',')}`];
    });
  return ['-c', 'http.followRedirects=false', ...resolve];
}

/** ssh looks a name up by itself, unless it is told the address: the key is still that of the name. */
function pinSsh({ pinned }: GitAccess): Environment {
  const only = pinned?.find(({ transport }) => transport === 'ssh');
  if (only === undefined) return {};
  const options = [
    `HostName=${only.addresses[0]}`,
    `HostKeyAlias=${only.host}`,
    'ProxyCommand=none',
    'ProxyJump=none',
  ];
  return { GIT_SSH_COMMAND: `ssh ${options.map((option) => `-o '${option}'`).join(' ')}` };
}

function writeAskpass(): { directory: string; file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'sphere-git-'));
  const file = join(directory, 'askpass');
  writeFileSync(file, askpassScript);
  chmodSync(file, 0o700);
  return { directory, file };
}

/** The environment of git for `access`: what the machine has, less whatever could prompt or widen what it may do. */
export function gitEnvironment(access: GitAccess, askpass: string | null): Environment {
  const { environment, repository, token } = access;
  const kept = Object.entries(environment).filter(
    ([name]) => !/^(GIT_(?!SSL_|SSH|CONFIG_GLOBAL$|CONFIG_SYSTEM$)|SPHERE_|SSH_ASKPASS|DISPLAY$)/.test(name),
  );
  const secret =
    token === undefined || askpass === null || repository.host === null || !maySendToken(repository)
      ? { GIT_ASKPASS: '/bin/false' }
      : {
          GIT_ASKPASS: askpass,
          SPHERE_GIT_TRANSPORT: repository.transport,
          SPHERE_GIT_HOST: repository.host,
          SPHERE_GIT_USER: tokenUser(repository.host),
          SPHERE_GIT_PASSWORD: token,
        };
  return {
    ...Object.fromEntries(kept),
    ...secret,
    ...pinSsh(access),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GCM_INTERACTIVE: 'never',
    SSH_ASKPASS_REQUIRE: 'never',
    GIT_ALLOW_PROTOCOL: repository.transport === 'file' ? 'https:http:ssh:file' : 'https:http:ssh',
    GIT_LFS_SKIP_SMUDGE: '1',
  };
}

/** A token travels encrypted, or not beyond this machine. */
function maySendToken({ transport, host }: Repository): boolean {
  return (
    transport === 'https' ||
    (transport === 'http' && /^(127\.0\.0\.1|localhost|\[::1\])(:|$)/.test(host ?? ''))
  );
}

/** The user name that goes with a token: each host has its own. Others take any. */
function tokenUser(host: string): string {
  if (host === 'bitbucket.org') return 'x-token-auth';
  if (host.includes('gitlab')) return 'oauth2';
  return 'x-access-token';
}

function runGit(args: string[], { directory, signal, environment }: GitRunOptions): Promise<GitResult> {
  return new Promise((resolve, reject) => {
    // Its own process group: git starts helpers (git-remote-https, ssh) that must end with it. And its own session:
    // without a terminal, ssh cannot ask for a password or about an unknown host, whatever its configuration says.
    const child = spawn('git', args, {
      cwd: directory,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    if (signal?.aborted) kill();
    signal?.addEventListener('abort', kill, { once: true });
    const output: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    child.stdout.on('data', (chunk: Buffer) => output.stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.stderr.push(chunk));
    child.once('error', (error: NodeJS.ErrnoException) => {
      signal?.removeEventListener('abort', kill);
      reject(error.code === 'ENOENT' ? gitMissing(error) : error);
    });
    child.once('close', (exitCode) => {
      signal?.removeEventListener('abort', kill);
      if (signal?.aborted) return reject(signal.reason);
      resolve({
        exitCode,
        stdout: Buffer.concat(output.stdout).toString('utf8'),
        stderr: Buffer.concat(output.stderr).toString('utf8'),
      });
    });
  });
}

function gitMissing(cause: Error): SphereError {
  return new SphereError('SOURCE_UNAVAILABLE', 'The program git was not found on the PATH.', {
    hint: 'Install git, then deploy again.',
    cause,
  });
}

/**
 * What git says without what opens a repository: the token, which a server may send back, and what stands before the
 * host in an address, which git repeats when it cannot be reached (that of a submodule, of a redirect).
 */
export function withoutCredentials(text: string, token?: string): string {
  const withoutToken = token ? text.replaceAll(token, '***') : text;
  return withoutToken.replace(/\b(https?|ftps?|ssh|git):\/\/[^\s/'"]+@/gi, (found, transport: string) =>
    // A user of ssh is no secret, unless a password follows it.
    /^ssh:\/\/[^:]+$/i.test(found) ? found : `${transport}://***@`,
  );
}

/** The last lines that git said, without its blank ones. */
export function gitSaid(result: GitResult, lines = 10): string[] {
  return result.stderr
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
    .slice(-lines);
}
