/** PostgreSQL goes away under a replica: callers are told what is away, not of a bug, and all goes on when it is back. */
import { expect, onTestFinished, test } from 'vitest';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { startPostgres } from '../peers/postgres.ts';
import { startReplicas } from './replicas.ts';

test('a database that is away is INFRASTRUCTURE with the next step, in the log with its cause, and over when it is back', async () => {
  const postgres = await startPostgres();
  onTestFinished(() => postgres.stop());
  const url = await postgres.createDatabase();
  const database = await openPostgresDatabase({ url, connections: 5, report: () => {} });
  const plane = await startReplicas(database, { replicas: 1 });
  onTestFinished(async () => {
    await plane.stop();
    await database.close();
  });
  const token = await plane.account('team');
  const list = () => plane.call<unknown>(0, token, 'GET', '/v1/deployments');
  expect((await list()).status).toBe(200);
  await postgres.kill();
  for (let times = 0; times < 3; times++) {
    const { status, body } = await list();
    expect({ status, error: body.error }).toMatchObject({
      status: 503,
      error: {
        code: 'INFRASTRUCTURE',
        message: 'the plane cannot reach its database',
        hint: expect.stringContaining('server check'),
      },
    });
  }
  expect(database.isAway?.()).toBe(true);
  expect(plane.printed.join('\n')).toMatch(
    /GET \/v1\/deployments .*cannot reach its database \(.*ECONNREFUSED/,
  );
  await postgres.restart();
  await expect.poll(async () => (await list()).status).toBe(200);
  expect(database.isAway?.()).toBe(false);
});
