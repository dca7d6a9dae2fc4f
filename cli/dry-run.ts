/** `sphere deploy --dry-run`: what would be deployed, and where each value came from. Nothing is started or sent. */
import type { Result } from './command.ts';
import { table } from './format.ts';
import type { PlaneChoice } from './plane.ts';
import type { Setting, Settings } from './settings.ts';
import type { PreparedSource } from './source.ts';

type Plan = { settings: Settings; choice: PlaneChoice; prepared: PreparedSource; directory: string };

/** The plan as a table, or with `--json` as data. */
export function dryRunResult({ settings, choice, prepared, directory }: Plan): Result {
  const shown = planSettings(settings, prepared);
  // null is a value, too: it runs no command.
  const text = ({ value, from }: Setting<string | null>) =>
    value ?? (from.includes('detected') ? '?' : 'none');
  const rows = Object.entries(shown).map(([name, setting]) => [name, text(setting), setting.from]);
  return {
    json: {
      dryRun: true,
      directory,
      plane: planeJson(choice),
      source: prepared.source,
      settings: shown,
      serving: prepared.source.kind === 'git' ? undefined : settings.serving,
    },
    text: [
      `source  ${prepared.description}`,
      `plane   ${planeText(choice)}`,
      '',
      table([['setting', 'value', 'from'], ...rows]),
    ].join('\n'),
  };
}

/** Every setting with its value: what decides about the build later on says so. */
function planSettings(settings: Settings, prepared: PreparedSource): Record<string, Setting<string | null>> {
  const { slug, region, repository, ref, build, fileBuild } = settings;
  const shown: Record<string, Setting<string | null>> = {
    slug: slug ?? { value: null, from: 'asked for, or --slug' },
    region,
    ...(repository ? { repository } : {}),
    ...(ref ? { ref } : {}),
  };
  if (prepared.source.kind === 'prebuilt') return shown;
  const inSource = prepared.source.kind === 'upload' ? fileBuild : {};
  const later =
    prepared.source.kind === 'git' ? 'sphere.json in the repository, else detected' : 'detected by the build';
  const names = [
    'rootDirectory',
    'framework',
    'nodeVersion',
    'installCommand',
    'buildCommand',
    'outputDirectory',
  ] as const;
  for (const name of names) {
    const value = inSource[name];
    shown[name] =
      build[name] ?? (value === undefined ? { value: null, from: later } : { value, from: 'sphere.json' });
  }
  return shown;
}

function planeText(choice: PlaneChoice): string {
  if (choice.kind === 'hosted') return `${choice.address.url} (SPHERE_URL)`;
  if (choice.kind === 'embedded') return `on this machine, in ${choice.home}`;
  return 'not chosen yet: --local, or SPHERE_URL and SPHERE_TOKEN';
}

function planeJson(choice: PlaneChoice) {
  return choice.kind === 'hosted' ? { kind: choice.kind, url: choice.address.url } : choice;
}
