/** A publication that takes long: of a large site, or on a store that is slow. It holds up its own target only. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RollbackAnswer } from '../../contract/api.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { startReplicas } from './replicas.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

test('while one site is published, others are published and rolled back by the same process', async () => {
  const database = await openPostgresDatabase({
    url: await postgres.createDatabase(),
    connections: 5,
    report: () => {},
  });
  let letGo = () => {};
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let begun = () => {};
  const hasBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const replicas = await startReplicas(database, {
    replicas: 1,
    sites: (store) => ({
      ...store,
      async publish(publication) {
        if (publication.site.slug === 'large') {
          begun();
          await released;
        }
        await store.publish(publication);
      },
    }),
  });
  const token = await replicas.account('team');
  const build = async (project: string, text: string) => {
    const { deployment } = await replicas.create(0, token, { project });
    await replicas.runner.whenStarted(deployment.id);
    const builder = replicas.builder(0, deployment.id);
    await builder.register();
    await builder.finish({ 'index.html': text });
    return deployment.id;
  };
  const ended = async (id: string) => {
    const logs = await fetch(`${replicas.running[0]?.url}/v1/deployments/${id}/logs?follow=1`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await logs.text();
    return (await replicas.deployment(0, token, id)).status;
  };

  const large = await build('large', 'many files');
  await hasBegun;
  const one = await build('small', 'one');
  expect(await ended(one)).toBe('ready');
  const two = await build('small', 'two');
  expect(await ended(two)).toBe('ready');
  const back = await replicas.call<RollbackAnswer>(0, token, 'POST', '/v1/projects/small/rollback', {});
  expect(back.body.deployment.id).toBe(one);
  expect((await replicas.deployment(0, token, large)).status).toBe('building');

  letGo();
  expect(await ended(large)).toBe('ready');
  await replicas.stop();
  await database.close();
});
