/** Running programs, taking times, and the two statistics. Times are in milliseconds. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs `command` to its end, quietly. Returns its time and stdout; throws with its stderr when it fails. */
export async function timed(command, args, options = {}) {
  const started = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr']) {
    child[stream]?.setEncoding('utf8').on('data', (text) => {
      output[stream] += text;
    });
  }
  const [code] = await once(child, 'close');
  const ms = performance.now() - started;
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${output.stderr}`);
  return { ms, stdout: output.stdout };
}

/**
 * Takes each of `measures` (name -> async function to a number) once per round, so that what disturbs the machine
 * disturbs all alike. Returns name -> median of `rounds` numbers.
 */
export async function interleaved(rounds, measures) {
  const seen = Object.fromEntries(Object.keys(measures).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, measure] of Object.entries(measures)) seen[name].push(await measure());
  }
  return Object.fromEntries(Object.entries(seen).map(([name, numbers]) => [name, median(numbers)]));
}

/** The middle one. */
export function median(numbers) {
  return quantile(numbers, 0.5);
}

/** The smallest number that the share `q` of all does not exceed. */
export function quantile(numbers, q) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)];
}

/** A row whose figure is `ms` as a multiple of `base`. */
export function ratioRow(figure, atMost, ms, base) {
  const ratio = ms / base;
  const measured = `${ratio.toFixed(2)} x (${Math.round(ms)} of ${Math.round(base)} ms)`;
  return { figure, goal: `at most ${atMost} x`, measured, pass: ratio <= atMost };
}
