/** The rules of .gitignore and .sphereignore files, at every level of a directory, as one list. */
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ignore from 'ignore';
import { readPlainFile } from './plain-file.ts';

/** The texts of one directory's ignore files. */
export type IgnoreTexts = { git: string; sphere: string };

/**
 * Rules that decide about paths. All levels are one list whose last match wins, which is what makes Git's own rule work
 * across levels: below a directory that is left out nothing can be taken back in. The lines of .sphereignore stand after
 * all those of .gitignore, so they win.
 */
export type IgnoreRules = {
  /** `path` is relative to where the rules begin, with `/` between its parts and one at the end of a directory. */
  ignores(path: string): boolean;
  /** These rules and those of the ignore files in `base` (`''` or a path that ends in `/`). */
  and(base: string, texts: IgnoreTexts): IgnoreRules;
};

/** Rules from texts whose patterns are relative to where the rules begin. */
export function ignoreRules(texts: IgnoreTexts = { git: '', sphere: '' }): IgnoreRules {
  // Git's core.ignoreCase is on by default where file systems ignore case.
  const matcher = ignore({ ignorecase: process.platform === 'darwin' })
    .add(texts.git)
    .add(texts.sphere);
  return {
    ignores: (path) => matcher.ignores(path),
    and: (base, more) => {
      if (more.git === '' && more.sphere === '') return ignoreRules(texts);
      return ignoreRules({
        git: `${texts.git}\n${rebase(more.git, base)}`,
        sphere: `${texts.sphere}\n${rebase(more.sphere, base)}`,
      });
    },
  };
}

/** Reads the ignore files of one directory. */
export function readIgnoreTexts(directory: string): IgnoreTexts {
  return {
    git: readText(join(directory, '.gitignore')),
    sphere: readText(join(directory, '.sphereignore')),
  };
}

/**
 * The rules that hold in `directory` from outside: of .git/info/exclude and of the ignore files between the top of the
 * repository and `directory`, its own not among them. `prefix` leads from where the rules begin to `directory`.
 * A directory that its repository ignores was named on purpose: no outer rule holds in it.
 */
export function outerRules(directory: string): { rules: IgnoreRules; prefix: string } {
  const top = repositoryTop(resolve(directory));
  if (top === null) return { rules: ignoreRules(), prefix: '' };
  const parts = relative(top, resolve(directory)).split(sep).filter(Boolean);
  let rules = ignoreRules({ git: readText(join(top, '.git', 'info', 'exclude')), sphere: '' });
  for (let depth = 0; depth < parts.length; depth++) {
    const above = parts.slice(0, depth);
    rules = rules.and(above.map((part) => `${part}/`).join(''), readIgnoreTexts(join(top, ...above)));
  }
  const prefix = parts.map((part) => `${part}/`).join('');
  if (prefix !== '' && rules.ignores(prefix)) return { rules: ignoreRules(), prefix: '' };
  return { rules, prefix };
}

function repositoryTop(directory: string): string | null {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (at === dirname(at)) return null;
  }
}

function readText(path: string): string {
  try {
    return (readPlainFile(realpathSync(path))?.toString('utf8') ?? '').replace(/^\uFEFF/, '');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return '';
    throw error;
  }
}

/** The patterns of an ignore file in `base`, as patterns of one where the rules begin. */
function rebase(text: string, base: string): string {
  if (base === '') return text;
  const anchor = `/${base.replace(/[\\*?[\]]/g, '\\$&')}`;
  return text
    .split(/\r?\n/)
    .map((line) => rebaseLine(line, anchor))
    .join('\n');
}

function rebaseLine(line: string, anchor: string): string {
  if (line === '' || line.startsWith('#')) return '';
  const negated = line.startsWith('!');
  const pattern = (negated ? line.slice(1) : line).replace(/^\\(?=[#!])/, '');
  const bare = pattern.trimEnd().replace(/\/$/, '');
  if (bare === '') return '';
  // A slash at the start or in the middle ties a pattern to its file's directory; else it holds at any depth.
  const tied = bare.includes('/') ? pattern.replace(/^\//, '') : `**/${pattern}`;
  return `${negated ? '!' : ''}${anchor}${tied}`;
}
