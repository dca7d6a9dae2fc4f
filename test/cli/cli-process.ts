/** Bundles the CLI as it is, with the builder that it starts, and runs it in processes of its own, as shells do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'tsup';

/** Bundles the programs; returns the CLI's file and what removes it. The server stays outside: it is a program of its own. */
export async function bundleCli(): Promise<{ file: string; remove: () => void }> {
  const root = mkdtempSync(join(tmpdir(), 'sphere-cli-'));
  // Other users run it, too.
  chmodSync(root, 0o755);
  // What the program finds itself by.
  copyFileSync('package.json', join(root, 'package.json'));
  await build({
    entry: { 'cli/main': 'cli/main.ts', 'builder/main': 'builder/main.ts' },
    config: false,
    outDir: join(root, 'dist'),
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    shims: true,
    noExternal: [/.*/],
    external: [/server\/main\.ts$/],
    silent: true,
    // As it is shipped: what a command does not need is not loaded.
    splitting: true,
    esbuildOptions(esbuild) {
      esbuild.supported = { 'class-field': false, 'class-static-field': false };
    },
  });
  return {
    file: join(root, 'dist', 'cli', 'main.cjs'),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

export type CliRun = {
  child: ChildProcess;
  /** Resolves with what it printed on stderr so far, once that holds `text`. */
  printed(text: string): Promise<void>;
  ended: Promise<{ exitCode: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }>;
};

/**
 * Starts `sphere ...args`, as the user with the id `user` where one is named, with `input` on stdin or that closed, and nothing of Sphere's or a build service's in the environment but `env`.
 */
export function startCli(
  file: string,
  args: string[],
  options: {
    cwd: string;
    env?: Record<string, string>;
    stdout?: 'pipe' | 'ignore';
    input?: string;
    user?: number;
  },
): CliRun {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, [file, ...args], {
    cwd: options.cwd,
    ...(options.user === undefined ? {} : { uid: options.user, gid: options.user }),
    env: {
      PATH,
      HOME,
      SPHERE_HOME: join(options.cwd, 'no-such-plane'),
      // Nor what the person who runs the tests is signed in to.
      XDG_CONFIG_HOME: join(options.cwd, 'no-such-settings'),
      ...options.env,
    },
    stdio: [options.input === undefined ? 'ignore' : 'pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  child.stdin?.end(options.input);
  let stdout = '';
  let stderr = '';
  let changed = () => {};
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    changed();
  });
  const ended = new Promise<Awaited<CliRun['ended']>>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
  });
  const printed = (text: string) =>
    new Promise<void>((resolve, reject) => {
      changed = () => stderr.includes(text) && resolve();
      changed();
      ended.then(() => reject(new Error(`it ended without printing "${text}":\n${stderr}`)), reject);
    });
  return { child, printed, ended };
}
