/** Environment values on a plane: who gets them, who never does, and what they change. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { CreateDeploymentAnswer } from '../../contract/api.ts';
import type { BuildSpec } from '../../contract/builder-api.ts';
import type { EnvironmentList, SetEnvironmentValueAnswer } from '../../contract/environment-api.ts';
import { type RouteName, routePath, routes } from '../../contract/routes.ts';
import { rotateEmbeddedKey } from '../../server/rotate-key.ts';
import { openDatabaseOf } from '../peers/embedded-database.ts';
import { startPlane, type TestPlane } from './plane.ts';

const secret = 'sk_live_4242/never+shown again';
const pages = { 'index.html': '<h1>one</h1>' };

let plane: TestPlane;
beforeAll(async () => {
  plane = await startPlane({ maxBuilds: 8 });
}, 30_000);
afterAll(() => plane.remove());

const source = (commit = 'a') => ({
  kind: 'git' as const,
  repository: 'https://example.com/site.git',
  commit: commit.repeat(40),
});

/** Deploys `project` to its end with a builder that is played here; returns its spec. */
async function deploy(project: string, change: Parameters<TestPlane['create']>[0] = {}) {
  const { deployment, outcome } = await plane.create({
    project,
    origin: project,
    source: source(),
    ...change,
  });
  if (outcome === 'already_live') return { deployment, outcome, environment: null };
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  const spec = (await builder.register()).body as BuildSpec;
  await builder.finish(pages);
  return {
    deployment: (await plane.ended(deployment.id)).deployment,
    outcome,
    environment: spec.environment,
  };
}

const at = (project: string, name = '') => `/v1/projects/${project}/env${name && `/${name}`}`;
const put = (project: string, name: string, value: unknown, more: object = {}) =>
  plane.call<SetEnvironmentValueAnswer>('PUT', at(project, name), {
    value,
    scopes: ['live'],
    sensitive: true,
    ...more,
  });
const list = async (project: string, query = '') =>
  (await plane.call<EnvironmentList>('GET', `${at(project)}${query}`)).body.values;

