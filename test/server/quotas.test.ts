/** What one account can have and hold at a time on a hosted plane, whoever else uses it. */
import { randomBytes } from 'node:crypto';
import { MemoryStore } from 'express-rate-limit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CreateDeploymentAnswer } from '../../contract/api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import { checkManifest } from '../../server/check-manifest.ts';
import type { Database } from '../../server/database/database.ts';
import { createOpenUses } from '../../server/open-uses.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';
import { type Replicas, type ReplicasOptions, startReplicas } from './replicas.ts';

let database: Database;
let closeDatabase: () => Promise<void>;
let plane: Replicas;
let token: string;
beforeEach(async () => {
  ({ database, close: closeDatabase } = await openEmptyDatabase());
});
afterEach(async () => {
  await plane.stop();
  await closeDatabase();
});

async function start(options: ReplicasOptions): Promise<void> {
  plane = await startReplicas(database, { replicas: 1, ...options });
  token = await plane.account('team');
}

const errorOf = (answer: CreateDeploymentAnswer) => (answer as { error?: ErrorBody }).error;

describe('an account has at most as many', () => {
  test('projects as the plane allows, those that were removed included', async () => {
    await start({ quotas: { projects: 2, previews: 50 } });
    const create = (project: string) => plane.create(0, token, { project, origin: project });
    expect(errorOf(await create('first'))).toBeUndefined();
    expect(errorOf(await create('second'))).toBeUndefined();
    expect((await plane.call(0, token, 'DELETE', '/v1/projects/second')).status).toBe(200);
    expect(errorOf(await create('third'))).toMatchObject({
      code: 'LIMIT_REACHED',
      message: expect.stringContaining('has 2 projects'),
      hint: expect.stringContaining('SPHERE_MAX_PROJECTS_PER_ACCOUNT'),
    });
    expect(errorOf(await create('first'))).toBeUndefined();
    const other = await plane.account('other');
    expect(errorOf(await plane.create(0, other, { project: 'third', origin: 'third' }))).toBeUndefined();
  });

  test('previews of a project; those that are there are renewed, and their places are made for no others', async () => {
    const prepared: string[] = [];
    const sites: ReplicasOptions['sites'] = (store) => ({
      ...store,
      async prepare(site) {
        prepared.push(site.target);
        await store.prepare(site);
      },
    });
    await start({ quotas: { projects: 9, previews: 1 }, sites });
    const source = { kind: 'prebuilt' as const, digest: randomBytes(32).toString('hex') };
    const preview = (target: string) => plane.create(0, token, { target, source, force: true });
    expect(errorOf(await preview('one'))).toBeUndefined();
    expect(errorOf(await preview('one'))).toBeUndefined();
    expect(errorOf(await preview('two'))).toMatchObject({
      code: 'LIMIT_REACHED',
      hint: expect.stringMatching(/sphere previews.*SPHERE_MAX_PREVIEWS_PER_PROJECT/),
    });
    expect(prepared).toEqual(['one', 'one']);
    expect((await plane.call(0, token, 'DELETE', '/v1/projects/site/targets/one')).status).toBe(200);
    expect(errorOf(await preview('two'))).toBeUndefined();
  });
});

test('of one account, so many logs are followed at a time, and others follow theirs', async () => {
  await start({});
  const uses = createOpenUses({ database, now: Date.now, report: () => {} });
  const hold = (account: string, id = account) => uses.hold({ token: id, account }, () => {});
  const releases = Array.from({ length: 2_000 }, (_, n) => hold('busy', `token ${n % 10}`));
  expect(() => hold('busy')).toThrow(/2000 logs of this account/);
  hold('other')();
  releases[0]?.();
  releases[0]?.();
  hold('busy');
  expect(() => hold('busy')).toThrow(/2000 logs/);
  await uses.close();
});

describe('a manifest', () => {
  const manifest = (files: number) => {
    const blob = 'a'.repeat(64);
    const entries = Array.from({ length: files }, (_, n) => [`assets/page-${n}.html`, { blob, bytes: 1 }]);
    return { version: 1, files: Object.fromEntries(entries), serving: {} };
  };
  async function attempt() {
    const { deployment } = await plane.create(0, token, { force: true });
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(0, deployment.id);
    await builder.register();
    const path = `/v1/builds/${deployment.id}/1/manifest`;
    return (body: unknown) => plane.call<unknown>(0, builder.token, 'POST', path, body);
  }

  test('of too many files is refused, and what is wrong with one is said', async () => {
    await start({});
    const send = await attempt();
    const refused = await send(manifest(50_001));
    expect(refused).toMatchObject({ status: 422, body: { error: { code: 'OUTPUT_INVALID' } } });
    const { files, ...rest } = manifest(10);
    const wrong = { ...rest, files: { ...files, 'a/../b': { blob: 'a'.repeat(64), bytes: 1 } } };
    expect(await send(wrong)).toMatchObject({
      status: 400,
      body: { error: { message: 'files: "a/../b" is not a path inside the site' } },
    });
  });

  test('of many files is checked with breaks, in which others have their turn', async () => {
    await start({});
    let turns = 0;
    let counting = setImmediate(function count() {
      turns += 1;
      counting = setImmediate(count);
    });
    const many = manifest(50_000);
    expect(await checkManifest(many)).toEqual(many);
    clearImmediate(counting);
    expect(turns).toBeGreaterThan(40);
  });

  test('comes from one account four at a time, and the others when they are asked again', async () => {
    const limits = { perToken: 10_000, refusals: 60, store: () => new MemoryStore() };
    let entered = 0;
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    await start({
      limits,
      sites: (store) => ({
        ...store,
        async putManifest(...given) {
          entered += 1;
          await opened;
          await store.putManifest(...given);
        },
      }),
    });
    const send = await attempt();
    const first = Array.from({ length: 4 }, () => send(manifest(1)));
    await expect.poll(() => entered).toBe(4);
    expect(await send(manifest(1))).toMatchObject({ status: 429, body: { error: { code: 'RATE_LIMITED' } } });
    open();
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await send(manifest(1))).status).toBe(200);
  });
});
