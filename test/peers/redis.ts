/** A real redis-server on a free port of 127.0.0.1, which can be stopped, killed and started again empty. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

export type TestRedis = Awaited<ReturnType<typeof startRedis>>;

/** Starts Redis without persistence. `settings`: more lines of its configuration, as `['maxmemory', '10mb']`. */
export async function startRedis(settings: readonly (readonly [string, string])[] = []) {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-redis-'));
  const port = await freePort();
  let child = await launch(directory, port, settings);

  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    /** The bytes of memory that it uses. */
    pid: () => child.pid as number,
    /** Ends it as a power cut would. */
    kill: () => end('SIGKILL'),
    /** Starts it again after `kill`; it knows nothing of before. */
    async startEmpty() {
      child = await launch(directory, port, settings);
    },
    async restartEmpty() {
      await end('SIGKILL');
      child = await launch(directory, port, settings);
    },
    /** Connections stay, and nothing answers, until `resume`. */
    pause: () => child.kill('SIGSTOP'),
    resume: () => child.kill('SIGCONT'),
    async stop() {
      child.kill('SIGCONT');
      await end('SIGKILL');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function launch(
  directory: string,
  port: number,
  settings: readonly (readonly [string, string])[],
): Promise<ChildProcess> {
  const fixed = { bind: '127.0.0.1', port: String(port), dir: directory, save: '', appendonly: 'no' };
  const all = [...Object.entries(fixed), ...settings].flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn('redis-server', all, { stdio: ['ignore', 'pipe', 'inherit'] });
  const seen: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    seen.push(line);
    if (line.includes('Ready to accept connections')) {
      child.stdout.resume();
      return child;
    }
  }
  throw new Error(`redis-server did not start:\n${seen.join('\n')}`);
}
