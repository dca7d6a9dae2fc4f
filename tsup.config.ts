/** Bundles the three programs with all their libraries into dist/, so that the package installs as one package. */
import { chmodSync, existsSync } from 'node:fs';
import { defineConfig } from 'tsup';
import { preparePglite } from './scripts/build/pglite.ts';
import { writeThirdPartyLicenses } from './scripts/build/third-party-licenses.ts';

const programs = ['cli', 'server', 'builder'];

export default defineConfig({
  entry: Object.fromEntries(
    programs
      .map((program) => [`${program}/main`, `${program}/main.ts`] as const)
      .filter(([, source]) => existsSync(source)),
  ),
  format: 'cjs',
  platform: 'node',
  target: 'node20',
  outDir: 'dist',
  clean: true,
  // Commands are imported lazily: each becomes a chunk that is read when it is used.
  splitting: true,
  // Some libraries, and files/package-root.ts, ask for `import.meta.url`, which CommonJS does not have.
  shims: true,
  noExternal: [/.*/],
  // Not minified: it saves little of the start-up time (measured), and stack traces in bug reports stay readable.
  minify: false,
  keepNames: false,
  metafile: true,
  silent: true,
  async onSuccess() {
    for (const program of programs) {
      const file = `dist/${program}/main.cjs`;
      if (existsSync(file)) chmodSync(file, 0o755);
    }
    writeThirdPartyLicenses('dist', 'dist/metafile-cjs.json');
    await preparePglite('dist/pglite');
  },
});
