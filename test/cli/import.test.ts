/** What carries over from the settings of Vercel, Netlify and Cloudflare Pages, and what is said of the rest. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importSettings } from '../../cli/import/import.ts';
import type { Tree } from '../files/tree.ts';
import { tree } from '../files/tree.ts';
import { bundleCli, startCli } from './cli-process.ts';

const from = (files: Tree) => importSettings(tree(files));
const vercel = (settings: object) => from({ 'vercel.json': JSON.stringify(settings) });
const leftOut = ({ findings }: ReturnType<typeof from>) =>
  findings.filter(({ to }) => to === null).map((finding) => `${finding.from}: ${finding.text}`);

describe('vercel.json', () => {
  test('commands, output and the form of addresses are the same', () => {
    const settings = {
      buildCommand: 'npm run site',
      installCommand: null,
      outputDirectory: './out',
      ignoreCommand: 'git diff --quiet HEAD^ HEAD .',
      cleanUrls: true,
      trailingSlash: false,
    };
    const found = vercel({ $schema: 'https://openapi.vercel.sh/vercel.json', version: 2, ...settings });
    expect(found.configuration).toEqual({ ...settings, outputDirectory: 'out' });
    expect(leftOut(found)).toEqual([]);
  });

  test.each<[object, object]>([
    [
      { source: '/old', destination: '/new' },
      { source: '/old', destination: '/new', permanent: true },
    ],
    [
      { source: '/old', destination: '/new', permanent: false },
      { source: '/old', destination: '/new', permanent: false },
    ],
    [
      { source: '/b/:slug', destination: '/blog/:slug', statusCode: 301 },
      { source: '/b/:slug', destination: '/blog/:slug', statusCode: 301 },
    ],
    [
      { source: '/docs/:path*', destination: 'https://docs.example.com/:path*', permanent: true },
      { source: '/docs/*', destination: 'https://docs.example.com/:splat', permanent: true },
    ],
    [
      { source: '/a/(.*)', destination: '/b/$1', permanent: true },
      { source: '/a/*', destination: '/b/:splat', permanent: true },
    ],
  ])('redirect %j', (rule, redirect) => {
    expect(vercel({ redirects: [rule] }).configuration.redirects).toEqual([redirect]);
  });

  test.each([
    [{ redirects: [{ source: '/post/:id(\\d+)', destination: '/x' }] }, 'a regular expression'],
    [
      { redirects: [{ source: '/a', destination: '/b', has: [{ type: 'cookie', key: 'x' }] }] },
      'more than the path',
    ],
    [
      { rewrites: [{ source: '/api/:path*', destination: 'https://api.example.com/:path*' }] },
      'sites of files cannot',
    ],
    [{ functions: {} }, 'need a server'],
    [{ framework: 'vite' }, 'detects it'],
    [{ surprise: 1 }, 'nothing in sphere.json is like it'],
  ])('%j is left out, and why', (settings, why) => {
    const found = vercel(settings);
    expect(found.configuration).toEqual({});
    expect(leftOut(found)).toEqual([expect.stringContaining(why)]);
  });

  test('values for builds, but for secrets that are kept there', () => {
    const found = vercel({ build: { env: { API: 'x', KEY: '@key' } }, env: { AT_RUN_TIME: 'y' } });
    expect(found.configuration).toEqual({ env: { API: 'x' } });
    expect(leftOut(found)).toEqual([
      expect.stringContaining('build.env.KEY: it is a secret kept there: `sphere env add KEY`'),
      expect.stringContaining('env: it is for functions'),
    ]);
  });

  test.each(['/(.*)', '/:path*', '/((?!api/).*)'])(
    'a rewrite of %s to the page at the top is "spa"',
    (source) => {
      expect(vercel({ rewrites: [{ source, destination: '/index.html' }] }).configuration).toEqual({
        spa: true,
      });
    },
  );

  test('headers', () => {
    const headers = [{ key: 'X-Frame-Options', value: 'DENY' }];
    expect(vercel({ headers: [{ source: '/(.*)', headers }] }).configuration.headers).toEqual([
      { source: '/*', headers: { 'X-Frame-Options': 'DENY' } },
    ]);
  });
});

describe('Netlify', () => {
  test('netlify.toml', () => {
    const found = from({
      'netlify.toml': `
        [build]
          base = "site/"
          command = "npm run build"
          publish = "dist"
          ignore = "git diff --quiet HEAD^ HEAD ."
          functions = "netlify/functions"
        [build.environment]
          NODE_VERSION = "22"
          API = "x"
          LIMIT = 5
          PATH = "/opt"
        [[redirects]]
          from = "/old/*"
          to = "/new/:splat"
        [[redirects]]
          from = "/*"
          to = "/index.html"
          status = 200
        [[redirects]]
          from = "/de"
          to = "/german"
          conditions = { Language = ["de"] }
        [[headers]]
          for = "/*"
          [headers.values]
            X-Frame-Options = "DENY"
        [context.production]
          command = "npm run prod"
        [[plugins]]
          package = "x"
      `,
    });
    expect(found.configuration).toEqual({
      rootDirectory: 'site',
      buildCommand: 'npm run build',
      outputDirectory: 'dist',
      ignoreCommand: 'git diff --quiet HEAD^ HEAD .',
      nodeVersion: '22',
      env: { API: 'x', LIMIT: '5' },
      spa: true,
      redirects: [{ source: '/old/*', destination: '/new/:splat', statusCode: 301 }],
      headers: [{ source: '/*', headers: { 'X-Frame-Options': 'DENY' } }],
    });
    expect(leftOut(found)).toEqual([
      expect.stringContaining('[build] functions: functions need a server'),
      expect.stringContaining('environment.PATH: it is reserved'),
      expect.stringContaining('[redirects] 3: /de -> /german 301 depends on conditions'),
      expect.stringContaining('[context]: there are no settings for one branch'),
      expect.stringContaining('[plugins]: build plugins'),
    ]);
  });

  test.each([
    ['netlify.toml', '[build]\nignore = "git diff --quiet $CACHED_COMMIT_REF $COMMIT_REF ./"'],
    ['vercel.json', '{ "ignoreCommand": "[ \\"$VERCEL_ENV\\" != production ]" }'],
  ])(
    '%s: an ignore command that uses what only its own builds have would ignore every build',
    (file, text) => {
      const found = from({ [file]: text });
      expect(found.configuration).toEqual({});
      expect(leftOut(found)).toEqual([expect.stringContaining('it uses variables of')]);
    },
  );

  test('_redirects and _headers, which come first', () => {
    const found = from({
      'public/_redirects': [
        '# comment',
        '/a  /b',
        '/c  https://example.com/c 302! # forced',
        '/search q=:q /find/:q 301',
        '/us /us-site 302 Country=us',
        '/api/* https://api.example.com/:splat 200',
        '/*  /404.html 404',
        '/nowhere',
      ].join('\n'),
      _headers: '/*\n  X-A: 1\n  X-A: 2\n  # no\n/secret\n  Basic-Auth: a:b\n  nonsense\n',
      'netlify.toml': '[[redirects]]\nfrom = "/z"\nto = "/y"\nstatus = 308\n',
    });
    expect(found.configuration).toEqual({
      notFound: '404.html',
      redirects: [
        { source: '/a', destination: '/b', statusCode: 301 },
        { source: '/c', destination: 'https://example.com/c', statusCode: 302 },
        { source: '/z', destination: '/y', permanent: true },
      ],
      headers: [{ source: '/*', headers: { 'X-A': '1, 2' } }],
    });
    expect(leftOut(found)).toHaveLength(6);
    expect(leftOut(found).join('\n')).toMatch(/_headers:7: "nonsense" is no header/);
  });

  test('what sphere.json does not take is left out with its reason, and the rest stays', () => {
    const found = from({ _headers: '/*\n  X-A: 1\n/b\n  X_B: 2\n' });
    expect(found.configuration.headers).toHaveLength(1);
    expect(leftOut(found)).toEqual([expect.stringContaining('is not a header name')]);
  });
});

test.each([
  ['vercel.json', '{\n  "cleanUrls": tru\n}', /^vercel\.json:2:16 is not JSON: .*[^.]\.$/],
  ['vercel.json', '\uFEFF{ "a" }', /^vercel\.json:1:7 is not JSON: colon expected\.$/],
  ['vercel.json', '[]', /^vercel\.json is not a JSON object\.$/],
  ['netlify.toml', 'a = 1\n[build\nb=2', /^netlify\.toml:2:7 is not TOML: illegal character in key\.$/],
])('where %s cannot be read is said by line and column: %j', (name, text, message) => {
  expect(() => from({ [name]: text })).toThrow(
    expect.objectContaining({ code: 'CONFIGURATION_INVALID', message: expect.stringMatching(message) }),
  );
});

test('the command says line by line what carries over, and writes the file once', async () => {
  const cli = await bundleCli();
  try {
    const cwd = tree({ 'vercel.json': '{"cleanUrls":true,"functions":{}}' });
    const printed = await startCli(cli.file, ['import', '--print'], { cwd }).ended;
    expect(printed).toMatchObject({ exitCode: 0, stdout: '{\n  "cleanUrls": true\n}\n' });
    expect(printed.stderr).toMatch(/^taken {2}vercel\.json cleanUrls {2}"cleanUrls"$/m);
    expect(printed.stderr).toMatch(/^left out {2}vercel\.json functions {2}functions need a server/m);
    expect((await startCli(cli.file, ['import'], { cwd }).ended).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(join(cwd, 'sphere.json'), 'utf8'))).toEqual({ cleanUrls: true });
    expect((await startCli(cli.file, ['import'], { cwd }).ended).exitCode).toBe(4);
    const wrong = await startCli(cli.file, ['import'], { cwd: tree({ 'netlify.toml': '[build' }) }).ended;
    expect(wrong).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/netlify\.toml:1:2 is not TOML: .*[^.]\.$/m),
    });
    const none = await startCli(cli.file, ['import'], { cwd: tree({}) }).ended;
    expect(none).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('sphere init') });
  } finally {
    cli.remove();
  }
});
