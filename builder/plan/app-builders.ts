/** Builders of applications that run in the browser: their output is static by nature. */
import { angular } from './angular.ts';
import {
  baseFrom,
  configOf,
  dependencyOf,
  type Findings,
  type Framework,
  optionIn,
  outputFrom,
  type Project,
  pathOfUrl,
} from './framework.ts';
import { joinPath } from './source-files.ts';

/** What Vite is used with, by the packages that say so; the first that is there. */
const viteVariants: readonly (readonly [string, string, ...string[]])[] = [
  ['Preact', '@preact/preset-vite', 'preact'],
  ['Solid', 'vite-plugin-solid', 'solid-js'],
  ['Svelte', '@sveltejs/vite-plugin-svelte', 'svelte'],
  ['Vue', '@vitejs/plugin-vue', '@vitejs/plugin-vue2', 'vue'],
  ['React', '@vitejs/plugin-react', '@vitejs/plugin-react-swc', 'react'],
  ['Qwik', '@builder.io/qwik', '@qwik.dev/core'],
  ['Lit', 'lit'],
];

const vite: Framework = {
  slug: 'vite',
  name: 'Vite',
  packages: ['vite', 'rolldown-vite', 'vite-plus'],
  runs: /\b(?:vite|vp|vite-ssg)\s+build\b/,
  command: 'vite build',
  caches: ['node_modules/.vite', 'node_modules/.cache'],
  async applies(project) {
    const config = await configOf(project, 'vite.config');
    // A library: what Vite makes of it is no site.
    return !config?.has('build.lib') || project.files.exists(joinPath(project.directory, 'index.html'));
  },
  async inspect(project, script) {
    const config = await configOf(project, 'vite.config');
    const from = config?.path ?? '';
    const argument = /\bvite\s+build\s+(?!-)["']?([^\s"';&|]+)/.exec(script)?.[1];
    const root = argument ?? config?.text('root') ?? '.';
    const option = optionIn(script, '--outDir');
    const outDir = config?.text('build.outDir');
    const inRoot = (path: string | null | undefined) => (path ? joinPath(root, path) : null);
    const variant = viteVariants.find(([, ...packages]) => dependencyOf(project, ...packages) !== null);
    return {
      ...(variant === undefined ? {} : { name: `Vite + ${variant[0]}` }),
      outputs: [
        outputFrom(
          joinPath(root, 'dist'),
          { path: inRoot(option), from: 'the build script' },
          { path: inRoot(outDir), from },
        ),
      ],
      ...viteBase(script, config?.text('base') ?? null, from),
    };
  },
};

function viteBase(script: string, base: string | null, from: string): Pick<Findings, 'base'> {
  const option = optionIn(script, '--base');
  if (option !== null) return { base: { path: option, from: 'the build script' } };
  return base === null ? {} : { base: { path: base, from } };
}

const createReactApp: Framework = {
  slug: 'create-react-app',
  name: 'Create React App',
  packages: ['react-scripts', 'react-app-rewired', '@craco/craco'],
  runs: /\b(?:react-scripts|react-app-rewired|craco)\s+build\b/,
  command: 'react-scripts build',
  caches: ['node_modules/.cache'],
  // With CI set it turns lint warnings into errors, and so fails what the author's own `npm run build` builds.
  environment: { CI: 'false' },
  async inspect(project, script) {
    const build = /\bBUILD_PATH=["']?([^\s"';&|]+)/.exec(script)?.[1];
    const { homepage, path } = project.packageJson;
    return {
      outputs: [outputFrom('build', { path: build, from: 'the build script' })],
      ...(homepage === null ? {} : { base: { path: pathOfUrl(homepage), from: `homepage in ${path}` } }),
      detections: [{ what: 'CI', value: 'false', why: 'so that lint warnings do not fail the build' }],
    };
  },
};

const vueCli: Framework = {
  slug: 'vue-cli',
  name: 'Vue CLI',
  packages: ['@vue/cli-service'],
  runs: /\bvue-cli-service\s+build\b/,
  command: 'vue-cli-service build',
  caches: ['node_modules/.cache'],
  async inspect(project, script) {
    const config = await configOf(project, 'vue.config');
    const option = { path: optionIn(script, '--dest'), from: 'the build script' };
    return {
      outputs: [outputFrom('dist', option, { path: config?.text('outputDir'), from: config?.path ?? '' })],
      ...baseFrom(config, 'publicPath', 'baseUrl'),
    };
  },
};

const preactCli: Framework = {
  slug: 'preact-cli',
  name: 'Preact CLI',
  packages: ['preact-cli'],
  runs: /\bpreact\s+build\b/,
  command: 'preact build',
  caches: ['node_modules/.cache'],
  async inspect(_project, script) {
    return { outputs: [outputFrom('build', { path: optionIn(script, '--dest'), from: 'the build script' })] };
  },
};

const rsbuild: Framework = {
  slug: 'rsbuild',
  name: 'Rsbuild',
  packages: ['@rsbuild/core'],
  runs: /\brsbuild\s+build\b/,
  command: 'rsbuild build',
  caches: ['node_modules/.cache'],
  async inspect(project) {
    const config = await configOf(project, 'rsbuild.config');
    const root = config?.text('output.distPath.root') ?? config?.text('output.distPath');
    return {
      outputs: [outputFrom('dist', { path: root, from: config?.path ?? '' })],
      ...baseFrom(config, 'server.base', 'output.assetPrefix'),
    };
  },
};

const parcel: Framework = {
  slug: 'parcel',
  name: 'Parcel',
  packages: ['parcel', 'parcel-bundler'],
  runs: /\bparcel\s+build\b/,
  command: 'parcel build',
  caches: ['.parcel-cache', '.cache'],
  async inspect(_project, script) {
    const option = { path: optionIn(script, '--dist-dir', '--out-dir', '-d'), from: 'the build script' };
    const base = optionIn(script, '--public-url');
    return {
      outputs: [outputFrom('dist', option)],
      ...(base === null ? {} : { base: { path: pathOfUrl(base), from: 'the build script' } }),
    };
  },
};

/** webpack and Rspack share the form of their configuration. */
function packer(slug: string, name: string, packages: string[], runs: RegExp, command: string): Framework {
  return {
    slug,
    name,
    packages,
    runs,
    command,
    caches: ['node_modules/.cache'],
    async inspect(project) {
      const config = await configOf(project, `${slug}.config`, `${slug}.prod`, `${slug}.common`);
      const output = { path: config?.text('output.path'), from: config?.path ?? '' };
      return { outputs: [outputFrom('dist', output)], ...baseFrom(config, 'output.publicPath') };
    },
  };
}

const rspack = packer('rspack', 'Rspack', ['@rspack/cli'], /\brspack\s+build\b/, 'rspack build');
const webpack = packer('webpack', 'webpack', ['webpack-cli'], /\bwebpack(?!-dev|\s+serve)\b/, 'webpack');

export const appBuilders: readonly Framework[] = [
  angular,
  createReactApp,
  vueCli,
  preactCli,
  rsbuild,
  rspack,
  parcel,
  vite,
  webpack,
];

/** Routers that rewrite the address in the browser, so that a reload asks for a path that is no file. */
export const browserRouters: readonly string[] = [
  'react-router-dom',
  'react-router',
  'vue-router',
  '@angular/router',
  '@tanstack/react-router',
  '@solidjs/router',
  'wouter',
  'preact-router',
  'svelte-routing',
];

/** The router that a browser application uses, or null. */
export function browserRouterOf(project: Project): string | null {
  return browserRouters.find((name) => dependencyOf(project, name) !== null) ?? null;
}
