/** Signing in to a hosted plane, with the real program and real replicas on PostgreSQL. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { tree } from '../files/tree.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from '../server/replicas.ts';
import { bundleCli, startCli } from './cli-process.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
let postgres: Postgres;
let plane: Replicas;
let closeDatabase: () => Promise<void>;
let url = '';
let acme = '';

beforeAll(async () => {
  [cli, postgres] = await Promise.all([bundleCli(), startPostgres()]);
  const database = await openPostgresDatabase({
    url: await postgres.createDatabase(),
    connections: 10,
    report: () => {},
  });
  closeDatabase = () => database.close();
  plane = await startReplicas(database, { replicas: 1 });
  url = plane.running[0]?.url ?? '';
  acme = await plane.account('acme');
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await closeDatabase();
  await postgres.stop();
  cli.remove();
}, 60_000);

let cwd = '';
let settings = '';
beforeEach(() => {
  cwd = tree({ 'package.json': '{"name":"my-app"}' });
  settings = tree({});
});
const file = () => join(settings, 'sphere', 'credentials.json');
const kept = () => JSON.parse(readFileSync(file(), 'utf8'));
const sphere = (args: string, options: { env?: Record<string, string>; input?: string } = {}) =>
  startCli(cli.file, args.split(' '), {
    cwd,
    env: { XDG_CONFIG_HOME: settings, ...options.env },
    ...(options.input === undefined ? {} : { input: options.input }),
  }).ended;

describe('sphere login', () => {
  test('checks a token that is piped in, keeps it for nobody else to read, and uses it from then on', async () => {
    const { exitCode, stdout, stderr } = await sphere(`login --url ${url}`, { input: `${acme}\n` });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'acme\n' });
    expect(stderr).toContain(`Signed in to ${url} as acme (token "test", does not expire)`);
    expect(stderr).not.toContain(acme);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(statSync(join(settings, 'sphere')).mode & 0o777).toBe(0o700);
    expect(kept()).toMatchObject({ current: url, planes: { [url]: { token: acme, account: 'acme' } } });
    expect(await sphere('ls')).toMatchObject({ exitCode: 0, stdout: '' });
    expect(await sphere('whoami')).toMatchObject({
      stdout: 'acme\n',
      stderr: expect.stringContaining(`at ${url} (sphere login)`),
    });
  });

  test('keeps nothing that the plane does not know', async () => {
    const { exitCode, stdout, stderr } = await sphere(`login --url ${url}`, { input: 'sph_wrong' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
    expect(stderr).toMatch(/does not know this token[\s\S]*sphere token create/);
    expect(() => statSync(file())).toThrow();
  });

  test.each<[string, number, string, { input?: string; env?: Record<string, string> }]>([
    ['login', 4, '--url', {}],
    ['login --url URL', 4, '--token', {}],
    ['login --url URL', 4, '--token', { input: '\n' }],
    ['login --url URL', 2, 'characters', { input: 'two words' }],
    ['login --url nowhere.invalid', 6, 'nowhere.invalid', { input: 'sph_1' }],
    ['login --url http://[', 2, '--url', { input: 'sph_1' }],
  ])('%s: exit code %i, and says %s', async (args, code, says, options) => {
    const { exitCode, stdout, stderr } = await sphere(args.replace('URL', url), options);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
    expect(stderr).toContain(says);
  });

  test('goes back to a plane with the token that is kept, without asking for it', async () => {
    await sphere(`login --url ${url}`, { input: acme });
    const { exitCode, stderr } = await sphere(`login --url ${url}/`);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 0,
      stderr: expect.stringContaining('with the token that was kept'),
    });
  });

  test('takes a new token in place of the one that is kept', async () => {
    await sphere(`login --url ${url}`, { input: acme });
    const env = { SPHERE_URL: url, SPHERE_TOKEN: plane.adminToken };
    const { stdout: fresh } = await sphere('token create --account acme --name fresh', { env });
    expect((await sphere(`login --url ${url}`, { input: fresh })).stderr).toContain('token "fresh"');
    expect(kept().planes[url].token).toBe(fresh.trim());
  });

  test('takes the admin’s token, for `sphere token`', async () => {
    await sphere(`login --url ${url} --token ${plane.adminToken}`);
    expect(await sphere('token ls --account acme')).toMatchObject({ exitCode: 0 });
    const refused = await sphere('ls');
    expect(refused).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('sphere token create') });
  });
});

test('a token that was removed is said so, with the command that helps', async () => {
  await sphere(`login --url ${url} --token ${plane.adminToken}`);
  const made = JSON.parse(
    (await sphere('token create --account acme --name short --expires 30 --json')).stdout,
  );
  const signedIn = await sphere(`login --url ${url} --token ${made.token}`);
  expect(signedIn.stderr).toContain(`token "short", expires on ${made.expiresAt.slice(0, 10)}`);
  const admin = { SPHERE_URL: url, SPHERE_TOKEN: plane.adminToken };
  await sphere(`token rm ${made.id} --account acme`, { env: admin });
  // A token that was removed is believed for a second more.
  const deadline = Date.now() + 5_000;
  let ended = await sphere('ls');
  while (ended.exitCode === 0 && Date.now() < deadline) ended = await sphere('ls');
  expect(ended).toMatchObject({ exitCode: 3, stdout: '' });
  expect(ended.stderr).toContain(`Sign in again: \`sphere login --url ${url}\``);
  const flag = await sphere('ls --token sph_wrong', { env: admin });
  expect(flag).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('refuses the token of --token'),
  });
});

describe('sphere logout', () => {
  test('forgets the token, and says what goes on', async () => {
    await sphere(`login --url ${url}`, { input: acme });
    const out = await sphere('logout', { env: { SPHERE_TOKEN: 'x' } });
    expect(out).toMatchObject({ exitCode: 0, stdout: `${url}\n` });
    expect(out.stderr).toContain('SPHERE_TOKEN is set');
    expect(kept()).toEqual({ version: 1, current: null, planes: {} });
    expect(await sphere('whoami')).toMatchObject({ exitCode: 4 });
    expect(await sphere('logout')).toMatchObject({ exitCode: 0, stdout: '' });
  });
});

describe('a linked directory', () => {
  test('goes to its plane and project, and says so before there is one', async () => {
    await sphere(`login --url ${url}`, { input: acme });
    const linked = await sphere('link shop');
    expect(linked).toMatchObject({ exitCode: 0, stdout: 'shop\n' });
    expect(linked.stderr).toContain('There is no such project yet');
    expect(readFileSync(join(cwd, '.sphere', '.gitignore'), 'utf8')).toBe('*\n');
    const status = await sphere('status');
    expect(status.stdout).toMatch(new RegExp(`^plane +${url} +\\.sphere/project\\.json$`, 'm'));
    expect(status.stdout).toMatch(/^slug +shop +\.sphere\/project\.json$/m);
    expect(status.stdout).toMatch(/^account +acme +sphere login$/m);

    await sphere('logout');
    const refused = await sphere('ls');
    expect(refused).toMatchObject({
      exitCode: 3,
      stderr: expect.stringContaining(`sphere login --url ${url}`),
    });
    const shown = await sphere('status');
    expect(shown).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('sphere login --url') });
    expect(await sphere('unlink')).toMatchObject({ exitCode: 0 });
    expect(() => statSync(join(cwd, '.sphere'))).toThrow();
  });

  test.each([
    ['link', 'my-app'],
    ['link --project other', 'other'],
  ])('%s links to %s', async (args, slug) => {
    await sphere(`login --url ${url}`, { input: acme });
    expect(await sphere(args)).toMatchObject({ exitCode: 0, stdout: `${slug}\n` });
  });

  test('is not linked to what is no slug', async () => {
    await sphere(`login --url ${url}`, { input: acme });
    const { exitCode, stderr } = await sphere('link My_App');
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('"my-app"') });
  });
});

test('regions are those of the plane, with the names that people know', async () => {
  const env = { SPHERE_URL: url, SPHERE_TOKEN: acme };
  const { stdout } = await sphere('regions', { env });
  expect(stdout).toMatch(
    /^REGION +PLACE\neu-central-1 +Europe \(Frankfurt\) +the default\nus-east-1 +US East/,
  );
});

test('doctor sees the plane, the token and the clock', async () => {
  const env = { SPHERE_URL: url, SPHERE_TOKEN: acme };
  const { exitCode, stdout } = await sphere('doctor', { env });
  expect(stdout).toMatch(/^ok +plane +http:\/\/127.*Sphere .* answered in \d+ ms$/m);
  expect(stdout).toMatch(/^ok +token +acme, "test" \(SPHERE_TOKEN\), does not expire$/m);
  expect(stdout).toMatch(/^ok +clock +agrees with the plane$/m);
  expect(exitCode).toBe(0);
  const wrong = await sphere('doctor', { env: { ...env, SPHERE_TOKEN: 'sph_wrong' } });
  expect(wrong.stdout).toMatch(/^FAIL {2}token +.*refuses SPHERE_TOKEN.*\n +-> Set SPHERE_TOKEN to/m);
  expect(wrong.exitCode).toBe(1);
});
