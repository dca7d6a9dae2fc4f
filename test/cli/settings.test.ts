/** Where every setting comes from: flag, environment, sphere.json, derived. */
import { describe, expect, test } from 'vitest';
import { type Environment, readEnvironment } from '../../cli/config.ts';
import { buildValues, resolveSettings, type SettingFlags } from '../../cli/settings.ts';
import type { Configuration } from '../../contract/configuration.ts';

type Given = {
  flags?: SettingFlags;
  variables?: Environment['variables'];
  file?: Configuration;
  packageName?: string | null;
  directoryName?: string;
};

function resolve({
  flags = {},
  variables = {},
  file = {},
  packageName = null,
  directoryName = 'folder',
}: Given) {
  return resolveSettings({ flags, variables, file, facts: { packageName, directoryName } });
}

describe('the slug comes from', () => {
  const everything: Given = {
    flags: { slug: 'by-flag' },
    variables: { SPHERE_PROJECT: 'by-env' },
    file: { slug: 'by-file' },
    packageName: '@me/by-package',
    directoryName: 'By Directory',
  };
  test.each<[string, Given, string, string, boolean]>([
    ['the flag', everything, 'by-flag', '--slug', true],
    ['the environment', { ...everything, flags: {} }, 'by-env', 'SPHERE_PROJECT', true],
    ['sphere.json', { ...everything, flags: {}, variables: {} }, 'by-file', 'sphere.json', true],
    [
      'package.json',
      { packageName: '@me/by-package', directoryName: 'd' },
      'by-package',
      'the name in package.json',
      false,
    ],
    ['the directory', { directoryName: 'By Directory' }, 'by-directory', "the directory's name", false],
    [
      'the repository that a flag names, not from the package that happens to be here',
      { flags: { repo: 'https://github.com/you/blog.git' }, packageName: 'other' },
      'blog',
      "the repository's name",
      false,
    ],
    [
      'package.json before the repository in sphere.json',
      { file: { repository: 'https://github.com/you/blog' }, packageName: 'site' },
      'site',
      'the name in package.json',
      false,
    ],
  ])('%s', (_what, given, value, from, named) => {
    const settings = resolve(given);
    expect(settings.slug).toEqual({ value, from });
    expect(settings.slugNamed).toBe(named);
  });

  test('nowhere, when no name holds a letter', () => {
    expect(resolve({ directoryName: '日本' }).slug).toBeNull();
  });
});

describe('build settings', () => {
  test('of flags go above those of the environment; those of sphere.json stay in the source', () => {
    const settings = resolve({
      flags: { install: 'pnpm i', build: false },
      variables: { SPHERE_INSTALL_COMMAND: 'npm ci', SPHERE_OUTPUT_DIRECTORY: 'out' },
      file: { buildCommand: 'make', outputDirectory: 'public', spa: true },
    });
    expect(settings.build).toEqual({
      installCommand: { value: 'pnpm i', from: '--install' },
      buildCommand: { value: null, from: '--no-build' },
      outputDirectory: { value: 'out', from: 'SPHERE_OUTPUT_DIRECTORY' },
    });
    expect(buildValues(settings.build)).toEqual({
      installCommand: 'pnpm i',
      buildCommand: null,
      outputDirectory: 'out',
    });
    expect(settings.fileBuild).toEqual({ buildCommand: 'make', outputDirectory: 'public' });
    expect(settings.serving).toEqual({ spa: true });
  });
});

describe('the source', () => {
  test('is the directory when nothing names a repository', () => {
    expect(resolve({}).repository).toBeNull();
  });

  test('is a repository of the flag before one of the environment before one of sphere.json', () => {
    const variables = { SPHERE_REPOSITORY: 'https://example.com/env' };
    const file = { repository: 'https://example.com/file', ref: 'main' };
    expect(resolve({ flags: { repo: 'https://example.com/flag' }, variables, file }).repository?.from).toBe(
      '--repo',
    );
    expect(resolve({ variables, file }).repository?.from).toBe('SPHERE_REPOSITORY');
    expect(resolve({ file })).toMatchObject({ repository: { from: 'sphere.json' }, ref: { value: 'main' } });
  });

  test('takes the ref of sphere.json only with the repository of sphere.json', () => {
    const file = { repository: 'https://example.com/file', ref: 'release' };
    expect(resolve({ flags: { repo: 'https://example.com/other' }, file }).ref).toBeNull();
  });

  test('is the built output with --prebuilt, whatever names a repository', () => {
    expect(
      resolve({ flags: { prebuilt: 'dist' }, file: { repository: 'https://example.com/x' } }).repository,
    ).toBeNull();
  });
});

describe('refused is', () => {
  test.each<[string, SettingFlags, RegExp]>([
    ['--prebuilt with a build setting', { prebuilt: 'dist', output: 'x' }, /--prebuilt .* --output/],
    ['--ref without a repository', { ref: 'main' }, /--ref .* no repository/],
    ['a slug that is none', { slug: 'No Slug' }, /--slug: "No Slug" is not a slug/],
  ])('%s', (_what, flags, message) => {
    expect(() => resolve({ flags })).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
    );
  });

  test('a reserved slug in the environment, as a matter of configuration', () => {
    expect(() => resolve({ variables: { SPHERE_PROJECT: 'api' } })).toThrow(
      expect.objectContaining({ code: 'CONFIGURATION_INVALID' }),
    );
  });
});

describe('the environment', () => {
  const read = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform = 'linux') =>
    readEnvironment(env, '/project', platform);

  test('says where the data is', () => {
    expect(read({ SPHERE_HOME: 'data' }).home).toBe('/project/data');
    expect(read({ XDG_DATA_HOME: '/xdg' }).home).toBe('/xdg/sphere');
    expect(read({}).home).toMatch(/\/\.local\/share\/sphere$/);
    expect(read({}, 'darwin').home).toMatch(/\/Library\/Application Support\/sphere$/);
  });

  test('treats an empty variable as unset', () => {
    expect(read({ SPHERE_PROJECT: '' }).variables).toEqual({});
  });

  test.each([
    [{ CI: 'true' }, true],
    [{ CI: '1' }, true],
    [{ TF_BUILD: 'True' }, true],
    [{ CI: 'false' }, false],
    [{}, false],
  ])('%j is a build service: %s', (env, ci) => {
    expect(read(env).ci).toBe(ci);
  });

  test.each([
    [{}, 'auto'],
    [{ NO_COLOR: '1' }, 'never'],
    [{ NO_COLOR: '', FORCE_COLOR: '1' }, 'always'],
    [{ FORCE_COLOR: '0' }, 'never'],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, 'never'],
    [{ TERM: 'dumb' }, 'never'],
  ])('%j colours: %s', (env, colour) => {
    expect(read(env).colour).toBe(colour);
  });

  test('passes no token and no choice of a plane on to child processes', () => {
    const env = {
      PATH: '/bin',
      SPHERE_TOKEN: 't',
      SPHERE_GIT_TOKEN: 'g',
      SPHERE_URL: 'u',
      SPHERE_MAX_BUILDS: '2',
    };
    expect(read(env).forChildren).toEqual({ PATH: '/bin', SPHERE_MAX_BUILDS: '2' });
  });
});
