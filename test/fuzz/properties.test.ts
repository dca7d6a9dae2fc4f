/** What must hold of parsers and planners whatever they are given: drawn by fast-check, which finds the smallest case. */
import { existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { planBuild } from '../../builder/plan/plan.ts';
import { mergeIntoFile, parseEnvironmentFile } from '../../cli/environment-file.ts';
import { importSettings } from '../../cli/import/import.ts';
import { configurationSchema, servingSchema } from '../../contract/configuration.ts';
import { SphereError } from '../../contract/errors.ts';
import { manifestSchema } from '../../contract/manifest.ts';
import { unpackSource } from '../../files/archive.ts';
import { readConfiguration } from '../../files/configuration-file.ts';
import { compileSite, resolveRequest } from '../../server/sites/resolve.ts';
import { archiveOf, type Entry } from '../files/archive-of.ts';
import { emptyDirectory, tree } from '../files/tree.ts';
import { literalSourceFiles } from '../plan/literal-source-files.ts';
import { damaged, hostileTexts } from './damage.ts';
import { arbitraryOf } from './json-arbitrary.ts';

vi.setConfig({ testTimeout: 120_000 });

/** Another one tries other cases: `SPHERE_FUZZ_SEED=7 npx vitest run test/fuzz`. */
fc.configureGlobal({ seed: Number(process.env.SPHERE_FUZZ_SEED ?? 1) });

const text = fc.oneof(
  fc.constantFrom(...hostileTexts),
  fc.string({ unit: 'binary' }),
  fc.string({ maxLength: 300 }),
);
/** JSON that is nearly right, and pieces of it. */
function jsonLike(values: fc.Arbitrary<unknown>): fc.Arbitrary<string> {
  const written = fc.oneof(values, damaged(values)).map((value) => JSON.stringify(value, null, 2) ?? '');
  const torn = fc.tuple(written, fc.nat(), text).map(([whole, at, more]) => {
    const cut = at % (whole.length + 1);
    return `${whole.slice(0, cut)}${more}${whole.slice(cut + (at % 3))}`;
  });
  return fc.oneof(written, torn, text);
}

/** What a program throws that was given something wrong: an error for people, never a bug of ours. */
function onlyForPeople<T>(work: () => T): T | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof SphereError && error.code !== 'INTERNAL') return null;
    throw error;
  }
}