describe('a value', () => {
  test('is listed with its scope, a secret without what it is', async () => {
    await deploy('listed');
    const { body } = await put('listed', 'API_KEY', secret);
    expect(body).toMatchObject({
      name: 'API_KEY',
      scopes: [{ scope: 'live', replaced: false }],
      sensitive: true,
    });
    await put('listed', 'API_URL', 'https://api.example.com', {
      scopes: ['live', 'previews'],
      sensitive: false,
    });
    expect((await put('listed', 'API_KEY', `${secret}2`)).body.scopes).toEqual([
      { scope: 'live', replaced: true },
    ]);
    const updatedAt = expect.any(String);
    const url = { name: 'API_URL', sensitive: false, value: 'https://api.example.com', updatedAt };
    expect(await list('listed')).toEqual([
      { name: 'API_KEY', scope: 'live', sensitive: true, updatedAt },
      { ...url, scope: 'live' },
      { ...url, scope: 'previews' },
    ]);
    expect(await list('listed', '?scope=previews')).toEqual([{ ...url, scope: 'previews' }]);
    const removed = await plane.call('DELETE', `${at('listed', 'API_URL')}?scope=previews`);
    expect(removed.body).toEqual({ name: 'API_URL', scopes: ['previews'] });
    expect(await plane.refusal('DELETE', `${at('listed', 'API_URL')}?scope=previews`)).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('reaches the builds of its scope, below what one deployment is given and above its file', async () => {
    await deploy('scoped');
    await put('scoped', 'API_KEY', secret);
    await put('scoped', 'API_URL', 'for live', { sensitive: false });
    await put('scoped', 'API_URL', 'for previews', { sensitive: false, scopes: ['previews'] });
    await put('scoped', 'MODE', 'stored', { sensitive: false });
    const environment = { given: { MODE: 'given', ONCE: '1' }, file: { API_URL: 'file', THEME: 'dark' } };
    const live = await deploy('scoped', { environment });
    expect(live.environment).toEqual([
      { name: 'API_KEY', value: secret, sensitive: true, from: 'project' },
      { name: 'API_URL', value: 'for live', sensitive: false, from: 'project' },
      { name: 'MODE', value: 'given', sensitive: false, from: 'deployment' },
      { name: 'ONCE', value: '1', sensitive: false, from: 'deployment' },
      { name: 'THEME', value: 'dark', sensitive: false, from: 'file' },
    ]);
  });

  test('that a builder of the version before would ignore is not given to one', async () => {
    await deploy('older');
    await put('older', 'API_KEY', secret);
    const { deployment } = await plane.create({ project: 'older', origin: 'older' });
    await plane.runner.whenStarted(deployment.id);
    const answer = await plane
      .builder(deployment.id)
      .post(
        '/register',
        { contractVersion: 1, token: 'f'.repeat(64) },
        plane.bootstrapToken(deployment.id, 1),
      );
    expect(answer.body.error).toMatchObject({ code: 'VERSION_MISMATCH' });
    expect((await plane.ended(deployment.id)).deployment).toMatchObject({
      status: 'error',
      error: { code: 'VERSION_MISMATCH', hint: expect.stringContaining('publish-builder-image') },
    });
  });

  test.each([
    ['a name of Sphere’s', 'SPHERE_TARGET', 'x', {}],
    ['a name of the loader’s', 'LD_PRELOAD', 'x', {}],
    ['the PATH', 'PATH', 'x', {}],
    ['no name', '1ST', 'x', {}],
    ['a name of the language’s own', '__proto__', 'x', {}],
    ['NUL', 'NAME', 'a\0b', {}],
    ['too much', 'NAME', 'x'.repeat(64 * 1024 + 1), {}],
    ['a secret that goes into the pages', 'VITE_KEY', secret, {}],
    ['a number', 'NAME', 7, {}],
    ['no scope', 'NAME', 'x', { scopes: [] }],
    ['a scope twice', 'NAME', 'x', { scopes: ['live', 'live'] }],
    ['an unknown scope', 'NAME', 'x', { scopes: ['staging'] }],
  ])('is refused: %s', async (_, name, value, more) => {
    await deploy('refused');
    const answer = await put('refused', name, value, more);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'REQUEST_INVALID' } } });
    expect(JSON.stringify(answer)).not.toContain(secret);
    expect(await list('refused')).toEqual([]);
  });

  test('is taken where builds really set it: CI, NODE_OPTIONS, NPM_TOKEN, and an empty one', async () => {
    await deploy('taken');
    for (const name of ['CI', 'NODE_OPTIONS', 'NPM_TOKEN'])
      expect((await put('taken', name, 'x')).status).toBe(200);
    expect((await put('taken', 'EMPTY', '', { sensitive: false })).status).toBe(200);
  });

  test('beyond 500, or beyond what an environment holds, is refused and leaves the others', async () => {
    await deploy('full');
    const value = 'x'.repeat(60 * 1024);
    const statuses: number[] = [];
    for (let n = 0; n < 9; n++) statuses.push((await put('full', `LARGE_${n}`, value)).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 400]);
    expect(await list('full')).toHaveLength(8);
    await deploy('many');
    for (let n = 0; n < 500; n++) await put('many', `N_${n}`, 'x', { sensitive: false });
    expect((await put('many', 'ONE_MORE', 'x')).status).toBe(400);
    expect((await put('many', 'N_499', 'y', { sensitive: false })).status).toBe(200);
    expect((await put('many', 'ONE_MORE', 'x', { scopes: ['previews'] })).status).toBe(200);
  }, 60_000);

  test('goes with its project', async () => {
    await deploy('removed');
    await put('removed', 'API_KEY', secret);
    await plane.call('DELETE', '/v1/projects/removed');
    await deploy('removed');
    expect(await list('removed')).toEqual([]);
  });
});

