/** Bundles the builder's program as it is, and runs it in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';
import { bootstrapToken, deployment, type RecordingPlane } from './recording-plane.ts';

/** Bundles the program once; returns its file and what removes it. */
export async function bundleBuilder(): Promise<{ file: string; remove: () => void }> {
  const outDir = mkdtempSync(join(tmpdir(), 'sphere-builder-'));
  await build({
    entry: { main: 'builder/main.ts' },
    config: false,
    outDir,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    shims: true,
    noExternal: [/.*/],
    silent: true,
    splitting: false,
  });
  return { file: join(outDir, 'main.cjs'), remove: () => rmSync(outDir, { recursive: true, force: true }) };
}

export type BuilderRun = {
  process: ChildProcess;
  /** Resolves with the exit code and all that was printed. */
  ended: Promise<{ exitCode: number | null; signal: string | null; output: string }>;
};

export function startBuilder(
  file: string,
  plane: Pick<RecordingPlane, 'url'>,
  directories: { work: string; cache: string; prebuilt?: string },
  environment: Record<string, string> = {},
): BuilderRun {
  const child = spawn(process.execPath, [file], {
    env: {
      ...process.env,
      ...environment,
      SPHERE_PLANE_URL: plane.url,
      SPHERE_DEPLOYMENT: deployment,
      SPHERE_ATTEMPT: '1',
      SPHERE_BOOTSTRAP_TOKEN: bootstrapToken,
      SPHERE_WORK_DIRECTORY: directories.work,
      SPHERE_CACHE_DIRECTORY: directories.cache,
      ...(directories.prebuilt === undefined ? {} : { SPHERE_PREBUILT_DIRECTORY: directories.prebuilt }),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const ended = new Promise<Awaited<BuilderRun['ended']>>((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, output }));
  });
  return { process: child, ended };
}
