/** What the file system does not allow is said as such: what was tried, why not, and what to do. It is no bug of Sphere. */
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pullIntoFile } from '../../cli/environment-pull.ts';
import { fileError } from '../../files/file-error.ts';
import { dataDirectoryProblem, makeDirectory } from '../../files/make-directory.ts';
import { type Tree, tree } from '../files/tree.ts';
import { bundleCli, startCli } from './cli-process.ts';
import { openScriptedPlane } from './scripted-plane.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
beforeAll(async () => {
  cli = await bundleCli();
});
afterAll(() => cli.remove());

const site = { 'index.html': '<h1>Hello</h1>', 'package.json': '{"name":"my-app"}' };
/** Root may do everything: these tests are run as somebody else. */
const nobody = 65_534;

/** A directory that everybody may enter and read, and only its owner change. */
function readable(files: Tree): string {
  const directory = tree(files);
  chmodSync(directory, 0o755);
  return directory;
}

function sphere(args: string, cwd: string, env: Record<string, string> = {}) {
  return startCli(cli.file, args.split(' '), { cwd, env, user: nobody }).ended;
}

describe('without the permission, exit code 2 and no bug report:', () => {
  test('a file that is to be deployed', async () => {
    const cwd = readable({ ...site, 'secret.txt': 'x' });
    chmodSync(join(cwd, 'secret.txt'), 0o600);
    const { exitCode, stderr } = await sphere('deploy --dry-run', cwd);
    expect(stderr).toContain(`${cwd}/secret.txt cannot be read: permission is denied.`);
    expect(stderr).toContain('.sphereignore');
    expect(exitCode).toBe(2);
  });

  test('a directory that is to be deployed', async () => {
    const cwd = readable({ ...site, 'private/a.txt': 'x' });
    chmodSync(join(cwd, 'private'), 0o700);
    const { exitCode, stderr } = await sphere('deploy --dry-run', cwd);
    expect(stderr).toContain(`${cwd}/private cannot be read: permission is denied.`);
    expect(exitCode).toBe(2);
  });

  test.each([
    ['deploy inner/site --dry-run', '/inner/site cannot be entered: permission is denied.'],
    ['deploy inner --dry-run', '/inner/sphere.json cannot be read: permission is denied.'],
    ['-C inner/site deploy --dry-run', '/inner/site cannot be entered: permission is denied.'],
    ['-C inner deploy --dry-run', '/inner/sphere.json cannot be read: permission is denied.'],
  ])('%s', async (args, text) => {
    const cwd = readable({ 'inner/site/index.html': '<p>' });
    chmodSync(join(cwd, 'inner'), 0o700);
    const { exitCode, stderr } = await sphere(args, cwd);
    expect(stderr).toContain(`${cwd}${text}`);
    expect(exitCode).toBe(2);
  });

  test.each([
    ['init', 'sphere.json cannot be written: permission is denied.'],
    ['link my-app', 'cannot be written: permission is denied'],
  ])('%s in a directory of somebody else', async (args, text) => {
    const plane = await openScriptedPlane();
    const { exitCode, stderr } = await sphere(args, readable(site), plane.environment);
    expect(stderr).toContain(text);
    expect(exitCode).toBe(2);
  });
});

test.each([
  ['no-such-directory/.env', 'no-such-directory/.env cannot be written: its directory is not there.'],
  ['index.html/.env', 'index.html/.env cannot be read: a part of the path is a file, not a directory.'],
])('env pull into %s', async (file, message) => {
  const value = {
    name: 'A',
    scope: 'live',
    sensitive: false,
    value: 'b',
    updatedAt: '2026-03-01T00:00:00Z',
  } as const;
  const pulled = { project: 'my-app', scope: 'live', values: [value] } as const;
  const context = { directory: tree(site) } as Parameters<typeof pullIntoFile>[0];
  await expect(pullIntoFile(context, file, pulled)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(message),
  });
});

