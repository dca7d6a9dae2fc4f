/** The embedded plane's process: starts it in the background and waits until it answers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PlaneFile, planeFile, planeLogFile } from '../contract/embedded.ts';
import { SphereError } from '../contract/errors.ts';
import { makeDataDirectory } from '../files/make-directory.ts';
import { packageRoot } from '../files/package-root.ts';
import { createApi } from './api.ts';

/** Milliseconds until a plane that was started must answer, and between looks. */
const startLimitMs = 30_000;
const lookEveryMs = 20;
/** So long in milliseconds another server that was first has to answer, before ours is started again. */
const yieldMs = 5_000;

/** What `home`'s plane last wrote about itself. A plane that was killed leaves it behind. */
function readPlaneFile(home: string): PlaneFile | null {
  try {
    return JSON.parse(readFileSync(path.join(home, planeFile), 'utf8')) as PlaneFile;
  } catch {
    return null;
  }
}

/** Whether a process `pid` exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Starts `sphere server` on `home`, detached from this terminal, and waits for it. Where several do so at once one
 * server wins, the others end quietly, and everybody gets the winner. Throws `PLANE_START_FAILED`,
 * and `CONFIGURATION_INVALID` for a `home` that cannot be used.
 */
export async function startPlane(
  home: string,
  environment: NodeJS.ProcessEnv,
  say: (text: string) => void,
): Promise<PlaneFile> {
  makeDataDirectory(home);
  const logFile = path.join(home, planeLogFile);
  const logStart = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const deadline = Date.now() + startLimitMs;
  let server = spawnServer(home, environment, logFile);
  let said = false;
  for (;;) {
    const file = await answeringPlane(home);
    if (file) return file;
    const now = Date.now();
    const failure = server.failure();
    if (failure !== null) throw startFailed(failure, logFile, logStart);
    // Ended quietly: another one was first. Should that one have been on its way out, ours is wanted after all.
    const quietSince = server.quietSince();
    if (quietSince !== null && now - quietSince > yieldMs) server = spawnServer(home, environment, logFile);
    if (now > deadline) {
      const waited = `it did not answer within ${startLimitMs / 1000} s`;
      throw startFailed(waited, logFile, logStart);
    }
    if (!said && now > deadline - startLimitMs + 1_000) {
      said = true;
      say('Starting the plane on this machine ...');
    }
    await sleep(lookEveryMs);
  }
}

function spawnServer(home: string, environment: NodeJS.ProcessEnv, logFile: string) {
  const log = openSync(logFile, 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [path.join(packageRoot(), 'dist', 'cli', 'main.cjs'), 'server'], {
      cwd: home,
      detached: true,
      env: { ...environment, SPHERE_HOME: home },
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
  let failure: string | null = null;
  let endedQuietlyAt: number | null = null;
  child.on('error', (error) => {
    failure = `it could not be started: ${error.message}`;
  });
  child.on('exit', (code, signal) => {
    if (code === 0) endedQuietlyAt = Date.now();
    else failure = signal ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
  });
  child.unref();
  return { failure: () => failure, quietSince: () => endedQuietlyAt };
}

/** What `home`'s plane wrote about itself, when it runs and answers; else null. */
export async function answeringPlane(home: string): Promise<PlaneFile | null> {
  const file = readPlaneFile(home);
  if (file === null || !isAlive(file.pid)) return null;
  const api = createApi(file);
  try {
    await api.health();
    return file;
  } catch {
    return null;
  } finally {
    api.close();
  }
}

function startFailed(how: string, logFile: string, from: number): SphereError {
  return new SphereError('PLANE_START_FAILED', `The plane on this machine did not start: ${how}.`, {
    hint: `Its whole output is in ${logFile}.`,
    details: lastLines(logFile, from),
  });
}

/** The last lines of `file` after byte `from`: what one server has printed. */
function lastLines(file: string, from: number): string[] {
  try {
    return readFileSync(file)
      .subarray(from)
      .toString('utf8')
      .trimEnd()
      .split('\n')
      .filter(Boolean)
      .slice(-20);
  } catch {
    return [];
  }
}
