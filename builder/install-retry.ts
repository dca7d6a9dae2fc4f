/** What to try when a package manager refuses a lockfile that does not fit package.json. */

type Refusal = { command: RegExp; said: RegExp; instead: (command: string) => string };

/**
 * Package managers tell this by words alone: the exit code is that of every other failure. Lockfiles that lack the
 * packages of other platforms are common, and a laptop's own install never fails on them.
 */
const refusals: Refusal[] = [
  {
    command: /^npm ci\b/,
    said: /npm (?:error|ERR!) code EUSAGE/,
    instead: (command) => command.replace('npm ci', 'npm install'),
  },
  {
    command: /^pnpm install\b.*--frozen-lockfile/,
    said: /ERR_PNPM_(?:OUTDATED_LOCKFILE|LOCKFILE_CONFIG_MISMATCH)/,
    instead: (command) => command.replace('--frozen-lockfile', '--no-frozen-lockfile'),
  },
  {
    command: /^yarn install\b.*--immutable/,
    said: /YN0028/,
    instead: (command) => command.replace('--immutable', '--no-immutable'),
  },
  {
    command: /^yarn install\b.*--frozen-lockfile/,
    said: /lockfile needs to be updated/,
    instead: (command) => command.replace('--frozen-lockfile ', ''),
  },
  {
    command: /^bun install\b.*--frozen-lockfile/,
    said: /lockfile had changes, but lockfile is frozen/,
    instead: (command) => command.replace(' --frozen-lockfile', ''),
  },
];

/** The command to run instead of the derived `command` that ended with `lastLines`, or null. */
export function installRetry(command: string, lastLines: readonly string[]): string | null {
  const plain = lastLines.map(withoutColours);
  const refusal = refusals.find(
    (each) => each.command.test(command) && plain.some((line) => each.said.test(line)),
  );
  return refusal?.instead(command) ?? null;
}

function withoutColours(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ESC starts a colour
  return line.replace(/\u001b\[[0-9;:]*m/g, '');
}
