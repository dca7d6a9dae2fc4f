/** Builds the image of Dockerfile.builder with a real Docker, and runs the builder in containers of it as Fargate would. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { builderContractVersion, version } from '../../contract/version.ts';
import { bundleBuilder } from '../builder/builder-program.ts';
import { importBaseImage } from './base-image.ts';
import { type Docker, dockerProgram, startDocker } from './docker.ts';

export type BuilderContainer = {
  name: string;
  /** Resolves with the exit code of the builder, and all that it printed. */
  exited: Promise<{ exitCode: number | null; output: string }>;
  /** As StopTask does: SIGTERM, and SIGKILL after 30 s. Resolves when it has ended. */
  stop(): Promise<void>;
};

export type BuilderImage = {
  docker: Docker;
  /** Its name with a tag. */
  image: string;
  /** Starts the builder with `environment` beside what the image sets. It shares the network of this machine. */
  runBuilderContainer(environment: Record<string, string>, options?: ContainerOptions): BuilderContainer;
  /** Ends what runs, and Docker itself. */
  close(): Promise<void>;
};

export type ContainerOptions = {
  /** In bytes; the kernel kills what needs more. */
  memory?: number;
};

/** What infra/aws/sphere.yaml leaves of a container's capabilities. */
export const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'];

/** Takes about 40 s, and as long again on a machine that has no base image yet. */
export async function openBuilderImage(): Promise<BuilderImage> {
  const docker = await startDocker();
  try {
    const image = await buildImage(docker);
    return {
      docker,
      image,
      runBuilderContainer: (environment, options = {}) => runContainer(docker, image, environment, options),
      close: () => docker.stop(),
    };
  } catch (error) {
    await docker.stop();
    throw error;
  }
}

async function buildImage(docker: Docker): Promise<string> {
  const dockerfile = resolve('Dockerfile.builder');
  const program = await bundleBuilder();
  const context = mkdtempSync(join(tmpdir(), 'sphere-image-'));
  try {
    mkdirSync(join(context, 'dist/builder'), { recursive: true });
    copyFileSync(program.file, join(context, 'dist/builder/main.cjs'));
    copyFileSync(resolve('.dockerignore'), join(context, '.dockerignore'));
    await importBaseImage(docker, dockerfile);
    const image = 'sphere-builder:test';
    const stated = { VERSION: version, CONTRACT: String(builderContractVersion) };
    const args = Object.entries(stated).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
    await docker.run('build', '--network', 'host', '--file', dockerfile, '--tag', image, ...args, context);
    return image;
  } finally {
    program.remove();
    rmSync(context, { recursive: true, force: true });
  }
}

function runContainer(
  docker: Docker,
  image: string,
  environment: Record<string, string>,
  { memory }: ContainerOptions,
): BuilderContainer {
  const name = `builder-${randomUUID()}`;
  const args = [
    ...['run', '--rm', '--name', name, '--network', 'host', '--cap-drop', 'ALL'],
    ...capabilities.flatMap((capability) => ['--cap-add', capability]),
    ...(memory === undefined ? [] : ['--memory', String(memory), '--memory-swap', String(memory)]),
    ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    image,
  ];
  const child = spawn(dockerProgram, args, { env: docker.environment, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<Awaited<BuilderContainer['exited']>>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, output }));
  });
  return {
    name,
    exited,
    async stop() {
      // One that has ended meanwhile is not there any more.
      await docker.run('stop', '--time', '30', name).catch(() => {});
      await exited;
    },
  };
}
