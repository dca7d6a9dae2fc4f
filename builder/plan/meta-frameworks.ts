/** Frameworks that render pages on a server or ahead of time: here it is decided whether a site is static at all. */
import semver from 'semver';
import {
  baseFrom,
  configOf,
  dependencyOf,
  expandScript,
  type Findings,
  type Framework,
  majorOf,
  optionIn,
  outputFrom,
  type Project,
} from './framework.ts';
import { joinPath, type SourceFiles } from './source-files.ts';

const nextjs: Framework = {
  slug: 'nextjs',
  name: 'Next.js',
  packages: ['next'],
  runs: /\bnext\s+(?:build|export)\b/,
  command: 'next build',
  scripts(project) {
    // Before Next.js 13.3 a static export was a command of its own, often in a script of its own.
    const { scripts } = project.packageJson;
    const exporting = Object.keys(scripts).find((name) => /\bnext\s+export\b/.test(scripts[name] ?? ''));
    if (exporting === undefined || majorOf(dependencyOf(project, 'next')) > 13) return undefined;
    return /\bnext\s+build\b/.test(expandScript(scripts, exporting)) ? [exporting] : ['build', exporting];
  },
  caches: ['.next/cache'],
  environment: { NEXT_TELEMETRY_DISABLED: '1' },
  async inspect(project, script) {
    const config = await configOf(project, 'next.config');
    const from = config?.path ?? joinPath(project.directory, 'next.config.js');
    const setOutput = `Set output: 'export' in ${from}.`;
    const fix = exportsByCommand(project)
      ? `Let the build script run \`next export\` after \`next build\`; from Next.js 13.3 on: ${setOutput}`
      : setOutput;
    const base = baseFrom(config, 'basePath');
    if (/\bnext\s+export\b/.test(script)) {
      const named = { path: optionIn(script, '-o', '--outdir'), from: 'the build script' };
      return { outputs: [outputFrom('out', named)], staticHint: fix, ...base };
    }
    const outputs = config?.values('output') ?? [];
    const distDir = config?.text('distDir');
    const directory = outputFrom('out', {
      path: distDir === '.next' ? null : distDir,
      from: config?.path ?? '',
    });
    const findings: Findings = { outputs: [directory], staticHint: fix, ...base };
    if (outputs.some((value) => value.kind === 'text' && value.text === 'export')) return findings;
    const mode = config?.text('output');
    if (mode !== null && mode !== undefined) {
      return { ...findings, notStatic: { seen: `${from} sets output: '${mode}'`, fix } };
    }
    if (config === null) return { ...findings, notStatic: { seen: `there is no ${from}`, fix } };
    // An output that is computed, or that an imported file may set, shows in the build.
    if (outputs.length > 0 || config.usesOtherFiles) return findings;
    return { ...findings, notStatic: { seen: `${from} does not set output`, fix } };
  },
};

/** Whether every version that the project takes is one before 13.3, which knows no `output: 'export'`. */
function exportsByCommand(project: Project): boolean {
  const range = semver.validRange(dependencyOf(project, 'next'));
  return range !== null && !semver.intersects(range, '>=13.3.0', { includePrerelease: true });
}

const serverPresets = /^(?:node|bun|deno|aws|azure|firebase|heroku|iis|koyeb|cleavr|render|stormkit|zerops)/;

const nuxt: Framework = {
  slug: 'nuxt',
  name: 'Nuxt',
  packages: ['nuxt', 'nuxt3', 'nuxt-edge', 'nuxt-nightly'],
  runs: /\b(?:nuxt|nuxi)\s+(?:generate|build)\b/,
  command: 'nuxt generate',
  scripts(project) {
    // `nuxt build` makes a server: the site is what `nuxt generate` writes.
    const { scripts } = project.packageJson;
    const generates = (name: string) =>
      /\b(?:nuxt|nuxi)\s+generate\b|\bnuxt\s+build\b.*--prerender/.test(expandScript(scripts, name));
    const names = ['build', 'generate', ...Object.keys(scripts)].filter((name) => name in scripts);
    const name = names.find(generates);
    return name === undefined ? null : [name];
  },
  caches: ['node_modules/.cache', '.nuxt/cache'],
  environment: { NUXT_TELEMETRY_DISABLED: '1' },
  async inspect(project) {
    const config = await configOf(project, 'nuxt.config');
    const second = majorOf(dependencyOf(project, 'nuxt', 'nuxt-edge')) === 2;
    const dir = { path: config?.text('generate.dir'), from: config?.path ?? '' };
    const outputs = second
      ? [outputFrom('dist', dir)]
      : [outputFrom('.output/public'), { directory: 'dist', why: 'where older versions leave it' }];
    const preset = config?.text('nitro.preset') ?? '';
    const from = config?.path ?? 'nuxt.config.ts';
    const fix = `Remove nitro.preset from ${from}, or set it to 'static'.`;
    const inBrowser =
      config?.values('ssr').some((value) => value.kind === 'boolean' && !value.value) ?? false;
    const api = await project.files.exists(joinPath(project.directory, 'server/api'));
    return {
      outputs,
      staticHint: 'Build it with `nuxt generate`.',
      ...baseFrom(config, 'app.baseURL', 'router.base'),
      ...(inBrowser ? { serving: { spa: true } } : {}),
      ...(serverPresets.test(preset)
        ? { notStatic: { seen: `${from} sets nitro.preset to '${preset}', which makes a server`, fix } }
        : {}),
      // Presets of hosting platforms leave the pages in a place and a form of the platform's own.
      ...(config?.has('nitro.preset') ? { environment: { NITRO_PRESET: 'static' } } : {}),
      warnings: api
        ? [
            'server/api is left out: a static site has no server. Only pages made by `nuxt generate` are there.',
          ]
        : [],
    };
  },
};

