/** The detection table: a literal source tree for every framework, and what is planned for it. */
import { describe, expect, test } from 'vitest';
import { planBuild } from '../../builder/plan/plan.ts';
import { literalSourceFiles } from './literal-source-files.ts';

const plan = (tree: Record<string, unknown>) =>
  planBuild(literalSourceFiles(tree), {}, { nodeVersion: '20.20.2' });

type Row = {
  name: string;
  tree: Record<string, unknown>;
  framework: string;
  build: string;
  output: string;
  caches?: string[];
};

const packageJson = (dependencies: Record<string, string>, scripts: Record<string, string> = {}) => ({
  dependencies,
  scripts,
});

const rows: Row[] = [
  {
    name: 'Vite with React',
    tree: {
      'package.json': packageJson({ react: '19.0.0', vite: '7.0.0' }, { build: 'tsc -b && vite build' }),
      'index.html': '<script type="module" src="/src/main.tsx"></script>',
    },
    framework: 'Vite + React',
    build: 'npm run build',
    output: 'dist',
    caches: ['node_modules/.vite', 'node_modules/.cache'],
  },
  {
    name: 'Vite with Vue and a build.outDir',
    tree: {
      'package.json': packageJson({ vue: '3.5.0', vite: '7.0.0' }, { build: 'vite build' }),
      'vite.config.ts': "export default defineConfig({ plugins: [vue()], build: { outDir: 'www' } })",
    },
    framework: 'Vite + Vue',
    build: 'npm run build',
    output: 'www',
  },
  {
    name: 'Vite with Svelte, whose root is a directory',
    tree: {
      'package.json': packageJson({ svelte: '5.0.0', vite: '7.0.0' }, { build: 'vite build' }),
      'vite.config.js': "export default { root: 'src', build: { outDir: '../public_html' } }",
    },
    framework: 'Vite + Svelte',
    build: 'npm run build',
    output: 'public_html',
  },
  {
    name: 'Vite with Solid and an outDir in the script',
    tree: {
      'package.json': packageJson(
        { 'solid-js': '1.9.0', vite: '7.0.0' },
        { build: 'vite build --outDir site' },
      ),
    },
    framework: 'Vite + Solid',
    build: 'npm run build',
    output: 'site',
  },
  {
    name: 'Vite with Preact and a joined outDir',
    tree: {
      'package.json': packageJson(
        { preact: '10.0.0', vite: '7.0.0', '@preact/preset-vite': '2.0.0' },
        { build: 'vite build' },
      ),
      'vite.config.ts': `import { resolve } from 'node:path';
        // build: { outDir: 'not-this' }
        export default defineConfig(({ mode }) => ({ build: { outDir: resolve(__dirname, 'out', 'web') } }));`,
    },
    framework: 'Vite + Preact',
    build: 'npm run build',
    output: 'out/web',
  },
  {
    name: 'Vite without a build script',
    tree: { 'package.json': packageJson({ vite: '7.0.0' }), 'index.html': '<p>Hello</p>' },
    framework: 'Vite',
    build: 'npx vite build',
    output: 'dist',
  },
  {
    name: 'Create React App',
    tree: { 'package.json': packageJson({ 'react-scripts': '5.0.1' }, { build: 'react-scripts build' }) },
    framework: 'Create React App',
    build: 'npm run build',
    output: 'build',
  },
  {
    name: 'Next.js with a static export',
    tree: {
      'package.json': packageJson({ next: '16.0.0' }, { build: 'next build' }),
      'next.config.ts': "const nextConfig: NextConfig = { output: 'export' };\nexport default nextConfig;",
    },
    framework: 'Next.js',
    build: 'npm run build',
    output: 'out',
    caches: ['.next/cache'],
  },
  {
    name: 'Next.js with a distDir',
    tree: {
      'package.json': packageJson({ next: '15.0.0' }, { build: 'next build' }),
      'next.config.mjs': "export default { output: 'export', distDir: 'build' };",
    },
    framework: 'Next.js',
    build: 'npm run build',
    output: 'build',
  },
  {
    name: 'Next.js that exports by a script of its own',
    tree: {
      'package.json': packageJson(
        { next: '12.3.0' },
        { build: 'next build', export: 'next export -o public_html' },
      ),
    },
    framework: 'Next.js',
    build: 'npm run build && npm run export',
    output: 'public_html',
  },
  {
    name: 'Astro',
    tree: {
      'package.json': packageJson({ astro: '5.0.0' }, { build: 'astro check && astro build' }),
      'astro.config.mjs': "export default defineConfig({ outDir: './www', integrations: [react()] });",
    },
    framework: 'Astro',
    build: 'npm run build',
    output: 'www',
    caches: ['node_modules/.astro', 'node_modules/.vite', '.astro'],
  },
  {
    name: 'Astro with an adapter whose pages are all static',
    tree: {
      'package.json': packageJson({ astro: '5.0.0' }, { build: 'astro build' }),
      'astro.config.mjs':
        "import node from '@astrojs/node';\nexport default defineConfig({ adapter: node({ mode: 'standalone' }) });",
      'src/pages/index.astro': '---\nexport const prerender = true;\n---\n<p>Hello</p>',
    },
    framework: 'Astro',
    build: 'npm run build',
    output: 'dist',
  },
  {
    name: 'SvelteKit with the static adapter',
    tree: {
      'package.json': packageJson(
        { '@sveltejs/kit': '2.0.0', svelte: '5.0.0', vite: '7.0.0' },
        { build: 'vite build' },
      ),
      'svelte.config.js':
        "import adapter from '@sveltejs/adapter-static';\nexport default { kit: { adapter: adapter() } };",
    },
    framework: 'SvelteKit',
    build: 'npm run build',
    output: 'build',
  },
  {
    name: 'SvelteKit with a pages option',
    tree: {
      'package.json': packageJson({ '@sveltejs/kit': '2.0.0' }, { build: 'vite build' }),
      'svelte.config.js':
        "import adapter from '@sveltejs/adapter-static';\nexport default { kit: { adapter: adapter({ pages: 'docs' }) } };",
    },
    framework: 'SvelteKit',
    build: 'npm run build',
    output: 'docs',
  },
  {
    name: 'Nuxt, whose build script makes a server',
    tree: {
      'package.json': packageJson({ nuxt: '4.0.0' }, { build: 'nuxt build', generate: 'nuxt generate' }),
    },
    framework: 'Nuxt',
    build: 'npm run generate',
    output: '.output/public',
  },
  {
    name: 'Nuxt without a script that generates',
    tree: { 'package.json': packageJson({ nuxt: '3.17.0' }, { build: 'nuxt build' }) },
    framework: 'Nuxt',
    build: 'npx nuxt generate',
    output: '.output/public',
  },
  {
    name: 'Nuxt 2',
    tree: { 'package.json': packageJson({ nuxt: '^2.15.0' }, { generate: 'nuxt generate' }) },
    framework: 'Nuxt',
    build: 'npm run generate',
    output: 'dist',
  },
  {
    name: 'Gatsby',
    tree: { 'package.json': packageJson({ gatsby: '5.0.0' }, { build: 'gatsby build' }) },
    framework: 'Gatsby',
    build: 'npm run build',
    output: 'public',
    caches: ['.cache', 'public', 'node_modules/.cache'],
  },
  {
    name: 'Angular with the application builder',
    tree: {
      'package.json': packageJson({ '@angular/cli': '20.0.0' }, { build: 'ng build' }),
      'angular.json': {
        projects: {
          shop: {
            projectType: 'application',
            architect: { build: { builder: '@angular/build:application', options: {} } },
          },
        },
      },
    },
    framework: 'Angular',
    build: 'npm run build',
    output: 'dist/shop/browser',
    caches: ['.angular/cache'],
  },
  {
    name: 'Angular with the browser builder',
    tree: {
      'package.json': packageJson({ '@angular/cli': '15.0.0' }, { build: 'ng build' }),
      'angular.json': {
        projects: {
          ui: { projectType: 'library', architect: {} },
          shop: {
            projectType: 'application',
            architect: {
              build: {
                builder: '@angular-devkit/build-angular:browser',
                options: { outputPath: 'dist/storefront' },
              },
            },
          },
        },
      },
    },
    framework: 'Angular',
    build: 'npm run build',
    output: 'dist/storefront',
  },
  {
    name: 'Angular with an outputPath of two halves',
    tree: {
      'package.json': packageJson({ '@angular/cli': '20.0.0' }, { build: 'ng build' }),
      'angular.json': {
        projects: {
          shop: {
            architect: {
              build: {
                builder: '@angular/build:application',
                options: { outputPath: { base: 'www', browser: '' } },
              },
            },
          },
        },
      },
    },
    framework: 'Angular',
    build: 'npm run build',
    output: 'www',
  },
  {
    name: 'VitePress beside a library',
    tree: {
      'package.json': packageJson(
        { vitepress: '1.6.0', tsup: '8.0.0', vite: '7.0.0' },
        { build: 'tsup', 'docs:dev': 'vitepress dev docs', 'docs:build': 'vitepress build docs' },
      ),
      'docs/.vitepress/config.mts': 'export default defineConfig({ title: "Docs" })',
    },
    framework: 'VitePress',
    build: 'npm run docs:build',
    output: 'docs/.vitepress/dist',
  },
  {
    name: 'VitePress at the top with an outDir',
    tree: {
      'package.json': packageJson({ vitepress: '1.6.0' }, { build: 'vitepress build' }),
      '.vitepress/config.ts': "export default defineConfig({ outDir: './public_html' })",
    },
    framework: 'VitePress',
    build: 'npm run build',
    output: 'public_html',
  },
  {
    name: 'VitePress without a script',
    tree: {
      'package.json': packageJson({ vitepress: '1.6.0' }),
      'docs/.vitepress/config.ts': 'export default {}',
    },
    framework: 'VitePress',
    build: 'npx vitepress build docs',
    output: 'docs/.vitepress/dist',
  },
  {
    name: 'Docusaurus',
    tree: { 'package.json': packageJson({ '@docusaurus/core': '3.9.0' }, { build: 'docusaurus build' }) },
    framework: 'Docusaurus',
    build: 'npm run build',
    output: 'build',
    caches: ['node_modules/.cache', '.docusaurus'],
  },
  {
    name: 'Eleventy',
    tree: { 'package.json': packageJson({ '@11ty/eleventy': '3.0.0' }, { build: 'npx @11ty/eleventy' }) },
    framework: 'Eleventy',
    build: 'npm run build',
    output: '_site',
  },
  {
    name: 'Eleventy with an output in its configuration and only a serving script',
    tree: {
      'package.json': packageJson({ '@11ty/eleventy': '3.0.0' }, { start: 'eleventy --serve' }),
      'eleventy.config.js':
        "export default function (eleventy) { return { dir: { input: 'src', output: 'www' } }; }",
    },
    framework: 'Eleventy',
    build: 'npx eleventy',
    output: 'www',
  },
  {
    name: 'React Router without a server',
    tree: {
      'package.json': packageJson(
        { '@react-router/dev': '7.0.0', vite: '7.0.0' },
        { build: 'react-router build' },
      ),
      'react-router.config.ts': 'export default { ssr: false } satisfies Config;',
    },
    framework: 'React Router',
    build: 'npm run build',
    output: 'build/client',
  },
  {
    name: 'Remix without a server',
    tree: {
      'package.json': packageJson(
        { '@remix-run/dev': '2.0.0', vite: '6.0.0' },
        { build: 'remix vite:build' },
      ),
      'vite.config.ts': 'export default defineConfig({ plugins: [remix({ ssr: false })] });',
    },
    framework: 'Remix',
    build: 'npm run build',
    output: 'build/client',
  },
  {
    name: 'SolidStart',
    tree: { 'package.json': packageJson({ '@solidjs/start': '1.0.0' }, { build: 'vinxi build' }) },
    framework: 'SolidStart',
    build: 'npm run build',
    output: '.output/public',
  },
  {
    name: 'Vike, whose server is left out',
    tree: {
      'package.json': packageJson({ vike: '0.4.0', vite: '7.0.0', react: '19.0.0' }, { build: 'vite build' }),
      'vite.config.ts': 'export default { plugins: [vike({ prerender: true })] };',
    },
    framework: 'Vike',
    build: 'npm run build',
    output: 'dist/client',
  },
  {
    name: 'Slidev',
    tree: { 'package.json': packageJson({ '@slidev/cli': '51.0.0' }, { build: 'slidev build --out dist' }) },
    framework: 'Slidev',
    build: 'npm run build',
    output: 'dist',
  },
  {
    name: 'Vue CLI',
    tree: {
      'package.json': packageJson({ '@vue/cli-service': '5.0.0' }, { build: 'vue-cli-service build' }),
      'vue.config.js': "module.exports = { outputDir: 'www' }",
    },
    framework: 'Vue CLI',
    build: 'npm run build',
    output: 'www',
  },
  {
    name: 'Preact CLI',
    tree: { 'package.json': packageJson({ 'preact-cli': '3.0.0' }, { build: 'preact build' }) },
    framework: 'Preact CLI',
    build: 'npm run build',
    output: 'build',
  },
  {
    name: 'Parcel',
    tree: {
      'package.json': packageJson({ parcel: '2.0.0' }, { build: 'parcel build index.html --dist-dir www' }),
    },
    framework: 'Parcel',
    build: 'npm run build',
    output: 'www',
  },
  {
    name: 'Rsbuild',
    tree: {
      'package.json': packageJson({ '@rsbuild/core': '1.0.0' }, { build: 'rsbuild build' }),
      'rsbuild.config.ts': "export default defineConfig({ output: { distPath: { root: 'www' } } });",
    },
    framework: 'Rsbuild',
    build: 'npm run build',
    output: 'www',
  },
  {
    name: 'Rspack',
    tree: { 'package.json': packageJson({ '@rspack/cli': '1.0.0' }, { build: 'rspack build' }) },
    framework: 'Rspack',
    build: 'npm run build',
    output: 'dist',
  },
  {
    name: 'webpack',
    tree: {
      'package.json': packageJson({ 'webpack-cli': '6.0.0' }, { build: 'webpack --mode production' }),
      'webpack.config.js':
        "module.exports = { entry: './src', output: { path: path.resolve(__dirname, 'public') } };",
    },
    framework: 'webpack',
    build: 'npm run build',
    output: 'public',
  },
  {
    name: 'VuePress',
    tree: {
      'package.json': packageJson({ vuepress: '2.0.0' }, { 'docs:build': 'vuepress build docs' }),
    },
    framework: 'VuePress',
    build: 'npm run docs:build',
    output: 'docs/.vuepress/dist',
  },
  {
    name: 'Hexo',
    tree: { 'package.json': packageJson({ hexo: '7.0.0' }, { build: 'hexo generate' }) },
    framework: 'Hexo',
    build: 'npm run build',
    output: 'public',
  },
  {
    name: 'Storybook beside a library',
    tree: {
      'package.json': packageJson(
        { storybook: '9.0.0', react: '19.0.0' },
        { build: 'tsup', 'build-storybook': 'storybook build' },
      ),
    },
    framework: 'Storybook',
    build: 'npm run build-storybook',
    output: 'storybook-static',
  },
  {
    name: 'an application with Storybook beside it',
    tree: {
      'package.json': packageJson(
        { storybook: '9.0.0', vite: '7.0.0', react: '19.0.0' },
        { build: 'vite build', 'build-storybook': 'storybook build' },
      ),
    },
    framework: 'Vite + React',
    build: 'npm run build',
    output: 'dist',
  },
  {
    name: 'Gridsome, out of the long tail',
    tree: { 'package.json': packageJson({ gridsome: '0.7.0' }, { build: 'gridsome build' }) },
    framework: 'Gridsome',
    build: 'npm run build',
    output: 'dist',
  },
  {
    name: 'Ember, out of the long tail',
    tree: { 'package.json': packageJson({ 'ember-cli': '6.0.0' }) },
    framework: 'Ember.js',
    build: 'npx ember build',
    output: 'dist',
  },
];

