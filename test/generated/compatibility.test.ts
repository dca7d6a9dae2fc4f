/** What docs/compatibility.md makes of trials: each is in the table that tells the truth about it. */
import { describe, expect, test } from 'vitest';
import { compatibilityText } from '../../scripts/generate/compatibility.ts';
import { type Entry, type Result, readTrials } from '../../scripts/generate/compatibility-trials.ts';

const entry: Entry = { repository: 'a/site', commit: '1234567', framework: 'Astro', packageManager: 'npm' };
const worked: Result = {
  repository: 'a/site',
  commit: '1234567',
  run: '2026-11-25',
  outcome: 'works',
  settings: [],
  framework: 'Astro',
  packageManager: 'npm',
  node: '22',
  seconds: 12,
  files: 1200,
  bytes: 2_340_000,
};
const { files, bytes, ...unpublished } = worked;
const failed: Result = {
  ...unpublished,
  outcome: 'fails',
  error: { code: 'BUILD_FAILED', message: 'It failed.', hint: 'Do this.' },
};

const runs = { '2026-11-25': { sphere: '0.1.0', machine: 'a machine' } };
const textOf = (results: Result[], entries = [entry]) =>
  compatibilityText(entries, { runs, results }, 'Much.');

/** The rows below a heading. */
function rowsUnder(heading: string, text: string): string[] {
  const [, after] = text.split(`\n## ${heading}\n`);
  if (after === undefined) return [];
  const rows = (after.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '));
  return rows.slice(2);
}

describe('a trial', () => {
  test('that works is listed with what was found and measured', () => {
    expect(rowsUnder('Works as it is', textOf([worked]))).toEqual([
      '| a/site | 1234567 | 2026-11-25 | Astro | npm | 22 | 12 | 1,200 | 2.3 MB |  |',
    ]);
  });

  test('that works with a setting shows it, and what is said without it', () => {
    const asItIs = { code: 'CONFIGURATION_INVALID', message: 'Two | sites.' };
    const text = textOf([{ ...worked, settings: ['--root', 'web'], asItIs }]);
    expect(rowsUnder('Works as it is', text)).toEqual([]);
    expect(rowsUnder('Works with a setting', text)[0]).toContain(
      '| `--root web` | CONFIGURATION_INVALID: Two \\| sites. |',
    );
  });

  test.each([
    ['change', 'Needs a change'],
    ['sphere', 'Fails, and it is for Sphere to mend'],
    ['repository', 'Cannot work, for its own reasons'],
    ['unreachable', 'Could not be tried here'],
  ] as const)('that fails because of %s is under "%s"', (kind, heading) => {
    const rows = rowsUnder(heading, textOf([{ ...failed, cause: { kind, why: 'Because.' } }]));
    expect(rows[0]).toContain('| BUILD_FAILED: It failed. | Because. |');
  });

  test('that fails without a known cause is not hidden', () => {
    const text = textOf([failed]);
    expect(rowsUnder('Fails, and nobody has looked why', text)[0]).toContain(
      '| BUILD_FAILED: It failed. Do this. |',
    );
    expect(text).toContain('not seen to work by a real repository: Astro.');
    expect(text).toContain('| Astro | 1 |  |  |  | 1 |  |  |');
  });

  test('of another commit is not that of the list', () => {
    expect(textOf([{ ...worked, commit: '7654321' }])).not.toContain('a/site');
  });

  test('in which something was not there says so', () => {
    const text = textOf([{ ...worked, missing: ['/api/x'], warnings: ['No lockfile.'] }]);
    expect(text).toContain('| Warned: No lockfile. Its own, and not there: `/api/x`. |');
  });

  test('that found another framework says which one it is', () => {
    expect(textOf([{ ...worked, framework: 'none known' }])).toContain('| none known (it is Astro) |');
  });
});

describe('what is kept', () => {
  const { entries, record } = readTrials();

  test('belongs to the list, once', () => {
    const keys = (trials: readonly (Entry | Result)[]) =>
      trials.map(({ repository, commit, root }) => `${repository} ${commit} ${root ?? ''}`);
    expect(new Set(keys(record.results)).size).toBe(record.results.length);
    expect(keys(entries)).toEqual(expect.arrayContaining(keys(record.results)));
    for (const { run } of record.results) expect(record.runs).toHaveProperty(run);
  });

  test('names no path of a machine and no host', () => {
    for (const { error, asItIs, warnings } of record.results) {
      const said = [error?.message, error?.hint, asItIs?.message, asItIs?.hint, ...(warnings ?? [])].join(
        '\n',
      );
      expect(said).not.toMatch(/https?:\/\/\w|(?:^|[\s`'"(])\/(?:tmp|home|root|work)\//m);
    }
  });
});
