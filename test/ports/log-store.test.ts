/** The log stores: on disk, and in Redis with closed parts in an artifact store. */
import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeLines } from '../../contract/logs.ts';
import { createDiskLogStore } from '../../server/adapters/disk-log-store.ts';
import { createRedisLogStore } from '../../server/adapters/redis/redis-log-store.ts';
import { openArtifacts } from '../peers/artifacts.ts';
import { startRedis } from '../peers/redis.ts';
import { logStoreSuite } from './log-store.suite.ts';

async function open(limits: { maxBytes: number }) {
  const directory = await mkdtemp(join(tmpdir(), 'sphere-logs-'));
  const stores = [createDiskLogStore(directory, limits)];
  return {
    directory,
    forgets: false,
    store: stores[0] as (typeof stores)[0],
    async reopen() {
      const again = createDiskLogStore(directory, limits);
      stores.push(again);
      return again;
    },
    async close() {
      for (const store of stores) await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

logStoreSuite('The disk', open);

for (const [name, segmentBytes] of [
  ['Redis', 4 * 1024 * 1024],
  ['Redis with tiny segments', 500],
] as const) {
  logStoreSuite(name, async (limits) => {
    const redis = await startRedis();
    const artifacts = await openArtifacts();
    const openOne = () =>
      createRedisLogStore({ redis: redis.url, artifacts, segmentBytes, report: () => {}, ...limits });
    const stores = [openOne()];
    return {
      forgets: true,
      store: stores[0] as (typeof stores)[0],
      async reopen() {
        stores.push(openOne());
        return stores.at(-1) as (typeof stores)[0];
      },
      async close() {
        for (const store of stores) await store.close();
        await redis.stop();
        await artifacts.clear();
      },
    };
  });
}

test('lines that were written but never answered for are overwritten by the next append', async () => {
  const opened = await open({ maxBytes: 1_000_000 });
  await opened.store.append('dpl', { attempt: 1, batch: 1 }, [[1, 'build', 'stdout', 'kept']]);
  await appendFile(join(opened.directory, 'dpl', 'log'), '[2,1,"build","stdout","half a li');
  await appendFile(join(opened.directory, 'dpl', 'index'), Buffer.alloc(20));
  const again = await opened.reopen();
  await again.append('dpl', { attempt: 1, batch: 2 }, [[1, 'build', 'stdout', 'next']]);
  const { batch } = await (await opened.reopen()).read('dpl', 0, 1_000);
  expect(decodeLines(batch?.lines ?? '').map((line) => line.text)).toEqual(['kept', 'next']);
  await opened.close();
});
