/** What builds do with git and with tools that are fetched goes on working where they are isolated. */
import { stripVTControlCharacters } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { emptyDirectory } from '../files/tree.ts';
import { bundleBuilder, startBuilder } from './builder-program.ts';
import { repository } from './git-repository.ts';
import { serveGit } from './git-server.ts';
import { startPlane } from './recording-plane.ts';

test('the history of the source, and a dependency from a Git server', async () => {
  const program = await bundleBuilder();
  onTestFinished(program.remove);
  const dependency = repository({
    'package.json': JSON.stringify({ name: 'answer', version: '1.0.0' }),
    'index.js': 'module.exports = 42;',
  });
  const { url } = await serveGit(dependency.directory, null);
  const source = repository({
    'package.json': JSON.stringify({
      name: 'site',
      version: '1.0.0',
      dependencies: { answer: `git+${url}/.git` },
      scripts: {
        build: `mkdir dist && git log --format=%s > dist/index.html && git status --short package.json >> dist/index.html && node -p "require('answer')" >> dist/index.html`,
      },
    }),
  });
  const cache = emptyDirectory();
  // The second finds the objects in the mirror, which it may read and not change.
  for (const _ of [1, 2]) {
    const plane = await startPlane({
      spec: {
        source: { kind: 'git', repository: source.directory, commit: source.commit },
        isolation: 'always',
      },
    });
    onTestFinished(() => plane.close());
    expect(await startBuilder(program.file, plane, { work: emptyDirectory(), cache }).ended).toMatchObject({
      exitCode: 0,
      output: '',
    });
    expect(plane.result, plane.texts.join('\n')).toMatchObject({ outcome: 'built' });
    const page = plane.blobs.get(plane.manifest?.files['index.html']?.blob ?? '')?.toString();
    expect(stripVTControlCharacters(page ?? '')).toBe('A change\n42\n');
    expect(plane.texts.join('\n')).not.toContain('npm warn');
  }
}, 120_000);

test('a package manager that is fetched for the first build of a machine, after the ignore command', async () => {
  const program = await bundleBuilder();
  onTestFinished(program.remove);
  const source = repository({
    'sphere.json': JSON.stringify({ ignoreCommand: 'exit 1' }),
    'package.json': JSON.stringify({
      name: 'site',
      packageManager: 'yarn@1.22.22',
      scripts: { build: 'mkdir dist && yarn --version > dist/index.html' },
    }),
  });
  const plane = await startPlane({
    spec: {
      source: { kind: 'git', repository: source.directory, commit: source.commit },
      isolation: 'always',
    },
  });
  onTestFinished(() => plane.close());
  await startBuilder(program.file, plane, { work: emptyDirectory(), cache: emptyDirectory() }).ended;
  expect(plane.result, plane.texts.join('\n')).toMatchObject({ outcome: 'built' });
  const page = plane.blobs.get(plane.manifest?.files['index.html']?.blob ?? '')?.toString();
  expect(page).toBe('1.22.22\n');
}, 120_000);
