/** `sphere deploy --dry-run`: what would be deployed, and where each value came from. Nothing is started or sent. */

import type { DeploymentEnvironment } from '../contract/environment-api.ts';
import type { PlannedSource } from '../contract/planned-source.ts';
import type { Result } from './command.ts';
import { table } from './format.ts';
import type { PlaneChoice } from './plane-choice.ts';
import type { Setting, Settings } from './settings.ts';
import type { PreparedSource } from './source.ts';
import { targetName, type WantedTarget } from './target.ts';

type Plan = {
  settings: Settings;
  target: WantedTarget;
  choice: PlaneChoice;
  prepared: PreparedSource;
  /** Null where the source is not here, and for what is built already. */
  planned: PlannedSource | null;
  directory: string;
  environment: DeploymentEnvironment | undefined;
};

/** The plan as a table, or with `--json` as data. */
export function dryRunResult(plan: Plan): Result {
  const { settings, target, choice, prepared, planned, directory, environment } = plan;
  const shown = planSettings(settings, target, prepared, planned);
  // null is a value, too: it runs no command.
  const text = ({ value, from }: Setting<string | null>) => value ?? (open.includes(from) ? '?' : 'none');
  const rows = Object.entries(shown).map(([name, setting]) => [name, text(setting), setting.from]);
  const known = new Set<string>(Object.values(detectedAs));
  const others = planned?.detections.filter(({ what }) => !known.has(what)) ?? [];
  const warnings = planned?.warnings ?? [];
  const values = Object.entries({
    ...fromEach(environment?.file, 'sphere.json'),
    ...fromEach(environment?.given, '--env'),
  });
  return {
    json: {
      dryRun: true,
      directory,
      plane: planeJson(choice),
      source: prepared.source,
      settings: shown,
      environment: Object.fromEntries(values),
      detections: planned?.detections ?? [],
      warnings,
      serving: prepared.source.kind === 'git' ? undefined : settings.serving,
    },
    text: [
      `source  ${prepared.description}`,
      `plane   ${planeText(choice)}`,
      '',
      table([
        ['setting', 'value', 'from'],
        ...rows,
        ...others.map(({ what, value, why }) => [what, value, `detected: ${why}`]),
        ...values.map(([name, { value, from }]) => [`env ${name}`, value, from]),
      ]),
      ...warnings.map((warning) => `\nWarning: ${warning}`),
    ].join('\n'),
  };
}

/** `values`, each with where it comes from. */
function fromEach(values: Record<string, string> = {}, from: string): Record<string, Setting<string>> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, from }]));
}

/** The build settings, and what the builder's detections call them. */
const detectedAs = {
  rootDirectory: 'root directory',
  framework: 'framework',
  nodeVersion: 'Node',
  installCommand: 'install command',
  buildCommand: 'build command',
  outputDirectory: 'output directory',
} as const;

/** What it means that nothing was detected. */
const undetected: Record<keyof typeof detectedAs, Setting<string | null>> = {
  rootDirectory: { value: '.', from: 'the top of the source' },
  framework: { value: null, from: 'nothing was detected' },
  nodeVersion: { value: 'any', from: 'nothing asks for a version' },
  installCommand: { value: null, from: 'there is nothing to install' },
  buildCommand: { value: null, from: 'there is nothing to build' },
  outputDirectory: { value: null, from: 'looked for after the build' },
};

const later = 'decided by the build: sphere.json in the repository, else detected';

const regionOfPlane = "the plane's default";
/** Where a value comes from that is not known before. */
const open: readonly string[] = [later, regionOfPlane];

/** Every setting with its value: what only the build can decide says so. */
function planSettings(
  settings: Settings,
  target: WantedTarget,
  prepared: PreparedSource,
  planned: PlannedSource | null,
): Record<string, Setting<string | null>> {
  const { slug, region, repository, ref, build, fileBuild } = settings;
  const shown: Record<string, Setting<string | null>> = {
    slug: slug ?? { value: null, from: 'asked for, or --slug' },
    region: region ?? { value: null, from: regionOfPlane },
    target: {
      // Without a slug its name is not known yet.
      value: slug || target.kind === 'live' ? targetName(target, slug?.value ?? '') : target.text,
      from: target.from,
    },
    ...(repository ? { repository } : {}),
    ...(ref ? { ref } : {}),
  };
  if (prepared.source.kind === 'prebuilt') return shown;
  const inSource = prepared.source.kind === 'upload' ? fileBuild : {};
  for (const name of Object.keys(detectedAs) as (keyof typeof detectedAs)[]) {
    const value = inSource[name];
    shown[name] =
      build[name] ?? (value === undefined ? detected(name, planned) : { value, from: 'sphere.json' });
  }
  return shown;
}

function detected(name: keyof typeof detectedAs, planned: PlannedSource | null): Setting<string | null> {
  if (planned === null) return { value: null, from: later };
  const found = planned.detections.find(({ what }) => what === detectedAs[name]);
  return found === undefined ? undetected[name] : { value: found.value, from: `detected: ${found.why}` };
}

function planeText(choice: PlaneChoice): string {
  if (choice.kind === 'hosted') return `${choice.address.url} (${choice.urlFrom})`;
  if (choice.kind === 'embedded') return `on this machine, in ${choice.home}`;
  return 'not chosen yet: --local, or `sphere login`';
}

function planeJson(choice: PlaneChoice) {
  return choice.kind === 'hosted' ? { kind: choice.kind, url: choice.address.url } : choice;
}
