/**
 * How fast a command's output goes through the builder to a plane: `npx vitest bench --run test/bench/builder-log`.
 * The plane is a process of its own that parses every batch and keeps nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { bench, describe, expect } from 'vitest';
import { runCommand } from '../../builder/command/run-command.ts';
import { createLog } from '../../builder/log/log.ts';
import { openPlane } from '../../builder/plane.ts';

const million = 1_000_000;

/** Sends a million lines of `text`. The processor time is the builder's alone: it is the same on a busy machine. */
async function sendMillion(
  text: string,
  secret: string,
): Promise<{ rate: number; processorSeconds: number; memoryMb: number }> {
  const sink = spawn(process.execPath, ['test/bench/log-sink.cjs'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [port] = (await once(sink.stdout as NonNullable<ChildProcess['stdout']>, 'data')) as [Buffer];
    const { signal } = new AbortController();
    const plane = openPlane({
      url: `http://127.0.0.1:${Number(port.toString())}`,
      deployment: 'd',
      attempt: 1,
      bootstrapToken: 'b',
      signal,
    });
    let last = 0;
    const log = createLog(
      async (body) => {
        const answer = await plane.sendLogs(body);
        last = answer.last;
        return answer;
      },
      (error) => {
        throw error;
      },
    );
    log.hide(secret);
    const before = process.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 20);
    const start = performance.now();
    const processor = process.cpuUsage();
    await runCommand({
      command: `yes "${text}" | head -n ${million}`,
      directory: '.',
      environment: { PATH: process.env.PATH },
      signal,
      pipe: log.pipe,
    });
    await log.flush();
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(processor);
    clearInterval(watch);
    expect(last).toBe(million);
    await plane.close();
    return {
      rate: million / seconds,
      processorSeconds: (user + system) / 1e6,
      memoryMb: (peak - before) / 1024 ** 2,
    };
  } finally {
    sink.kill();
  }
}

describe('a million lines through the builder', () => {
  const cases = [
    ['plain', 'transforming modules, this one is number 12345 of the whole lot, src/components/Button.tsx'],
    [
      'coloured',
      '\u001b[32mtransforming\u001b[39m \u001b[2mmodules\u001b[22m src/components/Button.tsx \u001b[1m12 kB\u001b[0m',
    ],
  ] as const;
  for (const [name, text] of cases) {
    bench(
      name,
      async () => {
        const { rate, processorSeconds, memoryMb } = await sendMillion(text, 'ghp_0123456789abcdefghij');
        process.stderr.write(
          `${name}: ${Math.round(rate)} lines/s; ${processorSeconds.toFixed(1)} s of processor a million; ${memoryMb.toFixed(0)} MB more memory at most\n`,
        );
      },
      { iterations: 3, time: 0, warmupIterations: 0, warmupTime: 0 },
    );
  }
});
