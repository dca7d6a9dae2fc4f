/** Which of the directories that a build has left is the site. */
import { describe, expect, test } from 'vitest';
import { chooseOutput, type SeenOutput } from '../../builder/plan/output.ts';
import { planBuild } from '../../builder/plan/plan.ts';
import { literalSourceFiles } from '../../builder/plan/source-files.ts';
import type { BuildSettings } from '../../contract/configuration.ts';

const plan = (tree: Record<string, unknown>, settings: BuildSettings = {}) =>
  planBuild(literalSourceFiles(tree), settings, { nodeVersion: '20.20.2' });
const seen = (directory: string, more: Partial<SeenOutput> = {}): SeenOutput => ({
  directory,
  files: 3,
  html: true,
  index: true,
  changed: true,
  ...more,
});
const script = { 'package.json': { scripts: { build: 'node build.js' } } };
const vite = { 'package.json': { dependencies: { vite: '7.0.0' }, scripts: { build: 'vite build' } } };

describe('chosen', () => {
  test('the framework’s own directory', async () => {
    expect(chooseOutput(await plan(vite), [seen('dist'), seen('build')]).directory).toBe('dist');
  });

  test('a directory with an index before one with other pages', async () => {
    const found = chooseOutput(await plan(script), [seen('dist', { index: false }), seen('public')]);
    expect(found.directory).toBe('public');
  });

  test('not an output that was committed and that the build did not touch', async () => {
    const tree = { ...script, 'dist/index.html': '' };
    const found = chooseOutput(await plan(tree), [seen('dist', { changed: false }), seen('out')]);
    expect(found.directory).toBe('out');
  });

  test('a committed output that the build has written again', async () => {
    const tree = { ...vite, 'dist/index.html': '' };
    expect(chooseOutput(await plan(tree), [seen('dist')]).directory).toBe('dist');
  });

  test('an output that came out of a cache and needed no change', async () => {
    expect(chooseOutput(await plan(vite), [seen('dist', { changed: false })]).directory).toBe('dist');
  });

  test('what a setting names, whatever is in it', async () => {
    const given = await plan(vite, { outputDirectory: 'api' });
    expect(chooseOutput(given, [seen('api', { html: false, index: false })]).directory).toBe('api');
  });

  test('plain HTML as it is', async () => {
    const found = chooseOutput(await plan({ 'index.html': '' }), [seen('.', { changed: false })]);
    expect(found.directory).toBe('.');
  });
});

describe('refused', () => {
  test('no site: what was looked at and what else there is', async () => {
    const tree = { ...script, 'docs/index.html': '' };
    const found = await plan(tree);
    const choose = () =>
      chooseOutput(
        found,
        [seen('docs', { changed: false }), seen('dist', { html: false, index: false })],
        ['web/built'],
      );
    expect(choose).toThrow(
      expect.objectContaining({
        code: 'OUTPUT_INVALID',
        message: '`npm run build` left no site.',
        hint: 'Set "outputDirectory" in sphere.json, for example to "web/built".',
        details: expect.arrayContaining([
          'dist: 3 files, no HTML',
          'build: nothing there',
          'docs: not touched by the build',
          'Seen elsewhere: HTML in web/built',
        ]),
      }),
    );
  });

  test('no static site, with the change that the framework needs', async () => {
    const found = await plan({
      'package.json': { dependencies: { next: '16.0.0' }, scripts: { build: 'next build' } },
      'next.config.js': 'module.exports = { output: process.env.OUT };',
    });
    expect(() => chooseOutput(found, [])).toThrow(
      expect.objectContaining({ code: 'NOT_STATIC', hint: "Set output: 'export' in next.config.js." }),
    );
  });

  test('a given directory that is empty', async () => {
    const found = await plan(vite, { outputDirectory: 'site' });
    expect(() => chooseOutput(found, [])).toThrow(
      expect.objectContaining({ code: 'OUTPUT_INVALID', message: '`npm run build` left no site in site.' }),
    );
  });
});
