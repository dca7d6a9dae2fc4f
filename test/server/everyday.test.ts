/** What the everyday commands ask of the plane: whose token it is, regions, filtered history, redeploy, rollback's plan. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type {
  CreateDeployment,
  CreateDeploymentAnswer,
  DeploymentList,
  ProjectList,
  RegionList,
  RollbackPlan,
  WhoAmI,
} from '../../contract/api.ts';
import { version } from '../../contract/version.ts';
import { describeRegions } from '../../server/regions.ts';
import { changesOf } from '../../server/rollback-plan.ts';
import { startPlane, type TestPlane } from './plane.ts';

let plane: TestPlane;
beforeAll(async () => {
  plane = await startPlane();
}, 30_000);
afterAll(() => plane.remove());

/** Deploys `files` and waits for the end. */
async function deploy(files: Record<string, string>, change: Partial<CreateDeployment> = {}) {
  const { deployment } = await plane.create({ force: true, ...change });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  await builder.finish(files);
  return (await plane.ended(deployment.id)).deployment;
}

async function fail(change: Partial<CreateDeployment>) {
  const { deployment } = await plane.create(change);
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  await builder.fail();
  return (await plane.ended(deployment.id)).deployment;
}

const get = async <T>(path: string) => (await plane.call<T>('GET', path)).body;

test('the token of a plane on one machine is that machine’s, and the admin’s', async () => {
  expect(await get<WhoAmI>('/v1/whoami')).toEqual({
    version,
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    account: 'this machine',
    admin: true,
    token: null,
  });
  expect((await plane.call('GET', '/v1/whoami', undefined, 'sph_wrong')).status).toBe(401);
});

test('regions have the names of the AWS console, and where S3 answers', async () => {
  expect(await get<RegionList>('/v1/regions')).toEqual({
    regions: [{ region: 'local', name: 'this machine', host: null }],
  });
  expect(describeRegions(['eu-central-1', 'cn-north-1', 'garage'])).toEqual([
    { region: 'eu-central-1', name: 'Europe (Frankfurt)', host: 's3.eu-central-1.amazonaws.com' },
    { region: 'cn-north-1', name: 'China (Beijing)', host: 's3.cn-north-1.amazonaws.com.cn' },
    { region: 'garage', name: 'garage', host: null },
  ]);
});

describe('the history', () => {
  const commit = (digit: string) => digit.repeat(40);
  const git = (digit: string, names: { ref?: string; branch?: string }): CreateDeployment['source'] => ({
    kind: 'git',
    repository: 'https://example.com/site.git',
    commit: commit(digit),
    ...names,
  });
  const at = { project: 'history', origin: 'history' };
  let ids: Record<'main' | 'ref' | 'upload' | 'failed', string>;
  beforeAll(async () => {
    const main = await deploy({ 'index.html': '1' }, { ...at, source: git('1', { branch: 'main' }) });
    const ref = await deploy({ 'index.html': '2' }, { ...at, source: git('2', { ref: 'feature' }) });
    const upload = await deploy(
      { 'index.html': '3' },
      {
        ...at,
        source: {
          kind: 'git',
          repository: 'https://example.com/site.git',
          commit: commit('3'),
          branch: 'feature',
          ref: 'refs/heads/feature',
        },
      },
    );
    const failed = await fail({ ...at, source: git('4', { branch: 'main' }) });
    ids = { main: main.id, ref: ref.id, upload: upload.id, failed: failed.id };
  }, 60_000);

  const listed = async (query: string) =>
    (await get<DeploymentList>(`/v1/deployments?project=history&${query}`)).deployments.map(({ id }) => id);

  test('is filtered by branch: the one that was resolved, else the ref that was asked for', async () => {
    expect(await listed('branch=main')).toEqual([ids.failed, ids.main]);
    expect(await listed('branch=feature')).toEqual([ids.upload, ids.ref]);
    expect(await listed('branch=nope')).toEqual([]);
  });

  test('is filtered by one status or several', async () => {
    expect(await listed('status=error')).toEqual([ids.failed]);
    expect(await listed('status=ready,error&branch=main')).toEqual([ids.failed, ids.main]);
    const refusal = await plane.refusal('GET', '/v1/deployments?status=done');
    expect(refusal).toMatchObject({ code: 'REQUEST_INVALID', hint: expect.stringContaining('queued') });
  });

  test('goes on page by page under a filter', async () => {
    const first = await get<DeploymentList>('/v1/deployments?project=history&status=ready&limit=2');
    expect(first.deployments.map(({ id }) => id)).toEqual([ids.upload, ids.ref]);
    const second = await get<DeploymentList>(
      `/v1/deployments?project=history&status=ready&limit=2&before=${first.next}`,
    );
    expect(second.deployments.map(({ id }) => id)).toEqual([ids.main]);
    expect(second.next).toBeNull();
  });

  test('of projects comes whole, or in pages', async () => {
    await fail({ project: 'another', origin: 'another' });
    const all = await get<ProjectList>('/v1/projects');
    expect(all.next).toBeNull();
    const first = await get<ProjectList>('/v1/projects?limit=1');
    const second = await get<ProjectList>(`/v1/projects?limit=1&after=${first.next}`);
    expect([...first.projects, ...second.projects].map(({ slug }) => slug)).toEqual(
      all.projects.slice(0, 2).map(({ slug }) => slug),
    );
  });
});

