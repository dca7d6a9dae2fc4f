/** Bundles the three programs with all their libraries into dist/, so that the package installs as one package. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Options } from 'tsup';
import { preparePglite } from './scripts/build/pglite.ts';
import { writeThirdPartyLicenses } from './scripts/build/third-party-licenses.ts';

rmSync('dist', { recursive: true, force: true });

/** Every file that went into a bundle. */
const inputs = new Set<string>();
const collectInputs: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'collect-inputs',
  setup(build) {
    build.initialOptions.metafile = true;
    build.onEnd(({ metafile }) => {
      for (const input of Object.keys(metafile?.inputs ?? {})) inputs.add(input);
    });
  },
};

/** What would be bundled for nothing costs every start of a program the time to read it. */
const leaveOut: NonNullable<Options['esbuildPlugins']>[number] = {
  name: 'leave-out',
  setup(build) {
    // Socket.IO brings copies of its own, of older versions with the same functions and 200 kB of table each.
    build.initialOptions.alias = {
      'mime-types': './node_modules/mime-types/index.js',
      'mime-db': './node_modules/mime-db/index.js',
    };
    // zod exports its messages in fifty languages; it imports the English ones by themselves.
    build.onResolve({ filter: /\/locales\/index\.js$/ }, ({ importer }) =>
      importer.includes('/node_modules/zod/') ? { path: 'zod-locales', namespace: 'empty' } : undefined,
    );
    // Commander would start subcommands that are programs of their own; loading it is a tenth of `sphere --help`.
    build.onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      importer.includes('/node_modules/commander/') ? { path: 'no-programs', namespace: 'empty' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'export {}' }));
  },
};

const shared: Options = {
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  // Some libraries, and files/package-root.ts, ask for `import.meta.url`, which CommonJS does not have.
  shims: true,
  noExternal: [/.*/],
  removeNodeProtocol: false,
  // Not minified: it saves little of the start-up time (measured), and stack traces in bug reports stay readable.
  minify: false,
  esbuildPlugins: [collectInputs, leaveOut],
  silent: true,
};

/** The CLI: commands are imported lazily, each becomes a chunk that is read when it is used. */
const cli: Options = {
  ...shared,
  name: 'cli',
  entry: { 'cli/main': 'cli/main.ts' },
  splitting: true,
  esbuildOptions(options) {
    // tsup splits CommonJS with sucrase, which moves class fields behind `super()` and breaks `if (super(), …)`, as
    // minified libraries have it: esbuild lowers the fields first.
    options.supported = { 'class-field': false, 'class-static-field': false };
  },
  esbuildPlugins: [
    collectInputs,
    leaveOut,
    {
      // The server is a program of its own: `sphere server` loads its file. Chunks lie in dist/ itself.
      name: 'door-to-the-server',
      setup(build) {
        build.onResolve({ filter: /server\/main\.ts$/ }, () => ({
          path: './server/main.cjs',
          external: true,
        }));
      },
    },
  ],
  onSuccess: async () => finish('cli'),
};

/** Programs that run for long, each in one file: esbuild alone writes it, which PGlite's own `require` needs. */
const program = (name: 'server/main' | 'server/hosted' | 'builder/main'): Options => ({
  ...shared,
  name,
  entry: { [name]: `${name}.ts` },
  splitting: false,
  esbuildPlugins: [
    collectInputs,
    leaveOut,
    {
      // The clients of AWS, PostgreSQL and Redis are no part of what an embedded plane reads at its start.
      name: 'door-to-the-hosted-plane',
      setup(build) {
        build.onResolve({ filter: /\/hosted\.ts$/ }, ({ kind }) =>
          kind === 'entry-point' ? undefined : { path: './hosted.cjs', external: true },
        );
      },
    },
    // Only there where somebody has installed it.
    {
      name: 'no-native-postgres',
      setup(build) {
        build.onResolve({ filter: /^pg-native$/ }, () => ({ path: 'pg-native', namespace: 'empty' }));
      },
    },
  ],
  onSuccess: async () => finish(name),
});

/** What is left to do when the last of the four has been bundled. */
const bundled = new Set<string>();
async function finish(name: string): Promise<void> {
  bundled.add(name);
  if (bundled.size < 4) return;
  const files = ['.', 'cli', 'server', 'builder'].flatMap((directory) =>
    readdirSync(join('dist', directory))
      .filter((file) => file.endsWith('.cjs'))
      .map((file) => join('dist', directory, file)),
  );
  for (const file of files) execFileSync(process.execPath, ['--check', file], { stdio: 'inherit' });
  for (const directory of ['cli', 'server', 'builder']) chmodSync(join('dist', directory, 'main.cjs'), 0o755);
  writeThirdPartyLicenses('dist', inputs);
  await preparePglite('dist/pglite');
}

export default defineConfig([cli, program('server/main'), program('server/hosted'), program('builder/main')]);
