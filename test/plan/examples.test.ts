/** What is planned for each of the example projects, from the files that are committed. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BuildPlan } from '../../builder/plan/build-plan.ts';
import { planBuild } from '../../builder/plan/plan.ts';
import { packageRoot } from '../../files/package-root.ts';
import { literalSourceFiles } from './literal-source-files.ts';

function committedFiles(example: string): Record<string, string> {
  const directory = join(packageRoot(), 'examples', example);
  const paths = execFileSync('git', ['ls-files', '-z'], { cwd: directory, encoding: 'utf8' });
  const files = paths.split('\0').filter((path) => path !== '');
  return Object.fromEntries(files.map((path) => [path, readFileSync(join(directory, path), 'utf8')]));
}

const npm = {
  manager: { name: 'npm', version: '*', npmPackage: null, lockfile: 'package-lock.json' },
  install: 'npm ci --prefer-offline --no-audit --no-fund',
};
const pnpm = {
  manager: { name: 'pnpm', version: '10.18.3', npmPackage: 'pnpm@10.18.3', lockfile: 'pnpm-lock.yaml' },
  install: 'pnpm install --frozen-lockfile --prefer-offline',
};
const yarn = {
  manager: {
    name: 'yarn',
    flavour: 'berry',
    version: '4.10.3',
    npmPackage: '@yarnpkg/cli-dist@4.10.3',
    lockfile: 'yarn.lock',
  },
  install: 'yarn install --immutable',
};
const bun = {
  manager: { name: 'bun', version: '1.3.0', npmPackage: 'bun@1.3.0', lockfile: 'bun.lock' },
  install: 'bun install --frozen-lockfile',
};
const none = { manager: null, install: undefined };

test.each([
  ['plain-html', 'none', none, undefined, '.', []],
  ['vite-react', 'Vite + React', npm, 'npm run build', 'dist', ['package-lock.json', 'package.json']],
  ['vite-vue', 'Vite + Vue', pnpm, 'pnpm run build', 'dist', ['package.json', 'pnpm-lock.yaml']],
  [
    'vite-svelte',
    'Vite + Svelte',
    yarn,
    'yarn run build',
    'dist',
    ['.yarnrc.yml', 'package.json', 'yarn.lock'],
  ],
  ['next-export', 'Next.js', npm, 'npm run build', 'out', ['package-lock.json', 'package.json']],
  ['astro', 'Astro', npm, 'npm run build', 'dist', ['package-lock.json', 'package.json']],
  ['sveltekit-static', 'SvelteKit', npm, 'npm run build', 'build', ['package-lock.json', 'package.json']],
  ['nuxt-generate', 'Nuxt', npm, 'npm run generate', '.output/public', ['package-lock.json', 'package.json']],
  ['angular', 'Angular', npm, 'npm run build', 'dist/site/browser', ['package-lock.json', 'package.json']],
  [
    'vitepress',
    'VitePress',
    pnpm,
    'pnpm run docs:build',
    'docs/.vitepress/dist',
    ['package.json', 'pnpm-lock.yaml'],
  ],
  ['docusaurus', 'Docusaurus', npm, 'npm run build', 'build', ['package-lock.json', 'package.json']],
  ['eleventy', 'Eleventy', bun, 'bun run build', '_site', ['bun.lock', 'package.json']],
])('%s is %s', async (example, framework, tools, build, output, installInputs) => {
  const plan = await planBuild(literalSourceFiles(committedFiles(example)), {}, { nodeVersion: '20.20.2' });
  expect({
    framework: plan.framework?.name ?? 'none',
    manager: plan.packageManager,
    install: plan.install?.command,
    build: plan.build?.command,
    output: plan.output.candidates[0]?.directory,
    installInputs: plan.installInputs,
    warnings: plan.warnings,
  }).toEqual({
    framework,
    manager: tools.manager,
    install: tools.install,
    build,
    output,
    installInputs,
    warnings: [],
  });
});

test('the whole plan of one of them', async () => {
  const plan = await planBuild(
    literalSourceFiles(committedFiles('next-export')),
    {},
    { nodeVersion: '20.20.2' },
  );
  const expected: BuildPlan = {
    rootDirectory: '.',
    framework: { slug: 'nextjs', name: 'Next.js' },
    packageManager: { name: 'npm', version: '*', npmPackage: null, lockfile: 'package-lock.json' },
    install: { command: 'npm ci --prefer-offline --no-audit --no-fund', directory: '.', kind: 'derived' },
    afterReuse: [],
    build: { command: 'npm run build', directory: '.', kind: 'derived' },
    output: {
      kind: 'derived',
      candidates: [{ directory: 'out', inSource: false, why: 'the default of the framework' }],
      leaveOut: [],
    },
    node: null,
    environment: { NEXT_TELEMETRY_DISABLED: '1' },
    frameworkCaches: ['.next/cache'],
    installInputs: ['package-lock.json', 'package.json'],
    basePath: null,
    browserRouter: null,
    serving: {},
    staticHint: "Set output: 'export' in next.config.mjs.",
    detections: [
      { what: 'framework', value: 'Next.js', why: 'package.json depends on next' },
      { what: 'package manager', value: 'npm', why: 'found package-lock.json' },
      {
        what: 'install command',
        value: 'npm ci --prefer-offline --no-audit --no-fund',
        why: 'package-lock.json',
      },
      { what: 'build command', value: 'npm run build', why: 'the build script of package.json' },
      { what: 'output directory', value: 'out', why: 'the default of the framework' },
    ],
    warnings: [],
  };
  expect(plan).toEqual(expected);
});