describe('every framework is found and its commands and output are derived', () => {
  test.each(rows)('$name', async ({ tree, framework, build, output, caches }) => {
    const found = await plan(tree);
    expect({
      framework: found.framework?.name,
      build: found.build?.command,
      output: found.output.candidates[0]?.directory,
    }).toEqual({ framework, build, output });
    if (caches !== undefined) expect(found.frameworkCaches).toEqual(caches);
    expect(found.detections.map(({ what }) => what)).toContain('framework');
    for (const detection of found.detections) expect(detection.why).not.toBe('');
  });
});

test('a script that publishes elsewhere is not what builds', async () => {
  const found = await plan({
    'package.json': packageJson({ gatsby: '5.0.0' }, { deploy: 'gatsby build && gh-pages -d public' }),
  });
  expect(found.build?.command).toBe('npx gatsby build');
});

describe('what frameworks expect of the site', () => {
  test('a router in the browser is named', async () => {
    const found = await plan({
      'package.json': packageJson({ vite: '7.0.0', 'react-router-dom': '7.0.0' }, { build: 'vite build' }),
    });
    expect(found).toMatchObject({ serving: {}, browserRouter: 'react-router-dom' });
    expect(found.detections).toContainEqual({
      what: 'spa',
      value: 'if it has one page',
      why: 'react-router-dom makes addresses that are no files',
    });
  });

  test.each([
    [
      'React Router without a server',
      { '@react-router/dev': '7.0.0' },
      'react-router.config.ts',
      'export default { ssr: false };',
      { spa: true },
    ],
    [
      'Nuxt without a server',
      { nuxt: '4.0.0' },
      'nuxt.config.ts',
      'export default { ssr: false };',
      { spa: true },
    ],
    ['Slidev, whose slides have addresses', { '@slidev/cli': '51.0.0' }, 'slides.md', '# One', { spa: true }],
    [
      'SvelteKit with index.html for every path',
      { '@sveltejs/kit': '2.0.0' },
      'svelte.config.js',
      "import a from '@sveltejs/adapter-static'; export default { kit: { adapter: a({ fallback: 'index.html' }) } };",
      { spa: true },
    ],
    [
      'SvelteKit with a fallback of its own',
      { '@sveltejs/kit': '2.0.0' },
      'svelte.config.js',
      "import a from '@sveltejs/adapter-static'; export default { kit: { adapter: a({ fallback: '200.html' }) } };",
      { notFound: '200.html' },
    ],
  ])('%s says how it is served', async (_name, dependencies, file, text, serving) => {
    const found = await plan({ 'package.json': packageJson(dependencies), [file]: text });
    expect(found.serving).toEqual(serving);
  });

  test('a preset of a hosting platform does not decide what Nuxt generates', async () => {
    const found = await plan({
      'package.json': packageJson({ nuxt: '4.0.0' }),
      'nuxt.config.ts': "export default defineNuxtConfig({ nitro: { preset: 'vercel' } });",
    });
    expect(found.environment).toMatchObject({ NITRO_PRESET: 'static' });
  });

  test.each([
    ['vite.config.ts', "export default { base: '/shop/' }", { vite: '7.0.0' }],
    ['next.config.js', "module.exports = { output: 'export', basePath: '/shop' }", { next: '15.0.0' }],
    ['astro.config.mjs', "export default defineConfig({ base: 'shop' })", { astro: '5.0.0' }],
    ['docusaurus.config.ts', "export default { baseUrl: '/shop/' }", { '@docusaurus/core': '3.0.0' }],
  ])('a literal base path in %s is said', async (file, text, dependencies) => {
    const found = await plan({ 'package.json': packageJson(dependencies), [file]: text });
    expect(found.basePath).toEqual({ path: '/shop/', from: file });
    expect(found.detections).toContainEqual({
      what: 'base path',
      value: '/shop/',
      why: `${file}: the site is served there, and / leads to it`,
    });
  });

  test.each(['/', './', '', 'https://cdn.example.com/x/', '/%BASE%/'])(
    'the base path %j is none',
    async (base) => {
      const found = await plan({
        'package.json': packageJson({ vite: '7.0.0' }),
        'vite.config.js': `export default { base: ${JSON.stringify(base)} }`,
      });
      expect(found.basePath).toBeNull();
    },
  );

  test('the homepage of Create React App is a base path, and its lint warnings fail no build', async () => {
    const found = await plan({
      'package.json': {
        ...packageJson({ 'react-scripts': '5.0.1' }, { build: 'react-scripts build' }),
        homepage: 'https://someone.example.com/shop',
      },
    });
    expect(found.basePath).toEqual({ path: '/shop/', from: 'homepage in package.json' });
    expect(found.environment).toEqual({ CI: 'false' });
  });

  test('a computed base path is left to the build', async () => {
    const found = await plan({
      'package.json': packageJson({ vite: '7.0.0' }),
      'vite.config.js': "export default { base: process.env.GITHUB_ACTIONS ? '/shop/' : '/' }",
    });
    expect(found.basePath).toBeNull();
  });
});
