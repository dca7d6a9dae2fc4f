/** Sequences that once broke a site, a deployment or the plane. */
import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { siteStorePaths } from '../../server/adapters/disk-site-store.ts';
import { dataPaths } from '../../server/data-directory.ts';
import { recentlyLive } from '../../server/publication-plan.ts';
import { startPlane, type TestPlane } from './plane.ts';

let plane: TestPlane;
beforeEach(async () => {
  plane = await startPlane();
});
afterEach(() => plane.remove());

async function start() {
  const { deployment } = await plane.create({ force: true });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  return { id: deployment.id, builder };
}

async function deploy(html: string) {
  const { id, builder } = await start();
  await builder.finish({ 'index.html': html });
  return (await plane.ended(id)).deployment;
}

const served = async (address: string) => (await fetch(address)).text();

test('a rollback to what has been freed is refused, and the site stays what it was', async () => {
  const [old, live] = [await deploy('old'), await deploy('live')];
  await rm(siteStorePaths(dataPaths(plane.home).sites).manifest('site', old.id));
  const refusal = await plane.refusal('POST', '/v1/projects/site/rollback', { deployment: old.id });
  expect(refusal).toMatchObject({ code: 'NOT_PUBLISHED' });
  expect(refusal.message).toContain('freed');
  expect(await served(live.address)).toBe('live');
});

test('a publication that cannot be carried out leaves the site as it was and ends its deployment', async () => {
  const live = await deploy('live');
  const { id, builder } = await start();
  await builder.post('/manifest', {
    version: 1,
    files: { 'index.html': { blob: 'c'.repeat(64), bytes: 3 } },
    serving: {},
  });
  expect(
    (await builder.post('/result', { outcome: 'built', uploaded: 0, uploadedBytes: 0, warnings: [] })).status,
  ).toBe(400);
  await builder.fail();
  expect((await plane.ended(id)).deployment.status).toBe('error');
  expect(await served(live.address)).toBe('live');
});

test('what was handed in cannot be changed any more', async () => {
  const { id, builder } = await start();
  await builder.finish({ 'index.html': 'right' });
  const late = await builder.post('/manifest', {
    version: 1,
    files: { 'index.html': { blob: 'c'.repeat(64), bytes: 1 } },
    serving: {},
  });
  expect(late.body.error?.code).toBe('ATTEMPT_STALE');
  expect((await builder.phase('install')).body.error?.code).toBe('ATTEMPT_STALE');
  const { deployment } = await plane.ended(id);
  expect(deployment.status).toBe('ready');
  expect(await served(deployment.address)).toBe('right');
});

test('a builder can neither publish by itself nor give a reason that is not its own', async () => {
  const { builder } = await start();
  expect((await builder.phase('publish')).body.error?.code).toBe('REQUEST_INVALID');
  expect((await builder.phase('queue')).body.error?.code).toBe('REQUEST_INVALID');
  expect((await builder.fail('superseded')).body.error?.code).toBe('REQUEST_INVALID');
});

test('blobs that no manifest names, or of another length, are not taken', async () => {
  const { id, builder } = await start();
  const blob = 'd'.repeat(64);
  const put = async () => {
    const headers = { authorization: `Bearer ${builder.token}` };
    const url = `${plane.url}/v1/builds/${id}/1/blobs/${blob}`;
    return (
      (await (await fetch(url, { method: 'PUT', headers, body: 'abc' })).json()) as {
        error: { message: string };
      }
    ).error;
  };
  expect((await put()).message).toContain('no manifest');
  await builder.post('/manifest', {
    version: 1,
    files: { 'a.html': { blob: 'e'.repeat(64), bytes: 3 } },
    serving: {},
  });
  expect((await put()).message).toContain('names no such blob');
  await builder.post('/manifest', { version: 1, files: { 'a.html': { blob, bytes: 4 } }, serving: {} });
  expect((await put()).message).toContain('has 4 bytes in the manifest, and 3 here');
});

test('half an emoji and NUL are no bug of the plane', async () => {
  const { id, builder } = await start();
  const error = { code: 'BUILD_FAILED', message: 'cut here: \ud83d' };
  expect((await builder.post('/result', { outcome: 'failed', reason: 'build_failed', error })).status).toBe(
    200,
  );
  expect((await plane.ended(id)).deployment.error?.message).toBe('cut here: \ufffd');
  expect((await plane.refusal('GET', '/v1/deployments/%00')).code).toBe('REQUEST_INVALID');
  expect((await plane.refusal('GET', '/v1/projects/%00')).code).toBe('REQUEST_INVALID');
});

test('pages with names that a URL escapes are published like others', async () => {
  const { id, builder } = await start();
  await builder.finish({ 'what? 100%#1.html': 'odd' });
  expect((await plane.ended(id)).deployment.status).toBe('ready');
});

test('stopping does not wait for who follows a log', async () => {
  const { id } = await start();
  const response = await fetch(`${plane.url}/v1/deployments/${id}/logs?follow=1`, {
    headers: { authorization: `Bearer ${plane.token}` },
  });
  const cut = response.text().catch(() => 'cut');
  await plane.stop();
  // What a stop waits for in vain it gives up on in the end, and says so.
  expect(['', 'cut']).toContain(await cut);
  expect(plane.printed.filter((line) => line.includes('closing failed'))).toEqual([]);
});

test('what was live until a minute ago is recent, however long it was live', () => {
  const day = 24 * 3600_000;
  const at = (ms: number) => new Date(ms);
  const now = 100 * day;
  const done = [
    { deployment_id: 'z', finished_at: at(now - 1_000) },
    { deployment_id: 'y', finished_at: at(now - 60_000) },
    { deployment_id: 'x', finished_at: at(now - 30 * day) },
    { deployment_id: 'w', finished_at: at(now - 60 * day) },
  ];
  expect(recentlyLive(done, now)).toEqual(['z', 'y', 'x']);
});