describe('the data directory', () => {
  test.each([
    ['is a file', (cwd: string) => join(cwd, 'index.html'), /is a file, not a directory/],
    [
      'is below a file',
      (cwd: string) => join(cwd, 'index.html', 'home'),
      /a part of the path is a file, not a directory/,
    ],
    ['cannot be made', (cwd: string) => join(cwd, 'home'), /permission is denied/],
    ['belongs to somebody else', (cwd: string) => join(cwd, 'theirs'), /permission is denied/],
  ])('that %s: deploy and doctor say so', async (_what, homeIn, reason) => {
    const cwd = readable({ ...site, 'theirs/plane.json': '{}' });
    const home = homeIn(cwd);
    const env = { SPHERE_HOME: home };
    const { exitCode, stderr } = await sphere('deploy --local', cwd, env);
    expect(stderr).toMatch(reason);
    expect(stderr).toContain(`The data directory ${home} cannot be used`);
    expect(stderr).toContain('Set SPHERE_HOME');
    expect(exitCode).toBe(2);
    const doctor = await sphere('doctor', cwd, env);
    expect(doctor.stdout).toMatch(reason);
    expect(doctor.exitCode).toBe(1);
  });

  test('that cannot be read is not said to be no plane', async () => {
    const cwd = readable({ ...site, 'theirs/plane.json': '{}' });
    chmodSync(join(cwd, 'theirs'), 0o700);
    const { exitCode, stderr } = await sphere('ls', cwd, { SPHERE_HOME: join(cwd, 'theirs') });
    expect(stderr).toContain(`The data directory ${cwd}/theirs cannot be read: permission is denied.`);
    expect(exitCode).toBe(2);
  });

  test.runIf(existsSync('/proc/self'))('where nothing can be made is refused at once', async () => {
    const run = startCli(cli.file, ['deploy', '--local'], {
      cwd: tree(site),
      env: { SPHERE_HOME: '/proc/x' },
    });
    const ended = await Promise.race([run.ended, sleep(20_000, null, { ref: false })]);
    if (ended === null) run.child.kill('SIGKILL');
    expect(ended?.stderr).toContain(
      'The data directory /proc/x cannot be used: no directory can be made there',
    );
    expect(ended?.exitCode).toBe(2);
  });

  test('that is usable, or can be made, has no problem, and is not made by looking', () => {
    const directory = tree({});
    expect(dataDirectoryProblem(directory)).toBeNull();
    expect(dataDirectoryProblem(join(directory, 'a', 'b'))).toBeNull();
    expect(readdirSync(directory)).toEqual([]);
  });
});

test('a directory is made with those above it, and again', () => {
  const directory = join(tree({}), 'a', 'b', 'c');
  makeDirectory(directory);
  makeDirectory(directory);
  expect(existsSync(directory)).toBe(true);
});

describe('an error of the file system', () => {
  const raised = (fields: object) => Object.assign(new Error('raw'), fields);

  test.each([
    [
      { code: 'ENOSPC', syscall: 'write' },
      { code: 'DISK_FULL', message: 'A file cannot be written: no space is left.' },
    ],
    [
      { code: 'EMFILE', syscall: 'open', path: '/a' },
      { code: 'INFRASTRUCTURE', message: '/a cannot be opened: too many files are open.' },
    ],
    [
      { code: 'ENOENT', syscall: 'rename', path: '/a' },
      { code: 'USAGE', message: '/a cannot be renamed: it is not there.' },
    ],
  ])('%j', (fields, expected) => {
    expect(fileError(raised(fields))).toMatchObject(expected);
  });

  test.each([
    ['of a connection', { code: 'EACCES', syscall: 'listen' }],
    ['of a program that is not there', { code: 'ENOENT', syscall: 'spawn git', path: 'git' }],
    ['that nobody expects', { code: 'EBADF', syscall: 'read', path: '/a' }],
  ])('%s is none', (_what, fields) => {
    expect(fileError(raised(fields))).toBeNull();
  });
});