describe('what is live already', () => {
  test('is built again after a change of its values, and not after none', async () => {
    const outcome = async (environment?: object) =>
      (await deploy('again', environment ? { environment } : {})).outcome;
    expect(await outcome()).toBe('created');
    expect(await outcome()).toBe('already_live');
    await put('again', 'API_KEY', secret);
    expect(await outcome()).toBe('created');
    await put('again', 'API_KEY', secret);
    await put('again', 'FOR_PREVIEWS', secret, { scopes: ['previews'] });
    expect(await outcome()).toBe('already_live');
    await put('again', 'API_KEY', `${secret}!`);
    expect(await outcome()).toBe('created');
    expect(await outcome({ given: { MODE: 'a' } })).toBe('created');
    expect(await outcome({ given: { MODE: 'a' } })).toBe('already_live');
    expect(await outcome({ given: { MODE: 'b' } })).toBe('created');
    await plane.call('DELETE', at('again', 'API_KEY'));
    expect(await outcome()).toBe('created');
  });
});

/** Every way in which `value` might stand in bytes. */
const traces = (value: string) => [
  value,
  JSON.stringify(value).slice(1, -1),
  Buffer.from(value).toString('base64').slice(0, -4),
  Buffer.from(value).toString('hex'),
];

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name));
}

test('a secret is in no answer of the API but the spec of its build, and in no file of the plane', async () => {
  const own = await startPlane();
  onTestFinished(() => own.remove());
  const { deployment } = await own.create({ project: 'quiet', gitToken: `${secret}-git` });
  await own.call('PUT', at('quiet', 'API_KEY'), {
    value: secret,
    scopes: ['live', 'previews'],
    sensitive: true,
  });
  await own.runner.whenStarted(deployment.id);
  const builder = own.builder(deployment.id);
  expect(JSON.stringify((await builder.register()).body)).toContain(secret);
  await builder.finish(pages);
  await own.ended(deployment.id);

  const parameters = {
    id: deployment.id,
    slug: 'quiet',
    name: 'API_KEY',
    account: 'x',
    deployment: deployment.id,
  };
  const answers: string[] = [];
  for (const name of Object.keys(routes) as RouteName[]) {
    if (name === 'stopPlane' || name === 'removeProject') continue;
    const { method } = routes[name];
    const path = routePath(name, { ...parameters, attempt: 1, digest: 'a'.repeat(64), blob: 'b'.repeat(64) });
    for (const token of [own.token, builder.token]) {
      const response = await fetch(`${own.url}${path}`, {
        method: method.toUpperCase(),
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(method === 'get' ? {} : { body: '{}' }),
      });
      answers.push(JSON.stringify([...response.headers]), await response.text());
    }
  }
  expect(answers.length).toBeGreaterThan(80);
  for (const trace of traces(secret)) for (const answer of answers) expect(answer).not.toContain(trace);
  expect(own.printed.join('\n')).not.toContain(secret);

  await own.stop();
  const files = filesBelow(own.home);
  expect(files.length).toBeGreaterThan(100);
  for (const file of files) {
    const content = readFileSync(file);
    for (const trace of traces(secret)) expect([file, content.includes(trace)]).toEqual([file, false]);
  }
});