const sveltekit: Framework = {
  slug: 'sveltekit',
  name: 'SvelteKit',
  packages: ['@sveltejs/kit'],
  runs: /\bvite\s+build\b|\bsvelte-kit\s+build\b/,
  command: 'vite build',
  caches: ['node_modules/.vite', 'node_modules/.cache'],
  async inspect(project) {
    const configs = [await configOf(project, 'svelte.config'), await configOf(project, 'vite.config')];
    const adapters = configs
      .flatMap((config) => (config?.imports ?? []).map((module) => ({ module, from: config?.path ?? '' })))
      .filter(({ module }) => /adapter/.test(module));
    const config = configs[0] ?? null;
    const from = config?.path ?? 'svelte.config.js';
    const staticHint =
      `Install @sveltejs/adapter-static, use it as the adapter in ${from}, and export \`const prerender = true\` ` +
      'from src/routes/+layout.js.';
    const findings: Findings = {
      outputs: [outputFrom('build', { path: config?.text('kit.adapter.pages'), from })],
      staticHint,
      ...baseFrom(config, 'kit.paths.base'),
    };
    if (adapters.some(({ module }) => module === '@sveltejs/adapter-static')) {
      const fallback = config?.text('kit.adapter.fallback') ?? null;
      if (fallback === null) return findings;
      // A fallback beside the start page can only answer as the page for unknown paths.
      return { ...findings, serving: fallback === 'index.html' ? { spa: true } : { notFound: fallback } };
    }
    const adapter = adapters.find(({ module }) =>
      /^@sveltejs\/adapter-|^svelte-adapter-(?!static)/.test(module),
    );
    if (adapter === undefined) return findings;
    return {
      ...findings,
      notStatic: { seen: `${adapter.from} uses ${adapter.module}, which makes a server`, fix: staticHint },
    };
  },
};

const astro: Framework = {
  slug: 'astro',
  name: 'Astro',
  packages: ['astro'],
  runs: /\bastro\s+build\b/,
  command: 'astro build',
  caches: ['node_modules/.astro', 'node_modules/.vite', '.astro'],
  environment: { ASTRO_TELEMETRY_DISABLED: '1' },
  async inspect(project, script) {
    const config = await configOf(project, 'astro.config');
    const from = config?.path ?? '';
    const output = { path: config?.text('outDir'), from };
    const base = config?.text('base') ?? null;
    const findings: Findings = {
      outputs: [outputFrom('dist', { path: optionIn(script, '--outDir'), from: 'the build script' }, output)],
      staticHint: "Set output: 'static' in the Astro configuration and remove the adapter.",
      // Astro takes `docs` for `/docs`.
      ...(base === null || base.startsWith('.')
        ? {}
        : { base: { path: `/${base.replace(/^\/+/, '')}`, from } }),
    };
    const mode = config?.text('output');
    if (mode === 'server' || mode === 'hybrid') {
      const fix = `Remove output: '${mode}' and the adapter from ${from}: Astro then renders every page ahead of time.`;
      return {
        ...findings,
        notStatic: { seen: `${from} sets output: '${mode}', which makes a server`, fix },
      };
    }
    // With an adapter, single pages may ask for a server; without one Astro refuses to build them.
    const page = config?.has('adapter')
      ? await findServerPage(project.files, joinPath(project.directory, 'src/pages'))
      : null;
    if (page === null) return findings;
    const fix = `Remove \`export const prerender = false\` from ${page}, and the adapter from ${from}.`;
    return { ...findings, notStatic: { seen: `${page} is rendered on a server`, fix } };
  },
};

async function findServerPage(files: SourceFiles, directory: string): Promise<string | null> {
  for (const entry of await files.list(directory)) {
    const path = joinPath(directory, entry.name);
    if (entry.kind === 'directory') {
      const page = await findServerPage(files, path);
      if (page !== null) return page;
    } else if (/\.(?:astro|[jt]s)$/.test(entry.name)) {
      if (/^\s*export\s+const\s+prerender\s*=\s*false\b/m.test((await files.read(path)) ?? '')) return path;
    }
  }
  return null;
}

const gatsby: Framework = {
  slug: 'gatsby',
  name: 'Gatsby',
  packages: ['gatsby'],
  runs: /\bgatsby\s+build\b/,
  command: 'gatsby build',
  caches: ['.cache', 'public', 'node_modules/.cache'],
  environment: { GATSBY_TELEMETRY_DISABLED: '1' },
  async inspect(project, script) {
    const config = await configOf(project, 'gatsby-config');
    const prefixed = /--prefix-paths\b/.test(script);
    return { outputs: [outputFrom('public')], ...(prefixed ? baseFrom(config, 'pathPrefix') : {}) };
  },
};

export const metaFrameworks: readonly Framework[] = [nextjs, nuxt, sveltekit, astro, gatsby];
