/** Environment values of a project: what may be one, who gets it, and which of them are secrets. */
import { LIVE } from './words.ts';

export const environmentScopes = ['live', 'previews'] as const;
/** Which deployments get a value: those of the target `live`, or those of every other target. */
export type EnvironmentScope = (typeof environmentScopes)[number];

/** The scope whose values a deployment to `target` gets. */
export function scopeOf(target: string): EnvironmentScope {
  return target === LIVE ? 'live' : 'previews';
}

/** What a shell can name, and no longer than any program needs. */
export const environmentNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * The most that one project may have per scope. Linux hands a program 2 MB of arguments and environment, and refuses a
 * single string of more than 128 KB (execve(2), E2BIG): all of a scope must fit beside what the machine has.
 */
export const environmentLimits = { valueBytes: 64 * 1024, values: 500, totalBytes: 512 * 1024 } as const;

/** A shorter value is no secret: hiding it would hide harmless text, and tell as much by its gaps. */
export const shortestSecretBytes = 8;

/**
 * Names that Sphere, the shell or the loader of programs give a meaning of their own. `CI` and `NODE_OPTIONS` are not
 * among them: `CI=false` and `--max-old-space-size` are what people set for real builds.
 */
const reservedNames =
  /^(?:SPHERE|SPHERE_.*|PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|IFS|_|LD_.*|DYLD_.*|BASH_ENV|__proto__)$/;

/** Prefixes by which frameworks put a value into the pages, where everybody reads it. */
export const clientPrefixes = [
  'VITE_',
  'NEXT_PUBLIC_',
  'PUBLIC_',
  'REACT_APP_',
  'GATSBY_',
  'NUXT_PUBLIC_',
  'EXPO_PUBLIC_',
  'VUE_APP_',
] as const;

/** The prefix by which a framework publishes the value of `name`, or null. */
export function clientPrefixOf(name: string): string | null {
  return clientPrefixes.find((prefix) => name.startsWith(prefix)) ?? null;
}

/** Why `name` cannot be the name of an environment value, or null. */
export function environmentNameProblem(name: string): string | null {
  if (!environmentNamePattern.test(name)) {
    return 'is not a name: it takes 1 to 128 of A-Z, a-z, 0-9 and _, and no digit first';
  }
  if (!reservedNames.test(name)) return null;
  return /^SPHERE/.test(name)
    ? 'is reserved: Sphere sets what begins with SPHERE'
    : 'is reserved: the shell and the loader of programs give it a meaning of their own';
}

/** Why `value` cannot be the value of `name`, or null. */
export function environmentValueProblem(value: string): string | null {
  if (value.includes('\0')) return 'holds NUL, which no environment can';
  const bytes = utf8Bytes(value);
  if (bytes <= environmentLimits.valueBytes) return null;
  return `has ${bytes} bytes, and a value may have ${environmentLimits.valueBytes}`;
}

/** How many bytes `text` has in UTF-8. */
export function utf8Bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Whether a value is a secret: to be masked in logs and kept out of the output. */
export function isSecret({ value, sensitive }: { value: string; sensitive: boolean }): boolean {
  return sensitive && utf8Bytes(value) >= shortestSecretBytes;
}

/** One value as the builder gets it. */
export type BuildValue = {
  name: string;
  value: string;
  sensitive: boolean;
  /** `deployment`: of this deployment alone; `project`: stored; `file`: of the caller's `sphere.json`. */
  from: 'deployment' | 'project' | 'file';
};

/** What a deployment's commands get: flags above the project's values above those of the file. Pure. */
export function mergeEnvironment(
  {
    given = {},
    file = {},
  }: { given?: Record<string, string> | undefined; file?: Record<string, string> | undefined },
  project: readonly { name: string; value: string; sensitive: boolean }[],
): BuildValue[] {
  const merged = new Map<string, BuildValue>();
  const plain = (values: Record<string, string>, from: BuildValue['from']) => {
    for (const [name, value] of Object.entries(values))
      merged.set(name, { name, value, sensitive: false, from });
  };
  plain(file, 'file');
  for (const { name, value, sensitive } of project)
    merged.set(name, { name, value, sensitive, from: 'project' });
  plain(given, 'deployment');
  return [...merged.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
