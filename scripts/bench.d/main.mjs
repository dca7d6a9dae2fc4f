/** Runs the parts of the benchmark that were asked for and prints their rows as a table, each when it is known. */
import { cpus } from 'node:os';
import { deployRows } from './deploy.mjs';
import { followerRows } from './followers.mjs';
import { hostedRows } from './hosted.mjs';
import { installRows } from './install.mjs';
import { logRows } from './logs.mjs';
import { planeRows } from './plane.mjs';
import { s3Rows } from './s3.mjs';
import { startRows } from './start.mjs';

const parts = {
  start: startRows,
  install: installRows,
  plane: planeRows,
  deploy: deployRows,
  logs: logRows,
  s3: s3Rows,
  followers: followerRows,
  hosted: hostedRows,
};
const runs = Number(process.env.SPHERE_BENCH_RUNS ?? 7);
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = chosen.find((name) => !(name in parts));

if (unknown !== undefined) {
  process.stderr.write(`There is no part "${unknown}": ${Object.keys(parts).join(', ')}.\n`);
  process.exitCode = 2;
} else {
  process.stdout.write(
    `Node ${process.version}, ${cpus().length} cores, medians of ${runs} interleaved runs\n\n`,
  );
  process.stdout.write('| figure | goal | measured | |\n|---|---|---|---|\n');
  for (const name of chosen) {
    for await (const { figure, goal, measured, pass } of parts[name](runs)) {
      const verdict = pass === undefined ? '' : pass ? 'pass' : 'miss';
      process.stdout.write(`| ${figure} | ${goal} | ${measured} | ${verdict} |\n`);
    }
  }
}
