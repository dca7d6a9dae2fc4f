/** A build that prints a million lines: all of them arrive, and no program grows with them. */
import { readFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { built, project } from './projects.ts';
import { openSphere, processesOf } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const count = 1_000_000;
/** Of each program, in MB. Node alone takes 45, a plane with its database some 250. */
const mostMemory = 400;

test('a million lines arrive once and in order, and plane, builder and CLI stay small', async () => {
  const cwd = project(
    sphere,
    'million-lines',
    built(`
      for (let line = 1; line <= ${count}; ) {
        let text = '';
        for (const end = line + 1000; line < end; line++) text += 'line ' + line + '\\n';
        fs.writeSync(1, text);
      }
      site({ 'index.html': 'x' });
    `),
  );
  // The plane is there and warm, as it is for whoever deploys a second time.
  const { stderr: _, ...warm } = await sphere.run(['deploy', '--local', '--prebuilt', '.'], { cwd });
  expect(warm.code).toBe(0);
  const planeBefore = highWater(sphere.plane().pid);

  const lines = countLines();
  const run = sphere.start(['deploy'], { cwd, onStderr: lines.take });
  const memory = watchMemory({ plane: sphere.plane().pid, CLI: run.pid });
  const { code, ms } = await run.ended;
  const peak = memory.stop();

  expect({ code, ...lines.seen() }).toEqual({ code: 0, count, firstWrong: null });
  expect(peak.builder).toBeGreaterThan(0);
  for (const [program, megabytes] of Object.entries(peak)) {
    expect(megabytes, `${program}, MB`).toBeLessThan(mostMemory);
  }
  report(
    `${Math.round(count / (ms / 1000)).toLocaleString('en')} lines/s, whole deployment ${Math.round(ms)} ms;`,
  );
  report(`MB at most: ${JSON.stringify(peak)}; plane before: ${planeBefore}\n`);
});

function report(text: string): void {
  process.stdout.write(`${text} `);
}

/** Reads `line 1`, `line 2` … out of chunks, without keeping them. */
function countLines() {
  let rest = '';
  let next = 1;
  let firstWrong: string | null = null;
  return {
    take(chunk: Buffer) {
      const lines = (rest + chunk.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (!line.startsWith('line ')) continue;
        if (line !== `line ${next}`) firstWrong ??= `${line} in place of line ${next}`;
        next += 1;
      }
    },
    seen: () => ({ count: next - 1, firstWrong }),
  };
}

/** The most memory that a process has ever had resident, in MB; 0 when it has ended. */
function highWater(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kilobytes ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/** Looks at the programs while they run, and at the builder as soon as it is there. */
function watchMemory(programs: Record<string, number>) {
  const peak: Record<string, number> = {};
  const pids = { ...programs };
  const look = () => {
    pids.builder ??=
      processesOf(sphere.home).find(({ command }) => command.endsWith('builder/main.cjs'))?.pid ?? 0;
    if (pids.builder === 0) delete pids.builder;
    for (const [name, pid] of Object.entries(pids)) peak[name] = Math.max(peak[name] ?? 0, highWater(pid));
  };
  const timer = setInterval(look, 100);
  return {
    stop() {
      clearInterval(timer);
      return peak;
    },
  };
}
