/** Runs one command of the user's in a process group of its own, which never outlives the builder. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import type { LogStream } from '../../contract/words.ts';
import { type BuildUser, endProcessesOf } from './build-user.ts';
import type { Ending } from './ending.ts';
import { isolatedCommand, statusDescriptor, watchSandbox } from './sandbox.ts';

export type CommandRun = {
  command: string;
  directory: string;
  environment: Record<string, string | undefined>;
  /** As whom it runs; null for the builder's own user. */
  user?: BuildUser | null;
  /** bubblewrap with its arguments, which isolates it; null to run it as it is. */
  wrapper?: readonly string[] | null;
  /** Ends the command and all that it started; `runCommand` then rejects with the signal's reason. */
  signal: AbortSignal;
  /** Takes the output, and resolves at its end. */
  pipe: (output: Readable, stream: LogStream, seen: (lines: readonly string[]) => void) => Promise<void>;
  /** From SIGTERM to SIGKILL. */
  graceMs?: number;
};

/**
 * The command runs as leader of its group, beside a watcher that waits at descriptor 3 for the end of the builder: a
 * builder that is killed closes the pipe without a word, and the watcher kills the group. The same way ends whatever a
 * command leaves running in its group, as soon as the command itself has ended.
 */
const shellScript = [
  '(trap "" HUP INT TERM; read -r _ <&3; kill -KILL 0) </dev/null >/dev/null 2>&1 4>&- &',
  'exec 3<&-',
  // When memory runs out, Linux is to end the build and not what the user is working with.
  '{ echo 500 >/proc/self/oom_score_adj; } 2>/dev/null',
  'exec "$@"',
].join('\n');

/** What went wrong can stand far before the end: before native frames, npm's help, the log of a compiler. */
const keptLines = 400;
const graceMs = 5_000;
/** For how long output may go on that a process outside of the group holds open after the command's end. */
const lingerMs = 1_000;

/** Runs `command` with `/bin/sh` and resolves with how it ended. */
export async function runCommand(run: CommandRun): Promise<Ending> {
  run.signal.throwIfAborted();
  const wrapper = run.wrapper ?? null;
  const command = wrapper === null ? ['/bin/sh', '-c', run.command] : isolatedCommand(wrapper, run);
  const child = spawn('/bin/sh', ['-c', shellScript, 'sh', ...command], {
    cwd: run.directory,
    env: run.environment,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', wrapper === null ? 'ignore' : 'pipe'],
    detached: true,
    ...run.user,
  });
  const lastLines: string[] = [];
  const seen = (lines: readonly string[]) => {
    lastLines.push(...lines.slice(-keptLines));
    if (lastLines.length > 2 * keptLines) lastLines.splice(0, lastLines.length - keptLines);
  };
  const { stdout, stderr, lifeline } = pipesOf(child);
  const sandbox = wrapper === null ? null : watchSandbox(child.stdio[statusDescriptor] as Readable);
  const piped = Promise.all([run.pipe(stdout, 'stdout', seen), run.pipe(stderr, 'stderr', seen)]);

  const killer = killOnAbort(child, run.signal, run.graceMs ?? graceMs);
  try {
    const { exitCode, signal } = await ended(child);
    lifeline.destroy();
    await sandbox?.end();
    if (run.user) await endProcessesOf(run.user);
    await Promise.race([piped, outputStopped([stdout, stderr])]);
    run.signal.throwIfAborted();
    return { command: run.command, exitCode, signal, lastLines: lastLines.slice(-keptLines) };
  } finally {
    killer.stop();
    lifeline.destroy();
    stdout.destroy();
    stderr.destroy();
  }
}

function pipesOf(child: ChildProcess): { stdout: Readable; stderr: Readable; lifeline: Writable } {
  const lifeline = child.stdio[3] as Writable;
  // The watcher is killed with its group while the builder still holds the other end.
  lifeline.on('error', () => {});
  return { stdout: child.stdout as Readable, stderr: child.stderr as Readable, lifeline };
}

function ended(child: ChildProcess): Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

/** SIGTERM to the whole group, and SIGKILL to what of it is left after `grace` milliseconds. */
function killOnAbort(child: ChildProcess, signal: AbortSignal, grace: number): { stop: () => void } {
  let timer: NodeJS.Timeout | null = null;
  const kill = () => {
    signalGroup(child, 'SIGTERM');
    timer = setTimeout(() => signalGroup(child, 'SIGKILL'), grace);
  };
  if (signal.aborted) kill();
  signal.addEventListener('abort', kill, { once: true });
  return {
    stop: () => {
      signal.removeEventListener('abort', kill);
      if (timer !== null) clearTimeout(timer);
    },
  };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Resolves when nothing has come for a while, although it was read: who holds the pipes now is not of the build. */
function outputStopped(outputs: Readable[]): Promise<void> {
  return new Promise((resolve) => {
    let timer = setTimeout(check, lingerMs);
    let came = false;
    const noted = () => {
      came = true;
    };
    for (const output of outputs) output.on('data', noted);
    function check() {
      if (!came && !outputs.some((output) => output.isPaused())) {
        for (const output of outputs) output.off('data', noted);
        resolve();
        return;
      }
      came = false;
      timer = setTimeout(check, lingerMs);
    }
    timer.unref();
  });
}
