/** Checks settings of flags and environment as those of a `sphere.json` are checked, before anything is sent. */
import { SphereError } from '../contract/errors.ts';
import type { Setting } from './settings.ts';

type Named = Partial<Record<string, Setting<string | null> | null>>;

/**
 * By the keys of `sphere.json`; what comes from elsewhere than a flag or a variable is left out. Throws `USAGE` for flags
 * and `CONFIGURATION_INVALID` for variables, with one line for each.
 */
export async function checkSettings(settings: Named): Promise<void> {
  const given = Object.entries(settings).flatMap(([key, setting]) =>
    setting && /^(?:--|SPHERE_)/.test(setting.from) ? [{ key, ...setting }] : [],
  );
  if (given.length === 0) return;
  // The schema takes longer to load than the rest of the CLI.
  const { readConfiguration } = await import('../files/configuration-file.ts');
  const wrong = given.flatMap(({ key, value, from }) => {
    const parsed = readConfiguration(JSON.stringify({ [key]: value }));
    return parsed.ok ? [] : [{ from, text: `${from}: ${parsed.problems[0]?.message}.` }];
  });
  if (wrong.length === 0) return;
  const code = wrong.some(({ from }) => from.startsWith('--')) ? 'USAGE' : 'CONFIGURATION_INVALID';
  throw new SphereError(code, wrong.map(({ text }) => text).join('\n'), {
    hint: 'docs/reference.md describes every setting.',
  });
}
