/** Drives the built CLI as people do: real processes, and one data directory with its plane for each test file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { vi } from 'vitest';
import type { Deployment } from '../../contract/api.ts';
import { type PlaneFile, planeFile } from '../../contract/embedded.ts';
import { packageRoot } from '../../files/package-root.ts';

export const cliFile = join(packageRoot(), 'dist', 'cli', 'main.cjs');

/** For builds that install: packages come from where this machine gets them, with what it has downloaded before. */
export const machine = Object.fromEntries(
  Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      /^(HOME|NODE_EXTRA_CA_CERTS|npm_config_.*|https?_proxy|no_proxy)$/i.test(entry[0]),
  ),
);

/** How a run of the CLI ended. `code` is null when a signal ended it. */
export type Ended = { code: number | null; stdout: string; stderr: string; ms: number };

export type RunOptions = {
  cwd?: string;
  /** Beside the data directory and what every program needs. */
  environment?: Record<string, string>;
  /** What is piped into stdin. Default: stdin is closed. */
  input?: string | Buffer;
  /** Gets stderr in place of `Ended`, for output that is too long to keep. */
  onStderr?(chunk: Buffer): void;
};

/** A run of the CLI that goes on. */
export type Run = {
  pid: number;
  child: ChildProcess;
  /** Resolves with the first match in stdout or stderr; rejects when the program ends without one. */
  sees(pattern: RegExp): Promise<RegExpMatchArray>;
  ended: Promise<Ended>;
};

export type Sphere = ReturnType<typeof openSphere>;

/** A fresh data directory, whose plane is started by the first command that needs it. To be closed. */
export function openSphere() {
  // Whole programs, one after the other, on a machine that may be busy.
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'sphere-e2e-')));
  const home = join(root, 'data');
  const running = new Set<Run>();
  // Nothing of the machine's but what programs need: no CI, no tokens, no colours that are wished for.
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: root,
    LANG: 'C.UTF-8',
    SPHERE_HOME: home,
    GIT_CONFIG_GLOBAL: '/dev/null',
  };

  const start = (args: readonly string[], options: RunOptions = {}): Run => {
    const run = startProgram(args, {
      ...options,
      cwd: options.cwd ?? root,
      environment: { ...environment, ...options.environment },
    });
    running.add(run);
    const forget = () => running.delete(run);
    run.ended.then(forget, forget);
    return run;
  };
  const run = (args: readonly string[], options?: RunOptions) => start(args, options).ended;
  const json = async <T>(args: readonly string[], options?: RunOptions): Promise<T> => {
    const ended = await run([...args, '--json'], options);
    if (ended.code !== 0) throw new Error(`sphere ${args.join(' ')}: exit ${ended.code}\n${ended.stderr}`);
    return JSON.parse(ended.stdout) as T;
  };
  const plane = () => JSON.parse(readFileSync(join(home, planeFile), 'utf8')) as PlaneFile;

  return {
    home,
    /** A directory that is nobody's project, for commands that need none. */
    root,
    environment,
    /** Starts a command with stdin closed, and without a terminal. */
    start,
    /** Runs a command to its end. */
    run,
    /** Runs a command that must do well, and reads its `--json`. */
    json,
    inspect: (id: string) => json<Deployment>(['inspect', id]),
    /** The newest deployment of `project`. */
    newest: async (project: string): Promise<Deployment> => {
      const { deployments } = await json<{ deployments: Deployment[] }>(['ls', project]);
      if (!deployments[0]) throw new Error(`${project} has no deployment`);
      return deployments[0];
    },
    /** What the running plane wrote about itself. */
    plane,
    /** `kill -9`, as a crash or the kernel would. Resolves when the process is gone. */
    async killPlane(): Promise<number> {
      const { pid } = plane();
      process.kill(pid, 'SIGKILL');
      await until(`process ${pid} is gone`, () => !isAlive(pid));
      return pid;
    },
    /** Stops the plane and removes everything. Throws when a process of this data directory is left over. */
    async close(): Promise<void> {
      for (const { child } of running) child.kill('SIGKILL');
      const stopped = await startProgram(['server', 'stop'], { cwd: root, environment }).ended;
      try {
        if (stopped.code !== 0)
          throw new Error(`sphere server stop: exit ${stopped.code}\n${stopped.stderr}`);
        await noneLeft(root);
      } finally {
        for (const { pid } of processesOf(root)) process.kill(pid, 'SIGKILL');
        rmSync(root, { recursive: true, force: true, maxRetries: 10 });
      }
    },
  };
}

