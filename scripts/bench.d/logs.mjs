/** From a build's print to the CLI's output, through builder, plane and socket: how late a line is, and how many a second. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, quantile } from './measure.mjs';
import { cli, environmentFor, inTemporaryDirectory, startPlane } from './sphere.mjs';

const latencyGoal = 100;
const rateGoal = 100_000;
const steadySeconds = 5;
const manyLines = 1_000_000;

/** 1,000 lines a second, each with the time at which it was printed; written in steps of 10 ms. */
const steady = `
const started = Date.now(); let printed = 0;
const timer = setInterval(() => {
  const due = Math.min(Date.now() - started, ${steadySeconds * 1000});
  for (; printed < due; printed++) console.log('at=' + Date.now());
  if (printed === ${steadySeconds * 1000}) clearInterval(timer);
}, 10);
`;

/** As many as go, of a usual length, as fast as they are taken. */
const flood = `
const { once } = require('node:events');
(async () => {
  for (let n = 0; n < ${manyLines}; n += 1000) {
    let text = '';
    for (let i = n; i < n + 1000; i++) text += 'n=' + i + ' transforming src/components/Button.tsx of the whole lot\\n';
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  }
})();
`;

export async function* logRows(runs) {
  yield* await inTemporaryDirectory(async (directory) => {
    const home = join(directory, 'home');
    const plane = await startPlane(home);
    const late = [];
    const rates = [];
    try {
      for (let run = 0; run < runs; run++) {
        const delays = await delaysOf(home, project(directory, `steady-${run}`, steady));
        late.push(quantile(delays, 0.99));
        rates.push(await floodRate(home, project(directory, `flood-${run}`, flood)));
      }
    } finally {
      await plane.stop();
    }
    const p99 = median(late);
    const rate = median(rates);
    return [
      {
        figure: 'a printed line reaches the CLI, 1,000 lines/s: 99th percentile',
        goal: `at most ${latencyGoal} ms`,
        measured: `${p99} ms`,
        pass: p99 <= latencyGoal,
      },
      {
        figure: 'lines a second through the whole path',
        goal: `at least ${rateGoal.toLocaleString('en')}`,
        measured: Math.round(rate).toLocaleString('en'),
        pass: rate >= rateGoal,
      },
    ];
  });
}

/** Lines a second between the arrival of the first and the last of `manyLines`. */
async function floodRate(home, directory) {
  // Counted in raw bytes: taking lines apart here would take the processor from what is measured.
  const mark = ' transforming ';
  let count = 0;
  let first = 0;
  let last = 0;
  let rest = '';
  await follow(home, directory, (chunk) => {
    const text = rest + chunk.toString('latin1');
    const before = count;
    let at = text.indexOf(mark);
    for (; at !== -1; at = text.indexOf(mark, at + mark.length)) count++;
    rest = text.slice(Math.max(text.lastIndexOf(mark) + mark.length, text.length - mark.length + 1));
    if (count === before) return;
    last = performance.now();
    if (before === 0) first = last;
  });
  if (count !== manyLines) throw new Error(`${count} of ${manyLines} lines arrived`);
  return (manyLines / (last - first)) * 1000;
}

/** How late each of the steady lines is, in milliseconds. */
async function delaysOf(home, directory) {
  const delays = [];
  let rest = '';
  await follow(home, directory, (chunk) => {
    const now = Date.now();
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const at = /at=(\d+)/.exec(line);
      if (at) delays.push(now - Number(at[1]));
    }
  });
  const all = steadySeconds * 1000;
  if (delays.length !== all) throw new Error(`${delays.length} of ${all} lines arrived`);
  return delays;
}

/** Deploys `directory` and calls `see` with each chunk of the CLI's stderr, a pipe. */
async function follow(home, directory, see) {
  const child = spawn(process.execPath, [cli, 'deploy', directory, '--local'], {
    env: environmentFor(home),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let tail = '';
  child.stderr.on('data', (chunk) => {
    see(chunk);
    tail = `${tail}${chunk.subarray(-2000)}`.slice(-2000);
  });
  await once(child.stderr, 'end');
  const [code] = await ended;
  if (code !== 0) throw new Error(`sphere deploy: exit ${code}\n${tail}`);
}

/** A project without dependencies whose build runs `script`. */
function project(directory, name, script) {
  const root = join(directory, `bench-${name}`);
  mkdirSync(join(root, 'site'), { recursive: true });
  writeFileSync(join(root, 'site', 'index.html'), `<!doctype html><title>${name}</title>`);
  writeFileSync(join(root, 'print.cjs'), script);
  const settings = { installCommand: null, buildCommand: 'node print.cjs', outputDirectory: 'site' };
  writeFileSync(join(root, 'sphere.json'), JSON.stringify(settings));
  return root;
}
