/** Where the emulator's containers really run: as child processes of this machine, or in Docker. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
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
  /** As Docker has it: 128 and the signal's number for a container that was killed. */
  exited: Promise<{ exitCode: number | null; outOfMemory?: boolean }>;
  /** The last of what it has printed: what would be in CloudWatch. */
  output(): string;
};

/** Starts a container; throws when it cannot be started. */
export type Launcher = (start: ContainerStart) => Promise<Launched>;

const keptOutput = 64 * 1024;

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
    const exited = new Promise<{ exitCode: number }>((resolve) => {
      child.once('exit', async (code, signal) => {
        group('SIGKILL');
        await rm(directory, { recursive: true, force: true, maxRetries: 5 });
        resolve({ exitCode: code ?? 128 + (signal ? constants.signals[signal] : 0) });
      });
    });
    return { pid: child.pid, stop: group, exited, output };
  };
}

/**
 * Runs the image of the task definition, or `image`, with `docker run --network host` on the daemon at `socket`. Values
 * reach Docker by its own environment, so that no token stands in a process list.
 */
export function createDockerLauncher(options: { socket: string; image?: string }): Launcher {
  const docker = ['-H', `unix://${options.socket}`];
  const call = (...args: string[]) => promisify(execFile)('docker', [...docker, ...args]);
  return async ({ id, environment, image, cpu, memoryMiB, printed }) => {
    const name = `sphere-task-${id}`;
    const variables = Object.keys(environment).flatMap((key) => ['--env', key]);
    const limits = [
      '--memory',
      `${memoryMiB}m`,
      '--memory-swap',
      `${memoryMiB}m`,
      '--cpu-shares',
      String(cpu),
    ];
    const child = spawn(
      'docker',
      [
        ...docker,
        'run',
        '--name',
        name,
        '--network',
        'host',
        ...limits,
        ...variables,
        options.image ?? image,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...environment } },
    );
    const output = keepOutput(child, printed);
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    const exited = new Promise<{ exitCode: number | null; outOfMemory: boolean }>((resolve, reject) => {
      child.once('exit', () => inspect(call, name).then(resolve, reject));
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

async function inspect(call: DockerCall, name: string) {
  const format = '{{.State.ExitCode}} {{.State.OOMKilled}}';
  try {
    const { stdout } = await call('inspect', '--format', format, name);
    const [exitCode, outOfMemory] = stdout.trim().split(' ');
    await call('rm', '--force', name);
    return { exitCode: Number(exitCode), outOfMemory: outOfMemory === 'true' };
  } catch {
    // There never was a container.
    return { exitCode: null, outOfMemory: false };
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
