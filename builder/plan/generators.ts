/** Generators of documents and blogs: what they make is always static. */
import {
  baseFrom,
  configOf,
  dependencyOf,
  type Framework,
  majorOf,
  optionIn,
  outputFrom,
  type Project,
} from './framework.ts';
import { joinPath } from './source-files.ts';

const docusaurus: Framework = {
  slug: 'docusaurus',
  name: 'Docusaurus',
  packages: ['@docusaurus/core'],
  runs: /\bdocusaurus\s+build\b/,
  command: 'docusaurus build',
  beside: true,
  caches: ['node_modules/.cache', '.docusaurus'],
  async inspect(project, script) {
    const config = await configOf(project, 'docusaurus.config');
    const option = { path: optionIn(script, '--out-dir'), from: 'the build script' };
    return { outputs: [outputFrom('build', option)], ...baseFrom(config, 'baseUrl') };
  },
};

/** VitePress and VuePress keep their configuration in a hidden directory inside of the documents'. */
async function documentsDirectory(project: Project, script: string, tool: string): Promise<string> {
  const argument = new RegExp(`\\b${tool}\\s+build\\s+(?!-)["']?([^\\s"';&|]+)`).exec(script)?.[1];
  if (argument !== undefined) return joinPath(argument.replace(/^\.\//, ''));
  for (const directory of ['.', 'docs', 'doc', 'documentation', 'website', 'site', 'src']) {
    if (await project.files.exists(joinPath(project.directory, directory, `.${tool}`))) return directory;
  }
  return script === '' ? 'docs' : '.';
}

const vitepress: Framework = {
  slug: 'vitepress',
  name: 'VitePress',
  packages: ['vitepress'],
  runs: /\bvitepress\s+build\b/,
  command: 'vitepress build',
  beside: true,
  caches: ['node_modules/.vite'],
  async inspect(project, script) {
    const documents = await documentsDirectory(project, script, 'vitepress');
    const config = await configOf(project, joinPath(documents, '.vitepress/config'));
    const outDir = config?.text('outDir');
    const option = optionIn(script, '--outDir');
    return {
      outputs: [
        outputFrom(
          joinPath(documents, '.vitepress/dist'),
          { path: option === null ? null : joinPath(documents, option), from: 'the build script' },
          { path: outDir ? joinPath(documents, outDir) : null, from: config?.path ?? '' },
        ),
      ],
      ...(script === '' ? { command: `vitepress build ${documents}` } : {}),
      ...baseFrom(config, 'base'),
    };
  },
};

const vuepress: Framework = {
  slug: 'vuepress',
  name: 'VuePress',
  packages: ['vuepress', '@vuepress/cli'],
  runs: /\bvuepress(?:-vite|-webpack)?\s+build\b/,
  command: 'vuepress build',
  beside: true,
  caches: ['node_modules/.cache'],
  async inspect(project, script) {
    const documents = await documentsDirectory(
      project,
      script.replace(/vuepress-\w+/g, 'vuepress'),
      'vuepress',
    );
    const config = await configOf(project, joinPath(documents, '.vuepress/config'));
    const dest = { path: config?.text('dest'), from: config?.path ?? '' };
    return {
      outputs: [outputFrom(joinPath(documents, '.vuepress/dist'), dest)],
      ...(script === '' ? { command: `vuepress build ${documents}` } : {}),
      ...baseFrom(config, 'base'),
    };
  },
};

const eleventy: Framework = {
  slug: 'eleventy',
  name: 'Eleventy',
  packages: ['@11ty/eleventy'],
  runs: /\beleventy\b(?!.*--serve)/,
  command: 'eleventy',
  caches: ['.cache'],
  async inspect(project, script) {
    const config = await configOf(project, '.eleventy.js', 'eleventy.config');
    const output = { path: config?.text('dir.output'), from: config?.path ?? '' };
    return {
      outputs: [
        outputFrom('_site', { path: optionIn(script, '--output'), from: 'the build script' }, output),
      ],
      ...baseFrom(config, 'pathPrefix'),
    };
  },
};

const hexo: Framework = {
  slug: 'hexo',
  name: 'Hexo',
  packages: ['hexo'],
  runs: /\bhexo\s+(?:generate|g)\b/,
  command: 'hexo generate',
  caches: [],
  async inspect() {
    return { outputs: [outputFrom('public')] };
  },
};

const slidev: Framework = {
  slug: 'slidev',
  name: 'Slidev',
  packages: ['@slidev/cli'],
  runs: /\bslidev\s+build\b/,
  command: 'slidev build',
  caches: ['node_modules/.vite'],
  async inspect(_project, script) {
    const base = optionIn(script, '--base');
    return {
      outputs: [outputFrom('dist', { path: optionIn(script, '--out', '-o'), from: 'the build script' })],
      ...(base === null ? {} : { base: { path: base, from: 'the build script' } }),
      // Each slide has an address of its own, and there is one page.
      serving: { spa: true },
    };
  },
};

const storybook: Framework = {
  slug: 'storybook',
  name: 'Storybook',
  packages: ['storybook', '@storybook/react', '@storybook/vue3', '@storybook/html'],
  // `build-storybook` is the name of a program and, to those who clean up, of a directory.
  runs: /\bstorybook\s+build\b|(?:^|[&|;]\s*|\b(?:npx|exec|run)\s+)build-storybook\b/,
  command: 'storybook build',
  beside: true,
  caches: ['node_modules/.cache'],
  environment: { STORYBOOK_DISABLE_TELEMETRY: '1' },
  async inspect(project, script) {
    const option = { path: optionIn(script, '-o', '--output-dir'), from: 'the build script' };
    const old = majorOf(dependencyOf(project, '@storybook/react', '@storybook/vue3', '@storybook/html')) < 7;
    return {
      outputs: [outputFrom('storybook-static', option)],
      ...(old && dependencyOf(project, 'storybook') === null ? { command: 'build-storybook' } : {}),
    };
  },
};

export const documentGenerators: readonly Framework[] = [
  docusaurus,
  vitepress,
  vuepress,
  eleventy,
  hexo,
  slidev,
];

/** Tools that many projects have without their site being made by them: asked last. */
export const companions: readonly Framework[] = [storybook];
