/** Starts Debian's Docker for tests, with data, socket and pid file of its own; no bridge and no firewall rules. */
import { execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

export type Docker = {
  /** The path of its socket. */
  socket: string;
  /** The environment of programs that use it. */
  environment: NodeJS.ProcessEnv;
  /** Runs `docker ...args` and resolves with what it printed. Rejects with what it said when it fails. */
  run(...args: string[]): Promise<string>;
  /** Ends it with all its containers, and removes its data. */
  stop(): Promise<void>;
};

/** Debian's, not another one that may come first on the PATH: a newer client does not speak to this server. */
export const dockerProgram = '/usr/bin/docker';
const daemon = '/usr/sbin/dockerd';

/** Takes about 2 s, as root. A machine where it cannot run fails, with what it said. */
export async function startDocker(): Promise<Docker> {
  for (const program of [dockerProgram, daemon]) {
    if (!existsSync(program)) throw new Error(`no ${program}: apt-get install docker.io`);
  }
  if (process.getuid?.() !== 0) throw new Error('dockerd runs as root alone: run the tests as root');
  const directory = mkdtempSync(join(tmpdir(), 'sphere-docker-'));
  const [socket, log] = [join(directory, 'docker.sock'), join(directory, 'log')];
  const output = openSync(log, 'a');
  const server = spawn(
    daemon,
    [
      ...['--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=overlay2'],
      ...['--data-root', join(directory, 'data'), '--exec-root', join(directory, 'exec')],
      ...['--pidfile', join(directory, 'pid'), '--host', `unix://${socket}`],
    ],
    { stdio: ['ignore', output, output] },
  );
  closeSync(output);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  server.once('error', () => {});
  // BuildKit is a package of its own, which Debian does not have; the builder of old is in the server.
  const environment = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' };

  const stop = async () => {
    server.kill('SIGTERM');
    if (server.exitCode === null) await ended;
    // The network namespace of the containers that share the machine's stays mounted.
    await promisify(execFile)('umount', [join(directory, 'exec/netns/default')]).catch(() => {});
    rmSync(directory, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + 30_000; !(await answers(socket)); await delay(50)) {
    if (server.exitCode === null && Date.now() < deadline) continue;
    const said = readFileSync(log, 'utf8').split('\n').slice(-15).join('\n');
    await stop();
    throw new Error(`dockerd did not start:\n${said}`);
  }
  return {
    socket,
    environment,
    stop,
    async run(...args) {
      const options = { env: environment, encoding: 'utf8' as const, maxBuffer: 64 * 1024 * 1024 };
      const { stdout } = await promisify(execFile)(dockerProgram, args, options).catch((error) => {
        const said = `${error.stdout ?? ''}${error.stderr ?? error.message}`.trim();
        throw new Error(`docker ${args[0]} failed:\n${said.split('\n').slice(-30).join('\n')}`);
      });
      return stdout.trim();
    },
  };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = createConnection(socket);
    connection.once('error', () => resolve(false));
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
  });
}
