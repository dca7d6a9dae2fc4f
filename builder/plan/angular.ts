/** Angular: the output's place is in angular.json, and depends on the builder. */
import { parse as parseJsonc } from 'jsonc-parser';
import { type Findings, type Framework, optionIn, outputFrom, pathOfUrl } from './framework.ts';
import { joinPath } from './source-files.ts';

export const angular: Framework = {
  slug: 'angular',
  name: 'Angular',
  packages: ['@angular/cli'],
  runs: /\bng\s+build\b/,
  command: 'ng build',
  caches: ['.angular/cache'],
  environment: { NG_CLI_ANALYTICS: 'false' },
  async inspect(project, script) {
    const path = joinPath(project.directory, 'angular.json');
    const workspace = parseJsonc((await project.files.read(path)) ?? '{}') ?? {};
    return angularFindings(workspace, path, script);
  },
};

type AngularProject = {
  projectType?: string;
  architect?: Record<string, AngularTarget>;
  targets?: Record<string, AngularTarget>;
};
type AngularTarget = { builder?: string; options?: Record<string, unknown> };

function angularFindings(
  workspace: { projects?: Record<string, AngularProject>; defaultProject?: string },
  from: string,
  script: string,
): Findings {
  const projects = Object.entries(workspace.projects ?? {});
  const asked = /\bng\s+build\s+(?!-)["']?([^\s"';&|]+)/.exec(script)?.[1] ?? workspace.defaultProject;
  const isApplication = ([, project]: (typeof projects)[number]) => project.projectType !== 'library';
  const [name, project] = projects.find(([key]) => key === asked) ?? projects.find(isApplication) ?? ['', {}];
  const target = (project.architect ?? project.targets)?.build;
  const options = target?.options ?? {};
  const fix = `Set outputMode: 'static' in the build options of ${from}.`;
  const outputs = angularOutputs(name, target, from, optionIn(script, '--output-path'));
  const base = optionIn(script, '--base-href') ?? options.baseHref;
  return {
    outputs,
    ...(options.ssr === undefined || options.ssr === false ? {} : { staticHint: fix }),
    ...(typeof base === 'string' ? { base: { path: pathOfUrl(base), from } } : {}),
    ...(options.outputMode === 'server'
      ? { notStatic: { seen: `${from} sets outputMode: 'server'`, fix } }
      : {}),
  };
}

function angularOutputs(
  name: string,
  target: AngularTarget | undefined,
  from: string,
  option: string | null,
): Findings['outputs'] {
  const configured = target?.options?.outputPath as string | { base?: string; browser?: string } | undefined;
  const base = typeof configured === 'object' ? configured.base : configured;
  const root = outputFrom(
    joinPath('dist', name),
    { path: option, from: 'the build script' },
    { path: base, from },
  );
  // Since version 17 the browser's half is in a directory of its own; the older builders know no such thing.
  const halves = !/:browser(?:-esbuild)?$/.test(target?.builder ?? '');
  const half = typeof configured === 'object' ? (configured.browser ?? 'browser') : 'browser';
  const browser = { directory: joinPath(root.directory, half), why: `${root.why}, the browser's half` };
  return halves && half !== '' ? [browser, root] : [root];
}
