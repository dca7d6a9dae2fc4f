/** Says what was detected and why, and what may surprise. */
import type { Detection } from '../../contract/api.ts';
import type { BuildPlan } from './build-plan.ts';
import { frameworks } from './frameworks.ts';
import type { Program } from './program.ts';

/** The plan with its detections and warnings. */
export function explain(plan: BuildPlan, program: Program | null): BuildPlan {
  const detections: Detection[] = [...plan.detections];
  const { framework, install, build, basePath } = plan;
  if (framework === null) {
    const known = frameworks.map((candidate) => candidate.name).join(', ');
    detections.push(detection('framework', 'none known', `looked for ${known} and others`));
  } else {
    detections.push(detection('framework', framework.name, program?.found?.why ?? ''));
  }
  detections.push(...(program?.manager.detections ?? []));
  const setting = 'named by the setting';
  if (install !== null) {
    const why = program?.manager.manager.lockfile ?? 'no lockfile';
    detections.push(detection('install command', install.command, install.kind === 'given' ? setting : why));
  }
  if (build !== null)
    detections.push(detection('build command', build.command, program?.buildWhy ?? setting));
  const [first] = plan.output.candidates;
  if (first !== undefined) detections.push(detection('output directory', first.directory, first.why));
  detections.push(...(program?.findings.detections ?? []), ...spaDetection(plan));
  const warnings = [
    ...plan.warnings,
    ...(program?.manager.warnings ?? []),
    ...(program?.findings.warnings ?? []),
  ];
  if (basePath !== null) {
    const why = `${basePath.from}: the site is served there, and / leads to it`;
    detections.push(detection('base path', basePath.path, why));
  }
  return { ...plan, detections, warnings };
}

function spaDetection({ serving, framework, browserRouter }: BuildPlan): Detection[] {
  if (serving.spa === true) {
    return [detection('spa', 'true', `${framework?.name} is set to render in the browser alone`)];
  }
  if (browserRouter === null) return [];
  return [detection('spa', 'if it has one page', `${browserRouter} makes addresses that are no files`)];
}

/** A detection, cut to what the contract carries. */
export function detection(what: string, value: string, why: string): Detection {
  return { what, value: value.slice(0, 500), why: why.slice(0, 500) };
}