async function noneLeft(root: string): Promise<void> {
  try {
    await until('no process is left', () => processesOf(root).length === 0);
  } catch (error) {
    throw new Error(`${(error as Error).message}: ${JSON.stringify(processesOf(root))}`);
  }
}

function startProgram(
  args: readonly string[],
  { cwd, environment, input, onStderr }: RunOptions & { cwd: string; environment: Record<string, string> },
): Run {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [cliFile, ...args], {
    cwd,
    env: environment,
    // Which of the two makes no difference to the other streams.
    stdio: [(input === undefined ? 'ignore' : 'pipe') as 'pipe', 'pipe', 'pipe'],
  });
  if (input !== undefined) {
    // A program that refuses its arguments ends without reading.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  }
  const seen = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  const take = (stream: keyof typeof seen) => (text: string) => {
    seen[stream] += text;
    for (const look of waiting) look();
  };
  child.stdout.setEncoding('utf8').on('data', take('stdout'));
  if (onStderr) child.stderr.on('data', onStderr);
  else child.stderr.setEncoding('utf8').on('data', take('stderr'));

  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...seen, ms: performance.now() - startedAt }));
  });
  return {
    pid: child.pid as number,
    child,
    ended,
    sees(pattern) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const match = seen.stderr.match(pattern) ?? seen.stdout.match(pattern);
          if (!match) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        look();
        const missed = () => reject(new Error(`ended without ${pattern}:\n${seen.stderr}\n${seen.stdout}`));
        ended.then(missed, reject);
      });
    },
  };
}

/** Resolves when `holds` does; it is asked every 20 ms. Throws after 45 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 45_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`waited for 45 s, and not yet: ${what}`);
    await sleep(20);
  }
}

/** Whether the process `pid` runs. One that has ended and was not waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat[stat.lastIndexOf(')') + 2] !== 'Z';
  } catch {
    return false;
  }
}

export type Process = { pid: number; command: string };

/** The processes that work for `directory`: they have it in their environment or are in it. */
export function processesOf(directory: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, 'utf8');
        const within = `${readlinkSync(`/proc/${name}/cwd`)}/`.startsWith(`${directory}/`);
        if (!within && !environment.includes(directory)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return isAlive(Number(name)) ? [{ pid: Number(name), command }] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}

/**
 * The processes that were started with `mark` among their arguments. Commands of a build may be isolated: then they have
 * other numbers here than they know themselves.
 */
export function processesWith(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) && isAlive(pid);
      } catch {
        return false; // It has ended meanwhile.
      }
    });
}

export type Page = { status: number; headers: Record<string, string | string[] | undefined>; body: string };

/** Asks for `url` without redirects. `*.localhost` is this machine, which Node alone does not know. */
export function get(url: string, headers: Record<string, string> = {}): Promise<Page> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const local = hostname.endsWith('.localhost') ? '127.0.0.1' : hostname;
  return new Promise((resolve, reject) => {
    request(
      { host: local, port, path: `${pathname}${search}`, headers: { host, ...headers }, agent: false },
      (response) => {
        let body = '';
        response
          .setEncoding('utf8')
          .on('data', (text: string) => {
            body += text;
          })
          .on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
          .on('error', reject);
      },
    )
      .on('error', reject)
      .end();
  });
}
