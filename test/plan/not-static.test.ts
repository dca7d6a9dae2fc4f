/** What certainly needs a server is refused before the build, with the change that fixes it; the rest is built. */
import { describe, expect, test } from 'vitest';
import { planBuild } from '../../builder/plan/plan.ts';
import type { BuildSettings } from '../../contract/configuration.ts';
import { literalSourceFiles } from './literal-source-files.ts';

const plan = (tree: Record<string, unknown>, settings: BuildSettings = {}) =>
  planBuild(literalSourceFiles(tree), settings, { nodeVersion: '20.20.2' });

const project = (
  dependencies: Record<string, string>,
  build: string,
  more: Record<string, unknown> = {},
) => ({
  'package.json': { dependencies, scripts: { build } },
  ...more,
});

const next = (more: Record<string, unknown> = {}) => project({ next: '16.0.0' }, 'next build', more);
const kit = (adapter: string) =>
  project({ '@sveltejs/kit': '2.0.0' }, 'vite build', {
    'svelte.config.js': `import adapter from '${adapter}';\nexport default { kit: { adapter: adapter() } };`,
  });
const astro = (config: string, more: Record<string, unknown> = {}) =>
  project({ astro: '5.0.0' }, 'astro build', { 'astro.config.mjs': config, ...more });

describe('refused before the build', () => {
  test.each([
    ['Next.js without a configuration', next(), 'there is no next.config.js', "Set output: 'export'"],
    [
      'Next.js with a configuration that sets no output',
      next({ 'next.config.mjs': 'export default { reactStrictMode: true };' }),
      'next.config.mjs does not set output',
      "Set output: 'export' in next.config.mjs",
    ],
    [
      'Next.js whose export is in a comment',
      next({ 'next.config.mjs': "// output: 'export',\nexport default {};" }),
      'next.config.mjs does not set output',
      "Set output: 'export'",
    ],
    [
      'Next.js as a standalone server',
      next({ 'next.config.js': "module.exports = { output: 'standalone' };" }),
      "sets output: 'standalone'",
      "Set output: 'export'",
    ],
    [
      'Next.js before 13.3, which exports by a command',
      project({ next: '13.0.5' }, 'next build'),
      'there is no next.config.js',
      'Let the build script run `next export` after `next build`',
    ],
    [
      'Next.js whose range takes a newer one',
      project({ next: '^13.0.5' }, 'next build'),
      'there is no next.config.js',
      "Set output: 'export' in next.config.js",
    ],
    [
      'SvelteKit with adapter-auto',
      kit('@sveltejs/adapter-auto'),
      '@sveltejs/adapter-auto',
      '@sveltejs/adapter-static',
    ],
    [
      'SvelteKit with adapter-node',
      kit('@sveltejs/adapter-node'),
      '@sveltejs/adapter-node',
      'export `const prerender = true`',
    ],
    [
      'SvelteKit with an adapter of others',
      kit('svelte-adapter-bun'),
      'svelte-adapter-bun',
      'adapter-static',
    ],
    [
      'Astro as a server',
      astro("export default defineConfig({ output: 'server', adapter: node() });"),
      "output: 'server'",
      "Remove output: 'server'",
    ],
    [
      'Astro with a page rendered on a server',
      astro('export default defineConfig({ adapter: node() });', {
        'src/pages/index.astro': '<p>Hello</p>',
        'src/pages/api/time.ts': 'export const prerender = false;\nexport const GET = () => new Response();',
      }),
      'src/pages/api/time.ts',
      'prerender = false',
    ],
    [
      'Nuxt with a server preset',
      project({ nuxt: '4.0.0' }, 'nuxt build', {
        'nuxt.config.ts': "export default defineNuxtConfig({ nitro: { preset: 'node-server' } });",
      }),
      "nitro.preset to 'node-server'",
      'nitro.preset',
    ],
    [
      'React Router with its server',
      project({ '@react-router/dev': '7.0.0' }, 'react-router build', {
        'react-router.config.ts': 'export default { ssr: true } satisfies Config;',
      }),
      'react-router.config.ts does not set ssr: false',
      'Set ssr: false in react-router.config.ts',
    ],
    [
      'Remix',
      project({ '@remix-run/dev': '2.0.0' }, 'remix vite:build', {
        'vite.config.ts': 'export default defineConfig({ plugins: [remix(), tsconfigPaths()] });',
      }),
      'vite.config.ts does not set ssr: false',
      'Set ssr: false',
    ],
    [
      'Angular with a server output',
      project({ '@angular/cli': '20.0.0' }, 'ng build', {
        'angular.json': {
          projects: { shop: { architect: { build: { options: { outputMode: 'server', ssr: {} } } } } },
        },
      }),
      "outputMode: 'server'",
      "outputMode: 'static'",
    ],
    [
      'an Express server',
      {
        'package.json': { dependencies: { express: '5.0.0' }, scripts: { start: 'node server.js' } },
        'server.js': '',
      },
      'depends on express',
      'Deploy the frontend',
    ],
  ])('%s', async (_name, tree, seen, fix) => {
    await expect(plan(tree)).rejects.toMatchObject({
      code: 'NOT_STATIC',
      message: expect.stringContaining(seen),
      hint: expect.stringContaining(fix),
    });
  });
});

describe('built, because only the build can tell', () => {
  test.each([
    [
      'Next.js with a computed output',
      next({
        'next.config.js': "module.exports = { output: process.env.EXPORT ? 'export' : undefined };",
      }),
    ],
    [
      'Next.js with an output that is set later',
      next({ 'next.config.js': "const c = {};\nc.output = 'export'\nmodule.exports = c\n" }),
    ],
    [
      'Next.js whose output is a variable',
      next({ 'next.config.js': "const output = 'export';\nmodule.exports = { output, images: {} };" }),
    ],
    [
      'Next.js with a base configuration',
      next({ 'next.config.mjs': "import base from './base.mjs';\nexport default { ...base };" }),
    ],
    [
      'SvelteKit that chooses between adapters',
      project({ '@sveltejs/kit': '2.0.0' }, 'vite build', {
        'svelte.config.js':
          "import node from '@sveltejs/adapter-node';\nimport pages from '@sveltejs/adapter-static';\n" +
          'export default { kit: { adapter: process.env.PAGES ? pages() : node() } };',
      }),
    ],
    [
      'React Router that prerenders',
      project({ '@react-router/dev': '7.0.0' }, 'react-router build', {
        'react-router.config.ts': "export default { prerender: ['/'] };",
      }),
    ],
  ])('%s', async (_name, tree) => {
    const found = await plan(tree);
    expect(found.build).not.toBeNull();
    expect(found.staticHint).not.toBeNull();
  });

  test('Next.js that only runs `env.mjs` is still refused', async () => {
    const tree = next({ 'next.config.mjs': "import './src/env.mjs';\nexport default {};" });
    await expect(plan(tree)).rejects.toMatchObject({ code: 'NOT_STATIC' });
  });

  test.each<BuildSettings>([{ buildCommand: 'make site' }, { outputDirectory: 'site' }])(
    'a person who says %j knows better',
    async (settings) => {
      expect((await plan(next(), settings)).framework?.slug).toBe('nextjs');
    },
  );

  test('an API that a static Nuxt site leaves out is a warning', async () => {
    const found = await plan(
      project({ nuxt: '4.0.0' }, 'nuxt build', { 'server/api/hello.ts': 'export default () => 1' }),
    );
    expect(found.warnings.join()).toContain('server/api is left out');
  });
});
