/** Starts Debian's PostgreSQL for tests: a cluster of its own in a temporary directory, on a free port of 127.0.0.1. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';

export type Postgres = {
  port: number;
  /** Makes an empty database, or a copy of `template`'s, and returns its URL. */
  createDatabase(template?: string): Promise<string>;
  /** The address of a database that is there. */
  url(database: string): string;
  /** Ends it as a restart of the service would, waits, and starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Kills the postmaster with SIGKILL, as if it had crashed. Its data stays for `restart`. */
  kill(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
};

const user = 'sphere';
const password = 'postgres-test-password';

/** Starts it, as the `postgres` user when root does (PostgreSQL refuses to run as root). Takes about 2 s. */
export async function startPostgres(settings: Record<string, string> = {}): Promise<Postgres> {
  const bin = findPrograms();
  const owner = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : null;
  const directory = mkdtempSync(join(tmpdir(), 'sphere-pg-'));
  if (owner) chownSync(directory, owner.uid, owner.gid);
  const [data, passwordFile] = [join(directory, 'data'), join(directory, 'password')];
  writeFileSync(passwordFile, password, { mode: 0o644 });
  const init = ['-D', data, '-U', user, '-A', 'scram-sha-256', '--pwfile', passwordFile, '--no-sync'];
  const locale = ['-E', 'UTF8', '--locale', 'C.UTF-8'];
  await promisify(execFile)(join(bin, 'initdb'), [...init, ...locale], { cwd: directory, ...owner });

  const port = await freePort();
  const all: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: directory,
    // Only the machine's own crash would lose something, and no test can bring that about.
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '200',
    ...settings,
  };
  const args = ['-D', data, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  const start = () => startServer(join(bin, 'postgres'), args, { cwd: directory, ...owner });
  let server = await start();

  const url = (database: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
  let databases = 0;
  return {
    port,
    url,
    async createDatabase(template) {
      const name = `test_${++databases}`;
      const client = new pg.Client(url('postgres'));
      await client.connect();
      await client
        .query(`create database ${name}${template === undefined ? '' : ` template ${template}`}`)
        .finally(() => client.end());
      return url(name);
    },
    async restart() {
      await end(server, 'SIGINT');
      server = await start();
    },
    kill: () => end(server, 'SIGKILL'),
    async stop() {
      await end(server, 'SIGINT');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Debian keeps the programs of each version in a directory of its own, outside of the path. */
function findPrograms(): string {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  if (versions[0] === undefined) throw new Error(`no PostgreSQL in ${root}: apt-get install postgresql`);
  return join(root, versions[0], 'bin');
}

const idOf = (flag: '-u' | '-g') =>
  Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }).trim());

type SpawnOptions = { cwd: string; uid?: number; gid?: number };

/** Resolves when it takes connections. */
async function startServer(program: string, args: string[], options: SpawnOptions): Promise<ChildProcess> {
  for (const deadline = Date.now() + 20_000; ; ) {
    const { server, said } = await tryStart(program, args, options);
    if (server) return server;
    // The processes of a killed postmaster hold its shared memory until they have noticed.
    const held = said.includes('shared memory block') || said.includes('lock file');
    if (!held || Date.now() > deadline) throw new Error(`PostgreSQL did not start:\n${said}`);
  }
}

function tryStart(
  program: string,
  args: string[],
  options: SpawnOptions,
): Promise<{ server: ChildProcess | null; said: string }> {
  const server = spawn(program, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  return new Promise((resolve, reject) => {
    let said = '';
    server.on('error', reject);
    server.on('exit', () => resolve({ server: null, said }));
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-20_000);
      if (said.includes('database system is ready to accept connections')) resolve({ server, said });
    });
  });
}

async function end(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await ended;
}
