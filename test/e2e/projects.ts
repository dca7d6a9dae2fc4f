/** Projects for the tests to deploy. Their builds run Node alone: no package manager, no network. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Tree, writeTree } from '../files/tree.ts';
import type { Sphere } from './sphere.ts';

/** A directory `name` below the test's own that holds `files`. The project's slug is `name`. */
export function project({ root }: Pick<Sphere, 'root'>, name: string, files: Tree): string {
  const directory = join(root, 'projects', name);
  mkdirSync(directory, { recursive: true });
  writeTree(directory, files);
  return directory;
}

/** A project that is built by `script`, an ES module that hands its pages to `site`. */
export function built(script: string): Tree {
  return {
    'sphere.json': JSON.stringify({ buildCommand: 'node build.mjs', outputDirectory: 'out' }),
    'build.mjs': `
      import { spawn } from 'node:child_process';
      import * as fs from 'node:fs';
      import { dirname, join } from 'node:path';
      import { setTimeout as sleep } from 'node:timers/promises';
      const site = (files) => {
        for (const [path, content] of Object.entries(files)) {
          fs.mkdirSync(dirname(join('out', path)), { recursive: true });
          fs.writeFileSync(join('out', path), content);
        }
      };
      ${script}
    `,
  };
}

/**
 * A build that says so and waits until the file `flag` is there, before it goes on with `script`. Only one that is not
 * isolated sees the file.
 */
export function builtAfter(flag: string, script: string): Tree {
  return built(`
    console.log('waiting for a file');
    while (!fs.existsSync('${flag}')) await sleep(50);
    ${script}
  `);
}

/** What has the commands of a build see the files of the test. */
export const unisolated = { SPHERE_ISOLATION: 'never' };

/** A build that prints `line 1` to `line COUNT`, one every `everyMs`, and then leaves a page. */
export function printing(count: number, everyMs: number): Tree {
  return built(`
    for (let line = 1; line <= ${count}; line++) {
      console.log('line ' + line);
      await sleep(${everyMs});
    }
    site({ 'index.html': '<h1>${count} lines</h1>' });
  `);
}

/** The numbers of the lines that such a build printed, as they stand in `text`. */
export function printedLines(text: string): number[] {
  return [...text.matchAll(/^line (\d+)$/gm)].map((match) => Number(match[1]));
}

/** 1, 2, 3 … `count`. */
export function counting(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
