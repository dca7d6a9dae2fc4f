/** Tries the repositories that were asked for, and writes each result when it is known. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { describeRun, withResult } from './results.mjs';
import { tryRepository } from './trial.mjs';

const root = join(import.meta.dirname, '..', '..');
const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    copies: { type: 'string' },
    /** Minutes for one deployment. */
    limit: { type: 'string', default: '15' },
    list: { type: 'string', default: join(import.meta.dirname, 'repositories.json') },
    results: { type: 'string', default: join(root, 'docs', 'compatibility.json') },
  },
});
const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

// Where an earlier trial did not note its commit, nobody can try the same again.
const chosen = readJson(values.list).filter(
  ({ repository, commit }) =>
    commit !== null && (values.only ?? ['']).some((part) => repository.includes(part)),
);
if (chosen.length === 0) {
  process.stderr.write('No repository of the list has a commit and that name.\n');
  process.exitCode = 2;
}

const interruption = new AbortController();
process.once('SIGINT', () => interruption.abort());

const run = describeRun();
for (const entry of chosen) {
  if (interruption.signal.aborted) break;
  const copies = values.copies === undefined ? null : resolve(values.copies);
  try {
    const limits = { limit: `${values.limit}m`, signal: interruption.signal };
    const result = await tryRepository(entry, { copies, ...limits });
    keep(result);
    process.stdout.write(`${lineOf(result)}\n`);
  } catch (error) {
    // The others are tried all the same.
    process.stderr.write(`${entry.repository}: not tried. ${error.message}\n`);
    process.exitCode = 1;
  }
}

function keep(result) {
  const { date, ...about } = run;
  const kept = withResult(readJson(values.results), { ...result, run: date }, about);
  writeFileSync(values.results, `${JSON.stringify(kept, null, 2)}\n`);
}

function lineOf({ repository, root: below, outcome, settings, seconds, error }) {
  const what = outcome === 'works' ? `works in ${seconds} s` : `${error.code}: ${error.message}`;
  const how = outcome === 'works' && settings.length > 0 ? `, with ${settings.join(' ')}` : '';
  return `${repository}${below === undefined ? '' : ` ${below}`}: ${what}${how}`;
}
