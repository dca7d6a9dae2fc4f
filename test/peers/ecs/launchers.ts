/** Where the emulator's containers really run: as child processes of this machine, or in Docker. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

/** What a container is started with. */
export type ContainerStart = {
  /** The task's id, unique on this machine. */
  id: string;
  /** What the task definition and the overrides set, and nothing else. */
  environment: Record<string, string>;
  /** The image that the task definition names. */
  image: string;
  cpu: number;
  memoryMiB: number;
  /** Called whenever `output` has grown. */
  printed(): void;
};

export type Launched = {
  pid?: number | undefined;
  stop(signal: NodeJS.Signals): void;
  /** As Docker has it: 128 and the signal's number for a container that was killed; `reason` as ECS would say it. */
  exited: Promise<{ exitCode: number | null; reason?: string }>;
  /** The last of what it has printed: what would be in CloudWatch. */
  output(): string;
};

/** Starts a container; throws when it cannot be started. */
export type Launcher = (start: ContainerStart) => Promise<Launched>;

const keptOutput = 64 * 1024;

/** What ECS says of a container that the kernel killed for its memory. */
export const outOfMemoryReason = 'OutOfMemoryError: Container killed due to memory usage';

/**
 * Runs `node file` in a process group of its own, which is killed as a whole when its first process ends, as in a
 * container. `imageEnvironment` is what the image would set, such as PATH; the work and cache directories are fresh.
 */
export function createProcessLauncher(options: {
  file: string;
  imageEnvironment?: Record<string, string>;
}): Launcher {
  return async ({ environment, printed }) => {
    const directory = await mkdtemp(join(tmpdir(), 'sphere-task-'));
    const child = spawn(process.execPath, [options.file], {
      cwd: directory,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: directory,
        SPHERE_WORK_DIRECTORY: join(directory, 'work'),
        SPHERE_CACHE_DIRECTORY: join(directory, 'cache'),
        ...options.imageEnvironment,
        ...environment,
      },
    });
    const output = keepOutput(child, printed);
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    const group = (signal: NodeJS.Signals) => {
      try {
        process.kill(-(child.pid as number), signal);
      } catch {
        // The group has ended.
      }
    };
    const closed = new Promise((resolve) => child.once('close', resolve));
    const exited = new Promise<{ exitCode: number }>((resolve) => {
      child.once('exit', async (code, signal) => {
        group('SIGKILL');
        // Its last output has come once nobody holds the pipes any more. What has left the group may hold them for ever.
        await Promise.race([closed, delay(1_000)]);
        await rm(directory, { recursive: true, force: true, maxRetries: 5 });
        resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0) });
      });
    });
    return { pid: child.pid, stop: group, exited, output };
  };
}

/**
 * Runs `image`, or the one of the task definition, with `docker run --network host`. `environment` is that of Docker's
 * program, which says where the daemon is (DOCKER_HOST); a task's values reach it the same way, so that no token stands in a
 * process list.
 */
export function createDockerLauncher(options: {
  /** Debian's, which speaks to Debian's daemon. */
  program?: string;
  environment: NodeJS.ProcessEnv;
  image?: string;
  /** More of `docker run`, such as the capabilities that a task definition drops. */
  runOptions?: readonly string[];
}): Launcher {
  const { program = '/usr/bin/docker', runOptions = [] } = options;
  const call = (...args: string[]) => promisify(execFile)(program, args, { env: options.environment });
  return async ({ id, environment, image, cpu, memoryMiB, printed }) => {
    const name = `sphere-task-${id}`;
    const variables = Object.keys(environment).flatMap((key) => ['--env', key]);
    const limits = ['--memory', `${memoryMiB}m`, '--memory-swap', `${memoryMiB}m`, '--cpu-shares', `${cpu}`];
    const child = spawn(
      program,
      [
        ...['run', '--name', name, '--network', 'host'],
        ...[...limits, ...variables, ...runOptions, options.image ?? image],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...options.environment, ...environment } },
    );
    const output = keepOutput(child, printed);
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    // Not `exit`: what it printed last would be missing.
    const exited = new Promise<Awaited<Launched['exited']>>((resolve) => {
      child.once('close', () => inspect(call, name, output).then(resolve));
    });
    // A signal may come before Docker has the container: it is sent again until it was taken, or the container ended.
    const stop = (signal: NodeJS.Signals) => {
      call('kill', '--signal', signal, name).catch(() => {
        if (child.exitCode === null && child.signalCode === null) setTimeout(() => stop(signal), 50);
      });
    };
    return { stop, exited, output };
  };
}

type DockerCall = (...args: string[]) => Promise<{ stdout: string }>;

async function inspect(
  call: DockerCall,
  name: string,
  output: () => string,
): Promise<Awaited<Launched['exited']>> {
  const format = '{{.State.ExitCode}} {{.State.OOMKilled}}';
  try {
    const { stdout } = await call('inspect', '--format', format, name);
    const [exitCode, outOfMemory] = stdout.trim().split(' ');
    await call('rm', '--force', name);
    return { exitCode: Number(exitCode), ...(outOfMemory === 'true' ? { reason: outOfMemoryReason } : {}) };
  } catch {
    // There never was a container.
    return { exitCode: null, reason: `CannotStartContainerError: ${output().trim()}` };
  }
}

function keepOutput(child: ReturnType<typeof spawn>, printed: () => void): () => string {
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      output = `${output}${chunk}`.slice(-keptOutput);
      printed();
    });
  return () => output;
}
