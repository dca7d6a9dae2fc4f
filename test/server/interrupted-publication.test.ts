/** A plane killed at each step of a publication: the next start finishes it, and the site is always one whole deployment. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { siteStorePaths } from '../../server/adapters/disk-site-store.ts';
import { dataPaths } from '../../server/data-directory.ts';
import { openDatabaseOf } from '../peers/embedded-database.ts';
import { startPlane, type TestPlane } from './plane.ts';

async function deploy(plane: TestPlane, files: Record<string, string>) {
  const { deployment } = await plane.create({ force: true });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(deployment.id);
  await builder.register();
  await builder.finish(files);
  return (await plane.ended(deployment.id)).deployment;
}

/** The records as they were when the plane was killed: `second` was being published over `first`. */
async function rewind(home: string, first: string, second: string, done: boolean) {
  const database = await openDatabaseOf(home);
  const { query } = database;
  const publicationOf = (id: string) =>
    query.selectFrom('publications').select('id').where('deployment_id', '=', id).executeTakeFirstOrThrow();
  const [before, after] = [await publicationOf(first), await publicationOf(second)];
  await query
    .updateTable('deployments')
    .set({ deployment_status: 'building', phase: 'publish', finished_at: null, lease_owner: 'pln_killed' })
    .where('id', '=', second)
    .execute();
  if (!done) {
    await query
      .updateTable('publications')
      .set({ state: 'running', finished_at: null, lease_owner: 'pln_killed' })
      .where('id', '=', after.id)
      .execute();
    await query.updateTable('targets').set({ live_publication_id: before.id }).execute();
  }
  await database.close();
}

test.each([
  ['before the pointer was swapped', { swapped: false, done: false }],
  ['after the pointer was swapped, before the records say so', { swapped: true, done: false }],
  ['after the records say so, before the deployment is ready', { swapped: true, done: true }],
])(
  'killed %s',
  async (_, { swapped, done }) => {
    const killed = await startPlane();
    const first = await deploy(killed, { 'index.html': 'one', 'a.html': 'one' });
    const second = await deploy(killed, { 'index.html': 'two', 'a.html': 'two' });
    await killed.stop();
    await rewind(killed.home, first.id, second.id, done);
    if (!swapped) {
      const pointer = siteStorePaths(dataPaths(killed.home).sites).pointer('site', 'live');
      await writeFile(pointer, JSON.stringify({ deployment: first.id, order: 1, recent: [] }));
    }

    const plane = await startPlane({ home: killed.home });
    try {
      await expect.poll(async () => (await plane.deployment(second.id)).status).toBe('ready');
      expect((await plane.deployment(second.id)).live).toBe(true);
      for (const path of ['/', '/a.html'])
        expect(await (await fetch(new URL(path, second.address))).text()).toBe('two');
      const third = await deploy(plane, { 'index.html': 'three', 'a.html': 'three' });
      for (const path of ['/', '/a.html'])
        expect(await (await fetch(new URL(path, third.address))).text()).toBe('three');
    } finally {
      await plane.remove();
    }
  },
  30_000,
);

test('fingerprinted files of what was live stay reachable for open tabs, pages that are gone do not', async () => {
  const plane = await startPlane();
  try {
    await deploy(plane, { 'index.html': '1', 'gone.html': 'gone', 'assets/index-BxY3_a9Z.js': 'one' });
    await deploy(plane, { 'index.html': '2', 'assets/index-CkLm38sQ.js': 'two' });
    const { address } = await deploy(plane, { 'index.html': '3', 'assets/index-D0pQr71t.js': 'three' });
    const status = async (path: string) => (await fetch(new URL(path, address))).status;
    expect(await status('assets/index-BxY3_a9Z.js')).toBe(200);
    expect(await status('assets/index-CkLm38sQ.js')).toBe(200);
    expect(await status('gone.html')).toBe(404);
  } finally {
    await plane.remove();
  }
}, 30_000);
