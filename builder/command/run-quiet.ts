/** Runs a program of Sphere's own (npm, cp) and keeps its last lines, for when it fails. */
import { execFile } from 'node:child_process';
import type { BuildUser } from './build-user.ts';

export type QuietResult = { exitCode: number | null; lastLines: string[]; stdout: string };

/** Resolves however the program ends; exit code null when it could not be started or was killed. */
export function runQuiet(
  program: string,
  args: readonly string[],
  options: {
    environment: Record<string, string | undefined>;
    signal: AbortSignal;
    directory?: string;
    user?: BuildUser | null;
  },
): Promise<QuietResult> {
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        env: options.environment,
        signal: options.signal,
        maxBuffer: 64 * 1024 * 1024,
        ...options.user,
        ...(options.directory === undefined ? {} : { cwd: options.directory }),
      },
      (error, stdout, stderr) => {
        if (options.signal.aborted) return reject(options.signal.reason);
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
        const said = `${stdout}\n${stderr}${code === null ? `\n${error?.message}` : ''}`;
        const lastLines = said
          .split('\n')
          .filter((line) => line.trim() !== '')
          .slice(-10);
        resolve({ exitCode: code, lastLines, stdout });
      },
    );
  });
}
