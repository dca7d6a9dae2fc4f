/** Logs that are freed when they are old: which ones, and what readers are told. */
import { io } from 'socket.io-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followPath } from '../../contract/logs.ts';
import type { Database } from '../../server/database/database.ts';
import { removeOldLogs } from '../../server/old-logs.ts';
import { openEmptyDatabase } from '../peers/embedded-database.ts';
import { type Replicas, startReplicas } from './replicas.ts';

const dayMs = 24 * 3600_000;

let database: Database;
let closeDatabase: () => Promise<void>;
let plane: Replicas;
let token: string;
beforeEach(async () => {
  ({ database, close: closeDatabase } = await openEmptyDatabase());
  plane = await startReplicas(database, { replicas: 1 });
  token = await plane.account('team');
});
afterEach(async () => {
  await plane.stop();
  await closeDatabase();
});

const running = () => plane.running[0] as (typeof plane.running)[0];

/** A deployment of `project` that ended so many days ago. */
async function ended(project: string, days: number): Promise<string> {
  const { deployment } = await plane.create(0, token, { project, origin: project, force: true });
  await plane.runner.whenStarted(deployment.id);
  const builder = plane.builder(0, deployment.id);
  await builder.register();
  await builder.finish({ 'index.html': `${project} ${days}` });
  await expect.poll(async () => (await plane.deployment(0, token, deployment.id)).status).toBe('ready');
  await database.query
    .updateTable('deployments')
    .set({ finished_at: new Date(Date.now() - days * dayMs) })
    .where('id', '=', deployment.id)
    .execute();
  return deployment.id;
}

async function read(id: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${running().url}/v1/deployments/${id}/logs?follow=1`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: answer.status, text: await answer.text() };
}

async function follow(id: string): Promise<unknown> {
  const socket = io(running().url, { path: followPath, transports: ['websocket'], auth: { token } });
  try {
    return await socket.emitWithAck('follow', { deployment: id, after: 0 });
  } finally {
    socket.close();
  }
}

test('of old deployments that nothing needs, the log goes, and whoever asks for it is told when', async () => {
  const [old, live, young] = [await ended('shop', 40), await ended('shop', 35), await ended('blog', 20)];
  const before = await read(old);
  expect(before).toMatchObject({ status: 200, text: expect.stringContaining('"seq":1,') });

  const freed = await removeOldLogs(running().plane, { kept: new Set([live]), olderThanMs: 30 * dayMs });
  expect(freed).toBeGreaterThan(0);

  const today = new Date().toISOString().slice(0, 10);
  const error = {
    code: 'NOT_FOUND',
    message: `the log of "${old}" is no longer kept`,
    hint: expect.stringContaining(`freed on ${today}`),
  };
  const after = await read(old);
  expect(after.status).toBe(404);
  expect(JSON.parse(after.text)).toMatchObject({ error });
  expect(await follow(old)).toMatchObject({ ok: false, error });
  for (const id of [live, young]) expect(await read(id)).toMatchObject({ status: 200 });
  expect(await follow(live)).toEqual({ ok: true });

  // Asking has made nothing that would have to be freed again.
  expect(await running().plane.logs.remove(old)).toBe(0);
  expect(await removeOldLogs(running().plane, { kept: new Set([live]), olderThanMs: 30 * dayMs })).toBe(0);
});

test('a run does so much and no more, and the next one goes on', async () => {
  const ids = [await ended('shop', 40), await ended('blog', 40), await ended('docs', 40)];
  const some = { kept: new Set([ids.sort()[0] as string]), olderThanMs: 30 * dayMs, most: 1 };
  const statuses = async () => (await Promise.all(ids.map(read))).map(({ status }) => status);
  await removeOldLogs(running().plane, some);
  expect((await statuses()).filter((status) => status === 404)).toHaveLength(1);
  await removeOldLogs(running().plane, some);
  expect(await statuses()).toEqual([200, 404, 404]);
});
