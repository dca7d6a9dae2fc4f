/** From a build's print to the CLI's output, through builder, plane and socket: how late a line is, and how many a second. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
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
        const delays = [];
        await follow(home, project(directory, `steady-${run}`, steady), (text, now) => {
          const at = /at=(\d+)$/.exec(text);
          if (at) delays.push(now - Number(at[1]));
        });
        if (delays.length !== steadySeconds * 1000) throw new Error(`${delays.length} lines arrived`);
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
  let count = 0;
  let first = 0;
  let last = 0;
  await follow(home, directory, (text, now) => {
    if (!/n=\d+ transforming/.test(text)) return;
    if (count++ === 0) first = now;
    last = now;
  });
  if (count !== manyLines) throw new Error(`${count} of ${manyLines} lines arrived`);
  return (manyLines / (last - first)) * 1000;
}

/** Deploys `directory` and calls `see` with each line of the CLI's stderr, a pipe, and when it arrived. */
async function follow(home, directory, see) {
  const child = spawn(process.execPath, [cli, 'deploy', directory, '--local'], {
    env: environmentFor(home),
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = once(child, 'exit');
  let tail = '';
  for await (const line of createInterface({ input: child.stderr })) {
    see(line, Date.now());
    tail = `${tail}${line}\n`.slice(-2000);
  }
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
