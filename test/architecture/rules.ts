/** The house rules as pure functions: each takes a file and returns what is wrong with it. */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { readSource, type SourceFile } from './source-file.ts';

/** Who may import whom: the programs lean on files, files on the contract, the contract on zod alone. */
const allowedAreas: Record<string, readonly string[]> = {
  cli: ['cli', 'files', 'contract'],
  server: ['server', 'files', 'contract'],
  builder: ['builder', 'files', 'contract'],
  files: ['files', 'contract'],
  contract: ['contract'],
};
export const programAreas = Object.keys(allowedAreas);

/** The only ways across, all lazy: `sphere server` runs the plane in this very process. */
const doors: Record<string, string> = { 'cli/commands/server.ts': 'server/main.ts' };

/** Holds the version; everybody may read it. */
const packageManifest = 'package.json';

const maxLines = 400;
const vagueName = /(^|[-.])(utils?|utilities|helpers?|commons?|misc)([-.]|$)/i;

/** Everything that is wrong with the file at `path` (from the repository's root), as sentences. */
export function problemsOf(path: string, text: string): string[] {
  const file = readSource(path, text);
  const inProgram = programAreas.includes(areaOf(path));
  const rules = inProgram ? [...everywhere, ...inPrograms] : everywhere;
  return rules.flatMap((rule) => rule(file)).map((problem) => `${path}${problem}`);
}

function arrows(file: SourceFile): string[] {
  const area = areaOf(file.path);
  return file.imports.flatMap(({ specifier, kind, line }) => {
    if (!specifier.startsWith('.')) return packageProblem(area, specifier, line);
    const target = posix.join(posix.dirname(file.path), specifier);
    if (target === packageManifest || allowedAreas[area]?.includes(areaOf(target))) return [];
    if (doors[file.path] === target) return kind === 'lazy' ? [] : [`:${line} must import ${target} lazily`];
    return [`:${line} ${area} may not import ${target}`];
  });
}

function packageProblem(area: string, specifier: string, line: number): string[] {
  if (area !== 'contract' || specifier === 'zod') return [];
  const what = isBuiltin(specifier) ? 'does no I/O and may not import' : 'may import zod alone, not';
  return [`:${line} contract ${what} ${specifier}`];
}

function exits(file: SourceFile): string[] {
  if (/^(cli|server|builder)\/main\.ts$/.test(file.path)) return [];
  return usesOf(file, ['exit', 'exitCode', 'abort', 'reallyExit'], 'belongs in main.ts');
}

function environment(file: SourceFile): string[] {
  if (/^(cli|server|builder)\/config\.ts$/.test(file.path)) return [];
  return usesOf(file, ['env', 'loadEnvFile'], 'belongs in config.ts');
}

function usesOf(file: SourceFile, properties: readonly string[], where: string): string[] {
  return file.processUses
    .filter(({ property }) => properties.includes(property))
    .map(({ property, line }) => `:${line} process.${property} ${where}`);
}

function barrels(file: SourceFile): string[] {
  const named = /(^|\/)index\.[cm]?ts$/.test(file.path);
  return named || file.onlyReExports ? [' is a barrel: import from the file that has the thing'] : [];
}

function names(file: SourceFile): string[] {
  const vague = file.path.split('/').find((part) => vagueName.test(part));
  return vague === undefined ? [] : [` has a part named "${vague}": name it after what it is for`];
}

function firstLine({ lines }: SourceFile): string[] {
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0];
  const says =
    /^(\/\*\*|\/\/)/.test(first ?? '') && /\w{3}/.test(`${first}${first === '/**' ? lines[1] : ''}`);
  return says ? [] : [':1 must be a comment that says what the file is for'];
}

function size({ lines }: SourceFile): string[] {
  return lines.length > maxLines ? [` has ${lines.length} lines: look for the second thing in it`] : [];
}

const everywhere = [barrels, names, firstLine];
const inPrograms = [arrows, exits, environment, size];

function areaOf(path: string): string {
  return path.split('/')[0] ?? '';
}
