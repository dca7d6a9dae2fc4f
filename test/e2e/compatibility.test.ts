/** `scripts/compatibility` on repositories of its own: what it says of a site that works, of one that does not, and of a cause. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { packageRoot } from '../../files/package-root.ts';
import { type Entry, recordSchema } from '../../scripts/generate/compatibility-trials.ts';
import { writeTree } from '../files/tree.ts';

vi.setConfig({ testTimeout: 180_000 });
const directory = mkdtempSync(join(tmpdir(), 'sphere-compatibility-'));
const list = join(directory, 'list.json');
const results = join(directory, 'results.json');
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

/** A bare copy, as OWNER+NAME/repo. */
function copy(repository: string, files: Record<string, string>): Entry {
  const work = join(directory, 'work', repository);
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@localhost', ...args], {
      cwd: work,
      encoding: 'utf8',
    }).trim();
  writeTree(work, files);
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'one');
  git('clone', '-q', '--bare', '.', join(directory, 'copies', repository.replace('/', '+'), 'repo'));
  return { repository, commit: git('rev-parse', 'HEAD'), framework: null, packageManager: null };
}

function compatibility(...args: string[]) {
  const script = join(packageRoot(), 'scripts', 'compatibility.d', 'main.mjs');
  const files = ['--list', list, '--results', results, '--copies', join(directory, 'copies')];
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...files, ...args], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr, record: recordSchema.parse(JSON.parse(readFileSync(results, 'utf8'))) };
}

test('sites are deployed, opened and written down, and a cause stays with its failure', () => {
  const page = '<title>Two pages</title><h1>One</h1><a href="two.html">two</a><a href="gone.html">gone</a>';
  const entries: Entry[] = [
    copy('a/pages', { 'index.html': page, 'two.html': '<h1>Two</h1>' }),
    {
      ...copy('a/several', { 'one/index.html': '<h1>One</h1>', 'two/index.html': '<h1>Two</h1>' }),
      root: 'two',
    },
    copy('b/blank', { 'index.html': '<div id="app"></div><script src="gone.js"></script>' }),
    copy('b/server', {
      'package.json': '{"dependencies":{"next":"16.0.0"},"scripts":{"build":"next build"}}',
    }),
  ];
  writeFileSync(list, JSON.stringify(entries));
  const { repository, commit } = entries[2] as Entry;
  const cause = { kind: 'change' as const, why: 'Somebody looked.' };
  const before = {
    repository,
    commit,
    run: '2026-11-24',
    outcome: 'fails' as const,
    settings: [],
    seconds: 1,
  };
  const unknown = { framework: null, packageManager: null, node: null };
  const other = { ...before, ...unknown, error: { code: 'BUILD_FAILED', message: 'Another.' }, cause };
  const runs = { '2026-11-24': { sphere: '0.0.1', machine: 'another' } };
  writeFileSync(results, JSON.stringify({ runs, results: [other] }));

  const first = compatibility();
  expect(first.status, first.stderr).toBe(0);
  const [blank, ...others] = first.record.results;
  expect(blank).toMatchObject({ outcome: 'fails', error: { code: 'SITE', message: '/ shows nothing.' } });
  expect(blank).not.toHaveProperty('cause');
  expect(others).toMatchObject([
    { outcome: 'works', settings: [], title: 'Two pages', pages: 2, missing: ['/gone.html'], files: 2 },
    { outcome: 'works', settings: ['--root', 'two'], asItIs: { code: 'CONFIGURATION_INVALID' } },
    { outcome: 'fails', error: { code: 'NOT_STATIC' } },
  ]);
  expect(Object.keys(first.record.runs)).toEqual([others[0]?.run]);
  expect(first.stdout).toMatch(/^a\/pages: works in \d+ s$/m);
  expect(JSON.stringify(first.record)).not.toContain(directory);

  const known = first.record.results.map((result) => (result.error ? { ...result, cause } : result));
  writeFileSync(results, JSON.stringify({ ...first.record, results: known }));
  const again = compatibility('--only', 'b/server');
  expect(again.stdout).toMatch(/^b\/server: NOT_STATIC: /);
  expect(again.record.results.at(-1)).toMatchObject({ error: { code: 'NOT_STATIC' }, cause });
});

test('a name that is not in the list is refused', () => {
  expect(compatibility('--only', 'nobody/nothing')).toMatchObject({ status: 2, stdout: '' });
});