test('a sealed value opens in its own place only: not elsewhere, not as plain, not with another key', async () => {
  const own = await startPlane();
  const { deployment } = await own.create({ project: 'moved' });
  await own.runner.whenStarted(deployment.id);
  await own.call('PUT', at('moved', 'API_KEY'), { value: secret, scopes: ['live'], sensitive: true });
  await own.stop();
  const database = await openDatabaseOf(own.home);
  const { query } = database;
  const row = await query.selectFrom('environment_values').selectAll().executeTakeFirstOrThrow();
  await query
    .insertInto('environment_values')
    .values([
      { ...row, scope: 'previews' },
      { ...row, name: 'RENAMED' },
    ])
    .execute();
  await query
    .updateTable('environment_values')
    .set({ sensitive: false })
    .where('name', '=', 'API_KEY')
    .execute();
  await database.close();

  const again = await startPlane({ home: own.home });
  onTestFinished(() => again.remove());
  const { body } = await again.call<EnvironmentList>('GET', at('moved'));
  expect(body.values.map(({ name, scope, value }) => [name, scope, value])).toEqual([
    ['API_KEY', 'live', undefined],
    ['API_KEY', 'previews', undefined],
    ['RENAMED', 'live', undefined],
  ]);
  // The next build says so at once, and can be mended.
  await again.call('POST', `/v1/deployments/${deployment.id}/cancel`);
  const next = await again.create({ project: 'moved' });
  const ended = await again.ended(next.deployment.id);
  expect(ended.deployment).toMatchObject({
    status: 'error',
    reason: 'configuration_invalid',
    error: { code: 'CONFIGURATION_INVALID', message: expect.stringMatching(/API_KEY|RENAMED/) },
  });
});

describe('the key of an embedded plane', () => {
  test('is changed while nothing is built: values open with the new one, and the old one is gone', async () => {
    const own = await startPlane();
    const { deployment } = await own.create({ project: 'kept', gitToken: 'git-token-1234' });
    await own.call('PUT', at('kept', 'API_KEY'), { value: secret, scopes: ['live'], sensitive: true });
    await own.call('PUT', at('kept', 'MODE'), { value: 'dark', scopes: ['live'], sensitive: false });
    await expect(rotateEmbeddedKey(own.home)).rejects.toMatchObject({ code: 'PLANE_BUSY' });
    await own.runner.whenStarted(deployment.id);
    await own.stop();
    await expect(rotateEmbeddedKey(own.home)).rejects.toMatchObject({ code: 'PLANE_BUSY' });

    const after = await startPlane({ home: own.home });
    await after.call('POST', `/v1/deployments/${deployment.id}/cancel`);
    await after.stop();
    const key = readFileSync(join(own.home, 'key'), 'utf8');
    expect(await rotateEmbeddedKey(own.home)).toEqual({ values: 2, tokens: 0, unreadable: [] });
    expect(readFileSync(join(own.home, 'key'), 'utf8')).not.toBe(key);
    expect(readdirSync(own.home).filter((name) => name.startsWith('key'))).toEqual(['key']);

    const last = await startPlane({ home: own.home });
    onTestFinished(() => last.remove());
    expect(last.token).not.toBe(own.token);
    const { body } = await last.call<EnvironmentList>('GET', at('kept'));
    expect(body.values.map(({ value }) => value)).toEqual([undefined, 'dark']);
    const next = await last.create({ project: 'kept' });
    await last.runner.whenStarted(next.deployment.id);
    const spec = (await last.builder(next.deployment.id).register()).body as BuildSpec;
    expect(spec.environment?.[0]).toMatchObject({ name: 'API_KEY', value: secret });
  });
});

describe('a repository address with credentials', () => {
  test('is refused before it is stored or shown, and is not repeated', async () => {
    const repository = 'https://user:hunter2secret@example.com/site.git';
    const created = await plane.call<CreateDeploymentAnswer>('POST', '/v1/deployments', {
      project: 'credentials',
      projectNamed: true,
      origin: 'x',
      source: { kind: 'git', repository, commit: 'a'.repeat(40) },
      build: {},
      force: false,
      noCache: false,
    });
    expect(created).toMatchObject({ status: 422, body: { error: { code: 'SOURCE_REFUSED' } } });
    expect(JSON.stringify(created)).not.toContain('hunter2secret');
    const byOrigin = await plane.call('POST', '/v1/deployments', {
      project: 'credentials',
      projectNamed: true,
      origin: repository,
      source: source(),
      build: {},
      force: false,
      noCache: false,
    });
    expect(byOrigin.status).toBe(400);
    expect(JSON.stringify(byOrigin)).not.toContain('hunter2secret');
    expect((await plane.call('GET', '/v1/projects/credentials')).status).toBe(404);
  });
});