describe('redeploy', () => {
  test('builds the same source with the same settings again, even where it is live', async () => {
    const at = { project: 'again', origin: 'again' };
    const first = await deploy({ 'index.html': 'x' }, { ...at, build: { buildCommand: 'make site' } });
    const path = `/v1/deployments/${first.id}/redeploy`;
    const headers = { 'idempotency-key': 'again-1' };
    const send = () =>
      plane.call<CreateDeploymentAnswer>('POST', path, { noCache: false }, undefined, headers);
    const [made, repeated] = [await send(), await send()];
    expect(made).toMatchObject({ status: 201, body: { outcome: 'created' } });
    expect(repeated.body.deployment.id).toBe(made.body.deployment.id);
    const { id, source, project } = made.body.deployment;
    expect({ source, project }).toEqual({ source: first.source, project: 'again' });
    await plane.runner.whenStarted(id);
    const { body: spec } = await plane.builder(id).register();
    expect(spec).toMatchObject({ build: { buildCommand: 'make site' } });
  });

  test('of an output that was built elsewhere names what does the same', async () => {
    const { deployment } = await plane.create({
      project: 'elsewhere',
      origin: 'elsewhere',
      source: { kind: 'prebuilt', digest: 'a'.repeat(64) },
    });
    const refusal = await plane.refusal('POST', `/v1/deployments/${deployment.id}/redeploy`, {
      noCache: false,
    });
    expect(refusal).toMatchObject({
      code: 'SOURCE_UNAVAILABLE',
      hint: expect.stringContaining(`sphere rollback ${deployment.id}`),
    });
  });
});

describe('the plan of a rollback', () => {
  test('names from, to and what changes, and changes nothing', async () => {
    const at = { project: 'planned', origin: 'planned' };
    const old = await deploy({ 'index.html': 'old', 'same.txt': '=', 'gone.txt': 'x' }, at);
    const live = await deploy({ 'index.html': 'new', 'same.txt': '=', 'a/new.txt': 'y' }, at);
    const plan = await get<RollbackPlan>('/v1/projects/planned/rollback');
    expect(plan).toMatchObject({
      deployment: { id: old.id },
      previous: { id: live.id },
      figures: { added: 1, changed: 1, removed: 1, same: 1 },
      paths: { added: ['gone.txt'], changed: ['index.html'], removed: ['a/new.txt'] },
    });
    expect((await plane.deployment(live.id)).live).toBe(true);
    expect(await plane.refusal('GET', `/v1/projects/planned/rollback?deployment=${live.id}`)).toMatchObject({
      code: 'NOTHING_TO_ROLL_BACK',
    });
  });

  test('names twenty paths of a kind at most, and counts all', () => {
    const files = Object.fromEntries(
      Array.from({ length: 30 }, (_, index) => [
        `f${index}.txt`,
        { blob: String(index).padStart(64, '0'), bytes: 1 },
      ]),
    );
    const { figures, paths } = changesOf(null, { version: 1, files, serving: {} });
    expect(figures).toEqual({ added: 30, changed: 0, removed: 0, same: 0 });
    expect(paths.added).toHaveLength(20);
  });
});