describe('sphere.json', () => {
  const configurations = arbitraryOf(configurationSchema);

  test('is read as it is, or every problem has its place in the file', () => {
    fc.assert(
      fc.property(jsonLike(configurations), (file) => {
        const read = readConfiguration(file);
        if (read.ok) return;
        const lines = file.split(/\r\n|\r|\n/);
        expect(read.problems.length).toBeGreaterThan(0);
        for (const { line, column, message } of read.problems) {
          expect(message).not.toBe('');
          expect(line).toBeGreaterThanOrEqual(1);
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeGreaterThanOrEqual(1);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('that is right comes out with the same values, written with comments or without', () => {
    fc.assert(
      fc.property(configurations, (value) => {
        fc.pre(configurationSchema.safeParse(value).success);
        const plain = readConfiguration(JSON.stringify(value));
        const commented = readConfiguration(`// ours\n${JSON.stringify(value, null, 1)}\n/* end */`);
        expect(plain).toMatchObject({ ok: true });
        expect(commented).toEqual(plain);
      }),
      { numRuns: 500 },
    );
  });
});

test('settings of other tools are taken or left out, and what is taken is a sphere.json', () => {
  const rule = fc.record(
    {
      source: text,
      from: text,
      to: text,
      destination: text,
      permanent: fc.boolean(),
      statusCode: fc.integer(),
      status: fc.integer(),
      headers: fc.array(fc.record({ key: text, value: text }), { maxLength: 2 }),
    },
    { requiredKeys: [] },
  );
  const vercel = fc.record(
    {
      redirects: fc.array(rule),
      headers: fc.array(rule),
      rewrites: fc.array(rule),
      cleanUrls: fc.boolean(),
      build: fc.record({ env: fc.dictionary(text, text) }),
      outputDirectory: text,
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  const lines = fc.array(
    fc
      .array(fc.oneof(text, fc.constantFrom('/a', '/b/*', '301!', '200')), { maxLength: 5 })
      .map((words) => words.join(' ')),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(jsonLike(vercel), lines, text, (vercelJson, redirects, toml) => {
      const files = {
        'vercel.json': vercelJson,
        _redirects: redirects.join('\n'),
        _headers: redirects.join('\n  X: '),
        'netlify.toml': toml,
      };
      const there = tree(files);
      try {
        const imported = onlyForPeople(() => importSettings(there));
        if (imported) expect(readConfiguration(JSON.stringify(imported.configuration)).ok).toBe(true);
      } finally {
        rmSync(there, { recursive: true });
      }
    }),
    { numRuns: 400 },
  );
});

test('values that are merged into a .env file are found in it again, and what it held is there still', () => {
  const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,8}$/);
  const values = fc.dictionary(name, fc.string({ unit: 'grapheme' }), { maxKeys: 4, noNullPrototype: true });
  fc.assert(
    fc.property(text, values, (file, given) => {
      const before = parseEnvironmentFile(file);
      const merged = mergeIntoFile(file, new Map(Object.entries(given)), []);
      const after = parseEnvironmentFile(merged.text);
      const written = Object.entries(given).filter(([key]) => !merged.unwritable.includes(key));
      expect(Object.fromEntries(after)).toEqual(Object.fromEntries([...before, ...written]));
    }),
    { numRuns: 2_000 },
  );
});

describe('a site', () => {
  const files = fc.dictionary(
    fc.constantFrom(
      'index.html',
      'a.html',
      'a/index.html',
      'assets/app-0123456789abcdef.js',
      '404.html',
      'ü b.txt',
      '.well-known/x',
    ),
    fc.constant({ blob: 'a'.repeat(64), bytes: 1 }),
    { noNullPrototype: true },
  );
  const url = fc.oneof(
    text,
    fc
      .array(
        fc.oneof(
          text.map(encodeURIComponent0),
          fc.constantFrom('a', 'index.html', '..', '%2e%2e', '', 'assets'),
        ),
        { maxLength: 5 },
      )
      .map((parts) => `/${parts.join('/')}`),
  );

  test('answers any request with a file of its own, a redirect in one line of ASCII, or a refusal', () => {
    fc.assert(
      fc.property(files, arbitraryOf(servingSchema), url, (published, serving, path) => {
        const manifest = {
          version: 1 as const,
          files: published,
          serving: servingSchema.safeParse(serving).data ?? {},
        };
        const site = compileSite({ manifest, retained: new Map() } as never);
        const answer = resolveRequest(site, { method: 'GET', url: path, accept: 'text/html' });
        if (answer.kind === 'file') expect(Object.hasOwn(published, answer.path)).toBe(true);
        if (answer.kind === 'redirect') expect(answer.location).toMatch(/^[\x21-\x7e]+$/);
        for (const [name, value] of Object.entries('headers' in answer ? answer.headers : {})) {
          expect(name).toMatch(/^[\w!#$%&'*+.^`|~-]+$/);
          expect(value).not.toMatch(/[\r\n\0]/);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  test('has no path in its manifest that leaves it or that two systems read in two ways', () => {
    const manifests = fc.record({
      version: fc.constant(1),
      files: fc.dictionary(text, fc.constant({ blob: 'a'.repeat(64), bytes: 1 }), { noNullPrototype: true }),
      serving: fc.constant({}),
    });
    fc.assert(
      fc.property(manifests, (manifest) => {
        const parsed = manifestSchema.safeParse(manifest);
        if (!parsed.success) return;
        for (const path of Object.keys(parsed.data.files)) {
          expect(join('/site', path).startsWith('/site/')).toBe(true);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(path).not.toMatch(/[\u0000-\u001f\u007f\\]|(?:^|\/)\.{0,2}(?:\/|$)/);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

test('a source of whatever files is planned, or refused with an error for people', async () => {
  const scripts = fc.dictionary(
    fc.constantFrom('build', 'generate', 'export', 'test'),
    fc.oneof(text, fc.constantFrom('vite build', 'next build', 'astro build', 'turbo run build', 'nx build')),
    { noNullPrototype: true },
  );
  const packageJson = fc.record(
    {
      name: text,
      scripts,
      dependencies: fc.dictionary(
        fc.constantFrom(
          'vite',
          'next',
          'astro',
          'react-scripts',
          'nuxt',
          '@angular/core',
          'gatsby',
          'eleventy',
        ),
        fc.oneof(text, fc.constant('^5.0.0')),
        { noNullPrototype: true },
      ),
      engines: fc.record({ node: text }),
      packageManager: fc.oneof(text, fc.constantFrom('pnpm@10.0.0', 'yarn@4.1.0', 'npm@11', 'bun@1.2.0')),
      workspaces: fc.oneof(fc.array(text), fc.constant(['packages/*'])),
      homepage: text,
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  const anyFile = fc.oneof(
    text,
    jsonLike(packageJson),
    fc.constantFrom(
      'export default { base: "/x", build: { outDir: "y" } }',
      'lockfileVersion: 9',
      '__metadata:\n  version: 8',
    ),
  );
  const sources = fc.dictionary(
    fc.constantFrom(
      'package.json',
      'package-lock.json',
      'pnpm-lock.yaml',
      'yarn.lock',
      'bun.lock',
      'pnpm-workspace.yaml',
      'turbo.json',
      'nx.json',
      'angular.json',
      'vite.config.ts',
      'next.config.mjs',
      'astro.config.mjs',
      'svelte.config.js',
      '.nvmrc',
      '.node-version',
      'index.html',
      'packages/a/package.json',
      'packages/a/vite.config.js',
      'project.json',
    ),
    anyFile,
    { noNullPrototype: true },
  );
  await fc.assert(
    fc.asyncProperty(sources, async (files) => {
      try {
        const { output, detections } = await planBuild(
          literalSourceFiles(files),
          {},
          { nodeVersion: '20.20.2' },
        );
        expect(output).toBeTruthy();
        expect(detections.length).toBeGreaterThan(0);
      } catch (error) {
        if (!(error instanceof SphereError) || error.code === 'INTERNAL') throw error;
        expect(error.message).not.toBe('');
      }
    }),
    { numRuns: 1_500 },
  );
});

describe('an archive', () => {
  const entry: fc.Arbitrary<Entry> = fc.record(
    {
      path: fc.oneof(
        fc.constantFrom('a', 'a/b', '../x', '/etc/x', 'a/../..', './c', 'd/', 'a//b', 'ü'),
        fc.string({ minLength: 1, maxLength: 30 }),
      ),
      type: fc.constantFrom(
        'File' as const,
        'SymbolicLink' as const,
        'Link' as const,
        'Directory' as const,
        'FIFO' as const,
      ),
      content: fc.string({ maxLength: 20 }),
      linkpath: fc.constantFrom('a', '..', '../..', '/etc/passwd', 'a/b', '.', './a', 'a/../../x'),
      size: fc.integer({ min: 0, max: 3_000 }),
    },
    { requiredKeys: ['path'], noNullPrototype: true },
  );

  /** Everything below `directory`, without following links. */
  function walk(directory: string): string[] {
    return readdirSync(directory, { withFileTypes: true }).flatMap((one) => {
      const path = join(directory, one.name);
      return one.isDirectory() ? [path, ...walk(path)] : [path];
    });
  }

  test('of any entries, with any bytes of it changed, writes nothing beside its directory and no link out of it', async () => {
    const damages = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        damages,
        fc.boolean(),
        async (entries, bytes, outer) => {
          const top = emptyDirectory();
          const directory = join(top, 'in');
          mkdirSync(join(top, 'beside'));
          let packed = await buffer(archiveOf(entries));
          if (!outer) packed = gunzipSync(packed);
          for (const [at, byte] of bytes) packed[at % packed.length] = byte;
          if (!outer) packed = gzipSync(packed);
          const unpacked = unpackSource(Readable.from([packed]), directory, { files: 5, bytes: 2_000 });
          await unpacked.catch((error: unknown) => {
            if (!(error instanceof SphereError) || error.code === 'INTERNAL') throw error;
          });
          expect(readdirSync(top).filter((name) => name !== 'in')).toEqual(['beside']);
          expect(readdirSync(join(top, 'beside'))).toEqual([]);
          for (const path of existsSync(directory) ? walk(directory) : []) {
            if (!lstatSync(path).isSymbolicLink() || !existsSync(path)) continue;
            expect(`${realpathSync(path)}/`.startsWith(`${realpathSync(directory)}/`)).toBe(true);
          }
          rmSync(top, { recursive: true });
        },
      ),
      { numRuns: 600 },
    );
  });
});

/** Percent-encoded, halves of characters replaced. */
function encodeURIComponent0(value: string): string {
  return encodeURIComponent(Buffer.from(value).toString());
}
