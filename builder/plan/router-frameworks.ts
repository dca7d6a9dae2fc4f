/** Frameworks around a router that render on a server unless told otherwise. */
import type { ConfigText } from './config-text.ts';
import { baseFrom, configOf, type Findings, type Framework, outputFrom } from './framework.ts';
import { joinPath } from './source-files.ts';

const reactRouter: Framework = {
  slug: 'react-router',
  name: 'React Router',
  packages: ['@react-router/dev'],
  runs: /\breact-router\s+build\b|\bvite\s+build\b/,
  command: 'react-router build',
  caches: ['node_modules/.vite'],
  async inspect(project) {
    const config = await configOf(project, 'react-router.config');
    return routerFindings(config, config?.path ?? 'react-router.config.ts', 'buildDirectory', 'basename');
  },
};

const remix: Framework = {
  slug: 'remix',
  name: 'Remix',
  packages: ['@remix-run/dev'],
  runs: /\bremix\s+(?:vite:)?build\b/,
  command: 'remix vite:build',
  caches: ['node_modules/.vite', 'node_modules/.cache'],
  async inspect(project) {
    const vite = await configOf(project, 'vite.config');
    const config =
      vite === null ? null : { ...vite, values: (name: string) => vite.values(`plugins.${name}`) };
    const text = (name: string) => vite?.text(`plugins.${name}`) ?? null;
    const has = (name: string) => vite?.has(`plugins.${name}`) ?? false;
    return routerFindings(
      config === null ? null : { ...config, text, has },
      vite?.path ?? 'vite.config.ts',
      'buildDirectory',
      'basename',
    );
  },
};

/** Remix and its successor have one switch: without a server there is one page that the browser takes over. */
function routerFindings(
  config: ConfigText | null,
  from: string,
  directory: string,
  basename: string,
): Findings {
  const build = config?.text(directory) ?? 'build';
  const why = config?.has(directory) ? `named in ${from}` : 'the default of the framework';
  const fix = `Set ssr: false in ${from}, with \`prerender\` for pages that should be HTML of their own.`;
  const findings: Findings = {
    outputs: [{ directory: joinPath(build, 'client'), why }],
    staticHint: fix,
    ...baseFrom(config, basename),
  };
  const ssr = config?.values('ssr') ?? [];
  if (ssr.some((value) => value.kind === 'boolean' && !value.value))
    return { ...findings, serving: { spa: true } };
  const open = config?.has('prerender') || config?.usesOtherFiles || ssr.some((v) => v.kind === 'computed');
  if (open) return findings;
  return { ...findings, notStatic: { seen: `${from} does not set ssr: false, so a server is built`, fix } };
}

const solidStart: Framework = {
  slug: 'solid-start',
  name: 'SolidStart',
  packages: ['@solidjs/start'],
  runs: /\bvinxi\s+build\b|\bvite\s+build\b/,
  command: 'vinxi build',
  caches: ['node_modules/.vinxi', 'node_modules/.vite'],
  async inspect(project) {
    const config = await configOf(project, 'app.config', 'vite.config');
    return {
      outputs: [outputFrom('.output/public'), { directory: 'dist', why: 'where older versions leave it' }],
      staticHint: "Set server: { preset: 'static' } (or ssr: false) in app.config.ts.",
      ...baseFrom(config, 'server.baseURL'),
    };
  },
};

const tanstackStart: Framework = {
  slug: 'tanstack-start',
  name: 'TanStack Start',
  packages: ['@tanstack/react-start', '@tanstack/solid-start'],
  runs: /\bvite\s+build\b/,
  command: 'vite build',
  caches: ['node_modules/.vite'],
  async inspect() {
    return {
      outputs: [outputFrom('dist/client'), { directory: '.output/public', why: 'where Nitro leaves it' }],
      staticHint:
        'Set prerender: { enabled: true } or spa: { enabled: true } for tanstackStart() in vite.config.ts.',
    };
  },
};

const qwik: Framework = {
  slug: 'qwik',
  name: 'Qwik',
  packages: ['@builder.io/qwik-city', '@qwik.dev/router'],
  runs: /\bqwik\s+build\b/,
  command: 'qwik build',
  caches: ['node_modules/.vite'],
  async inspect() {
    return { outputs: [outputFrom('dist')], staticHint: 'Run `npx qwik add static` and build again.' };
  },
};

/** It builds a server beside what browsers get, and pages only when it is told to. */
const vike: Framework = {
  slug: 'vike',
  name: 'Vike',
  packages: ['vike', 'vite-plugin-ssr'],
  runs: /\b(?:vite|vike)\s+build\b/,
  command: 'vite build',
  caches: ['node_modules/.vite'],
  async inspect(project) {
    const config = await configOf(project, 'vite.config');
    const outDir = config?.text('build.outDir') ?? null;
    const why = outDir === null ? 'the default of the framework' : `named in ${config?.path}`;
    return {
      outputs: [{ directory: joinPath(outDir ?? 'dist', 'client'), why }],
      staticHint: 'Set prerender: true in pages/+config, or for vike() in vite.config.',
      ...baseFrom(config, 'base'),
    };
  },
};

export const routerFrameworks: readonly Framework[] = [
  reactRouter,
  remix,
  solidStart,
  tanstackStart,
  qwik,
  vike,
];
