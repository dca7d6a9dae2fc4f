/** Picks the lines that tell why a command failed out of the last ones that it printed. */
import { stripVTControlCharacters } from 'node:util';

/** How many lines of a failed command are in the error. */
const shownLines = 20;

/** How many frames of a stack are kept: the first ones are the author's own code, if any are. */
const shownFrames = 2;

/** npm prints the whole help of a subcommand behind some errors: from here to the line about its log. */
const usageBegins = /^npm (?:error|ERR!) (?:Usage:|.*\bClean install a project$)/;

/** Where a package manager begins to say what is wrong; what stands before it is progress. */
const reasonBegins =
  /^npm (?:error|ERR!) code E(?!LIFECYCLE)[A-Z0-9]+|^\s*\[?ERR_PNPM_(?!RECURSIVE|LIFECYCLE)|^error (?:Your lockfile|Couldn't find|An unexpected)/;

const noise = [
  /^\s*$/,
  /^npm (?:warn|WARN|notice)\b/,
  /^npm (?:error|ERR!)\s*$/,
  /^npm (?:error|ERR!) (?:A complete log of this run|For a full report see:|.*-report\.txt$)/,
  /^npm (?:error|ERR!) {4}.*-debug-\d+\.log$/,
  /^warning (?!.*\berror\b)/i,
  /^info Visit https:\/\/(?:classic\.)?yarnpkg\.com\//,
  // Yarn 2 and later: progress, and the lockfile that it would have written.
  /^➤ YN0000:/,
  /^➤ YN0028: │ [-+ ]/,
  /^gyp (?:verb|info)\b/,
  /^\s*ELIFECYCLE\s+Command failed/,
  /^error Command failed with exit code \d+\.$/,
];

/** Lines of a stack: V8's own, and gyp's copy of them. */
const frame = /^(?:(?:npm (?:error|ERR!) )?gyp ERR! stack)?\s+at\s.*(?:\(.*\)|:\d+:\d+|<anonymous>)$/;

/**
 * At most 20 of `lines`, as plain text: without usage help, progress, warnings and most of the stack, from the line
 * where a package manager says what is wrong, else the last ones. Where nothing but noise is left, the last of that.
 */
export function tellingLines(lines: readonly string[]): string[] {
  const plain = lines.map((line) => stripVTControlCharacters(line).trimEnd());
  const telling = withoutDeepStacks(withoutUsage(plain)).filter(
    (line) => !noise.some((pattern) => pattern.test(line)),
  );
  if (telling.length === 0) return plain.filter((line) => line !== '').slice(-shownLines);
  const begin = telling.findIndex((line) => reasonBegins.test(line));
  return begin === -1 ? telling.slice(-shownLines) : telling.slice(begin, begin + shownLines);
}

function withoutUsage(lines: readonly string[]): string[] {
  let inUsage = false;
  return lines.filter((line) => {
    if (usageBegins.test(line)) inUsage = true;
    else if (!/^npm (?:error|ERR!)/.test(line)) inUsage = false;
    return !inUsage;
  });
}

function withoutDeepStacks(lines: readonly string[]): string[] {
  let depth = 0;
  return lines.filter((line) => {
    depth = frame.test(line) ? depth + 1 : 0;
    return depth <= shownFrames;
  });
}
