/** Processes of a plane that get in each other's way: one that stood still, was killed between two steps, or came late. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ErrorBody } from '../../contract/errors.ts';
import type { Database } from '../../server/database/database.ts';
import { siteOf } from '../../server/deployments.ts';
import { createGate } from '../gate.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';
import * as playing from './played-builds.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let database: Database;
let closeDatabase: () => Promise<void>;
let plane: Replicas;
let token: string;
beforeEach(async () => {
  ({ database, close: closeDatabase } = await openEmptyDatabase());
  plane = await startReplicas(database);
  token = await plane.account('team');
});
afterEach(async () => {
  await plane.stop();
  await closeDatabase();
});

const planeOf = (replica: number) => (plane.running[replica] as (typeof plane.running)[0]).plane;
const status = async (id: string) => (await plane.deployment(0, token, id)).status;

const startBuild = (project: string) => playing.startBuild(plane, token, project);
const deploy = (project: string, text?: string) => playing.deploy(plane, token, project, text);

test('killed between "live has moved" and "ready", while another process looks after the deployment: it gets ready', async () => {
  const id = await deploy('site');
  await database.query
    .updateTable('publications')
    .set({ finished_at: new Date(Date.now() - 60_000) })
    .execute();
  await database.query
    .updateTable('deployments')
    .set({
      deployment_status: 'building',
      phase: 'publish',
      finished_at: null,
      lease_owner: planeOf(1).id,
      lease_expires_at: new Date(Date.now() + 30_000),
    })
    .where('id', '=', id)
    .execute();
  await expect.poll(() => status(id)).toBe('ready');
});

test('a process that stood still does not judge a builder by what it had read before', async () => {
  await startBuild('site');
  const lease = () =>
    database.query.selectFrom('deployments').select(['lease_owner', 'runner']).executeTakeFirstOrThrow();
  await expect.poll(async () => (await lease()).runner).not.toBeNull();
  const owner = (await lease()).lease_owner;
  const other = plane.running.map((replica) => replica.plane).find((one) => one.id !== owner);
  const gate = createGate();
  const { states } = plane.runner.builds;
  plane.runner.builds.states = async (refs) => {
    await gate.pass();
    return states(refs);
  };
  await gate.reached;
  // It stands still for 70 s; the other one has taken over meanwhile, and has just heard of the builder.
  for (const { plane: one } of plane.running) one.now = () => Date.now() + 70_000;
  await database.query
    .updateTable('deployments')
    .set({
      lease_owner: other?.id ?? '',
      lease_expires_at: new Date(Date.now() + 30_000),
      seen_at: new Date(Date.now() + 70_000),
    })
    .execute();
  gate.open();
  // The judgement, if there were one, would follow the answer at once: another look at all builders comes after it.
  const seen = createGate();
  plane.runner.builds.states = async (refs) => {
    await Promise.race([seen.pass(), states(refs)]);
    return states(refs);
  };
  await seen.reached;
  const row = await database.query.selectFrom('deployments').selectAll().executeTakeFirstOrThrow();
  expect([row.deployment_status, row.lost_attempts, plane.runner.stopped]).toEqual(['building', 0, []]);
});

test('a deployment that is asked for while its project is removed is refused', async () => {
  await deploy('gone');
  const gate = createGate();
  planeOf(0).addresses.open = async () => {
    await gate.pass();
    return null;
  };
  const creating = plane.create(0, token, { project: 'gone', force: true });
  await gate.reached;
  expect((await plane.call(1, token, 'DELETE', '/v1/projects/gone')).status).toBe(200);
  gate.open();
  expect((await creating) as unknown as { error: ErrorBody }).toMatchObject({
    error: { code: 'PUBLISHING' },
  });
});

test('a rollback that is asked for while its project is removed is refused, and nothing is live', async () => {
  const first = await deploy('gone', 'one');
  await deploy('gone', 'two');
  const looking = createGate();
  const emptying = createGate();
  const { missingBlobs } = planeOf(0).sites;
  planeOf(0).sites.missingBlobs = async (...what) => {
    await looking.pass();
    return missingBlobs(...what);
  };
  const { unpublish } = planeOf(1).sites;
  planeOf(1).sites.unpublish = async (...what) => {
    await unpublish(...what);
    await emptying.pass();
  };
  const back = plane.call(0, token, 'POST', '/v1/projects/gone/rollback', { deployment: first });
  await looking.reached;
  const removing = plane.call(1, token, 'DELETE', '/v1/projects/gone');
  await emptying.reached;
  looking.open();
  expect((await back).body.error?.code).toBe('PUBLISHING');
  emptying.open();
  expect((await removing).status).toBe(200);
  const { live_publication_id: live } = await database.query
    .selectFrom('targets')
    .select('live_publication_id')
    .executeTakeFirstOrThrow();
  expect(live).toBeNull();
});

test('a publication that another process has taken over is not ours to fail', async () => {
  const gate = createGate();
  for (const { plane: one } of plane.running) {
    one.sites.publish = async () => {
      throw new Error('S3 is away');
    };
    one.sites.unpublish = gate.pass;
  }
  const { id, builder } = await startBuild('site');
  await builder.finish({ 'index.html': 'x' });
  await gate.reached;
  await database.query
    .updateTable('publications')
    .set({ lease_owner: 'pln_other', lease_expires_at: new Date(Date.now() + 60_000) })
    .execute();
  gate.open();
  await expect.poll(() => plane.running.every((replica) => replica.plane.publishing.size === 0)).toBe(true);
  expect(await status(id)).toBe('building');
});

test('a manifest that an attempt sends when it is over takes the place of no other', async () => {
  const gate = createGate();
  const { sites } = planeOf(0);
  const { putManifest } = sites;
  let first = true;
  sites.putManifest = async (...what) => {
    if (first) {
      first = false;
      await gate.pass();
    }
    return putManifest(...what);
  };
  const { id, builder } = await startBuild('site');
  const late = builder.upload({ 'index.html': 'old', 'only-old.html': 'x' });
  await gate.reached;
  plane.runner.crash(1);
  await plane.runner.whenStarted(id, 2);
  const again = plane.builder(1, id, 2);
  await again.register();
  await again.finish({ 'index.html': 'new' });
  await expect.poll(() => status(id)).toBe('ready');
  gate.open();
  await late;
  const row = await database.query.selectFrom('deployments').selectAll().executeTakeFirstOrThrow();
  const live = await sites.getManifest(siteOf(row), `${id}-2`);
  expect(Object.keys(live.files)).toEqual(['index.html']);
  // What is published next is compared with what is live, by the manifest of the attempt that made it so.
  const next = await deploy('site', 'next');
  expect((await plane.deployment(0, token, next)).figures).toMatchObject({
    files: 1,
    changed: 1,
    removed: 0,
  });
});
