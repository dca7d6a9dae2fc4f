/** Every command without anybody to answer it: stdin closed, no terminal, CI. It ends by itself and says what is missing. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../cli/command-list.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import { exitCodes } from '../../contract/errors.ts';
import { built, project } from './projects.ts';
import { type Ended, openSphere } from './sphere.ts';

const withPlane = openSphere();
const fresh = openSphere();
afterAll(() => Promise.all([withPlane.close(), fresh.close()]));

const CI = { CI: '1' };
const known = new Set<number | null>(Object.values(exitCodes));

/** What is not about the project of the directory, and how it ends where a plane runs on this machine. */
const others: Record<string, number> = {
  rm: 2,
  import: 1,
  'rm my-site': 4,
  token: 2,
  env: 2,
  trust: 2,
  audit: 2,
  'token create': 4,
  'token ls --account acme': 2,
  'server check': 2,
  login: 4,
  completion: 2,
};

/** Those that are about no project. */
const withoutProject = [
  'init',
  'ls',
  'prune',
  'server status',
  'logout',
  'whoami',
  'unlink',
  'status',
  'regions',
  'doctor',
];

/** The other commands' names in words, but the one that is meant to stay. */
const all = [
  ...commands.map(({ name }) => name).filter((name) => name !== 'server' && !(name in others)),
  'server status',
  'server stop',
];

function endsAsItShould({ code, stdout, stderr, ms }: Ended): void {
  expect(known).toContain(code);
  expect(ms).toBeLessThan(10_000);
  expect(stderr).not.toContain('bug in Sphere');
  if (code === exitCodes.inputNeeded) expect(stderr).toMatch(/--[a-z]+/);
  if (code !== exitCodes.done) expect(stdout).toBe('');
}

describe('where no plane has been chosen', () => {
  test.each([...all, ...Object.keys(others)])('%s ends by itself', async (name) => {
    const cwd = project(fresh, 'my-site', built(`site({ 'index.html': 'x' });`));
    endsAsItShould(await fresh.run(name.split(' '), { cwd, environment: CI }));
  });

  test.each(['deploy', 'ls', 'logs'])('%s names both ways to choose one', async (name) => {
    const cwd = project(fresh, 'my-site', built(`site({ 'index.html': 'x' });`));
    const { code, stdout, stderr } = await fresh.run([name], { cwd, environment: CI });
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain('--local');
    expect(stderr).toContain('SPHERE_URL');
    expect(stderr).toContain('SPHERE_TOKEN');
  });

  test('deploy does not take --yes for a choice in CI, and starts nothing', async () => {
    const cwd = project(fresh, 'my-site', built(`site({ 'index.html': 'x' });`));
    const { code, stdout } = await fresh.run(['deploy', '--yes', '--json'], { cwd, environment: CI });
    expect(code).toBe(4);
    expect((JSON.parse(stdout) as { error: ErrorBody }).error.code).toBe('PLANE_NOT_CHOSEN');
  });
});

describe('where a plane runs', () => {
  beforeAll(async () => {
    const cwd = project(withPlane, 'my-site', built(`site({ 'index.html': 'x' });`));
    const { code, stderr } = await withPlane.run(['deploy', '--local'], { cwd });
    if (code !== 0) throw new Error(stderr);
  });

  test.each(all.filter((name) => name !== 'server stop'))(
    '%s of a deployed project does its work',
    async (name) => {
      const cwd = project(withPlane, 'my-site', {});
      const ended = await withPlane.run(name.split(' '), { cwd, environment: CI });
      endsAsItShould(ended);
      expect(ended.code).toBe({ cancel: 1, init: 4, promote: 4 }[name] ?? 0);
    },
  );

  test.each(all.filter((name) => name !== 'server stop'))(
    '%s where no name can be derived ends by itself, and says that --slug gives one if it needs one',
    async (name) => {
      const cwd = join(withPlane.root, '_');
      mkdirSync(cwd, { recursive: true });
      const ended = await withPlane.run(name.split(' '), { cwd, environment: CI });
      endsAsItShould(ended);
      const needsNone = withoutProject.includes(name);
      expect(ended.code).toBe(needsNone ? 0 : 4);
      if (!needsNone) expect(ended.stderr).toContain('--slug');
    },
  );

  test.each(Object.entries(others))('%s ends with exit code %i', async (name, code) => {
    const cwd = project(withPlane, 'my-site', {});
    const ended = await withPlane.run(name.split(' '), { cwd, environment: CI });
    endsAsItShould(ended);
    expect(ended.code).toBe(code);
  });

  test('init leaves a sphere.json that is there, and names --yes', async () => {
    const cwd = project(withPlane, 'has-one', { 'sphere.json': '{}' });
    const { code, stderr } = await withPlane.run(['init'], { cwd, environment: CI });
    expect(code).toBe(4);
    expect(stderr).toContain('--yes');
  });

  test.each([
    [['depoly'], 'deploy'],
    [['deploy', '--oputput', 'x'], '--output'],
    [['deploy', '--repo', 'ext::sh -c true'], 'ext'],
    [['inspect', 'dpl_unknown'], 'dpl_unknown'],
  ])('%j is an error that says %s', async (args, word) => {
    const ended = await withPlane.run(args, { environment: CI });
    endsAsItShould(ended);
    expect([exitCodes.usage, exitCodes.failure]).toContain(ended.code);
    expect(ended.stderr).toContain(word);
  });

  test('a slug that another directory deploys to is not taken over', async () => {
    const cwd = project(withPlane, 'elsewhere/my-site', built(`site({ 'index.html': 'y' });`));
    const { code, stderr } = await withPlane.run(['deploy', '--local'], { cwd, environment: CI });
    expect(code).toBe(4);
    expect(stderr).toContain('--slug');
  });
});
