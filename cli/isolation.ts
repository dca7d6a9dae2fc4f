/** `--isolation` and SPHERE_ISOLATION. There is no key of `sphere.json` for it: a cloned directory brings its own. */
import { SphereError } from '../contract/errors.ts';
import { type IsolationMode, isolationModes } from '../contract/words.ts';

/** What the caller wants. Throws USAGE, CONFIGURATION_INVALID. */
export function isolationMode(flag: string | undefined, variable: string | undefined): IsolationMode {
  const value = flag ?? variable ?? 'auto';
  const mode = isolationModes.find((known) => known === value);
  if (mode !== undefined) return mode;
  const [name, code] =
    flag === undefined
      ? (['SPHERE_ISOLATION', 'CONFIGURATION_INVALID'] as const)
      : (['--isolation', 'USAGE'] as const);
  throw new SphereError(code, `${name} is "${value}"; it takes ${isolationModes.join(', ')}.`, {
    hint: 'auto isolates where the machine can; always fails where it cannot.',
  });
}
