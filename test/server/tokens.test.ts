/** Tokens: what they look like, that they end at once on every replica, and that what was open under them ends with them. */
import { io, type Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { AuditList, CreateTokenAnswer, TokenList } from '../../contract/accounts-api.ts';
import { followPath } from '../../contract/logs.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { createKeys } from '../../server/keys.ts';
import { isMisspelt, newToken, tokenShape } from '../../server/token-text.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { type Replicas, startReplicas } from './replicas.ts';

let postgres: Postgres;
let database: Database;
let plane: Replicas;
beforeAll(async () => {
  postgres = await startPostgres();
  const url = await postgres.createDatabase();
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  plane = await startReplicas(database);
}, 60_000);
afterAll(async () => {
  await plane.stop();
  await database.close();
  await postgres.stop();
}, 60_000);

/** A token of `account`, and how it is removed by the admin. */
async function made(account: string, change: object = {}) {
  const path = `/v1/accounts/${account}/tokens`;
  await plane.call<unknown>(0, plane.adminToken, 'POST', '/v1/accounts', { name: account });
  const body = { name: 'test', ...change };
  const answer = (await plane.call<CreateTokenAnswer>(0, plane.adminToken, 'POST', path, body)).body;
  return {
    ...answer,
    remove: () => plane.call<unknown>(0, plane.adminToken, 'DELETE', `${path}/${answer.id}`),
  };
}

const disconnected = (socket: Socket) => new Promise((resolve) => socket.once('disconnect', resolve));

const statusOf = async (token: string, replica: number) =>
  (await plane.call<unknown>(replica, token, 'GET', '/v1/projects')).status;

describe('a token', () => {
  test('has a beginning that scanners know, and an end that follows from the rest', () => {
    const tokens = Array.from({ length: 500 }, newToken);
    expect(new Set(tokens).size).toBe(500);
    for (const token of tokens) {
      expect(token).toMatch(tokenShape);
      expect(isMisspelt(token)).toBe(false);
      const other = token.endsWith('0') ? '1' : '0';
      expect(isMisspelt(`${token.slice(0, -1)}${other}`)).toBe(true);
      expect(isMisspelt(token.replace(/^sph_./, (text) => (text.endsWith('A') ? 'sph_B' : 'sph_A')))).toBe(
        true,
      );
    }
  });

  // By the rule that GitHub has published; computed with Python's zlib.crc32.
  test('has the same end in every program', () => {
    expect(isMisspelt('sph_0123456789ABCDEFGHIJKLMNOPQRST4PMbyp')).toBe(false);
  });

  test('of an embedded plane is one as well, the same after every start', () => {
    const key = Buffer.alloc(32, 3);
    expect(createKeys(key).accountToken).toBe(createKeys(key).accountToken);
    expect(createKeys(key).accountToken).toMatch(tokenShape);
    expect(isMisspelt(createKeys(key).accountToken)).toBe(false);
  });

  test('is shown once, and listed with what it may do', async () => {
    const { token, id } = await made('listed', { scope: 'read', project: 'shop', expiresInDays: 3 });
    await statusOf(token, 1);
    const { body } = await plane.call<TokenList>(0, plane.adminToken, 'GET', '/v1/accounts/listed/tokens');
    expect(body.tokens).toMatchObject([
      { id, scope: 'read', project: 'shop', lastUsedAt: expect.any(String), expiresAt: expect.any(String) },
    ]);
    expect(JSON.stringify(body)).not.toContain(token);
    const { rows } = { rows: await database.query.selectFrom('tokens').selectAll().execute() };
    expect(JSON.stringify(rows)).not.toContain(token.slice(4));
  });

  test('deploys and removes nothing, unless something else is asked for', async () => {
    expect((await made('plain')).scope).toBe('deploy');
  });

  test('with the scope admin makes and removes others of its account, and of no other', async () => {
    const { token } = await made('self', { scope: 'admin' });
    await made('foreign');
    const make = (account: string) =>
      plane.call<CreateTokenAnswer>(1, token, 'POST', `/v1/accounts/${account}/tokens`, { name: 'more' });
    const { status, body } = await make('self');
    expect(status).toBe(201);
    expect((await make('foreign')).status).toBe(404);
    expect((await plane.call<unknown>(1, token, 'GET', '/v1/accounts')).status).toBe(403);
    const gone = await plane.call<unknown>(0, token, 'DELETE', `/v1/accounts/self/tokens/${body.id}`);
    expect(gone.status).toBe(200);
    expect(await statusOf(body.token, 1)).toBe(401);
  });
});

test('a removed token opens nothing on any replica from that moment on', async () => {
  const { token, remove } = await made('moment');
  expect(await Promise.all([statusOf(token, 0), statusOf(token, 1)])).toEqual([200, 200]);
  expect((await remove()).status).toBe(200);
  expect(await Promise.all([statusOf(token, 0), statusOf(token, 1)])).toEqual([401, 401]);
});

describe('what is open under a token', () => {
  const follow = async (token: string, replica: number, deployment: string, { running } = plane) => {
    const socket = io(running[replica]?.url ?? '', {
      path: followPath,
      transports: ['websocket'],
      auth: { token },
      reconnection: false,
      forceNew: true,
    });
    expect(await socket.emitWithAck('follow', { deployment, after: 0 })).toEqual({ ok: true });
    return socket;
  };

  test('ends on every replica when it is removed, at once', async () => {
    // Those that begin now never look at all tokens by themselves, as others do every 5 s: there is the notice alone.
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const still = await startReplicas(database).finally(() => vi.useRealTimers());
    onTestFinished(() => still.stop());
    const { token, remove } = await made('open');
    const kept = await made('open');
    const { deployment } = await plane.create(0, token, { project: 'open-site', origin: 'open' });
    const sockets = await Promise.all([0, 1].map((replica) => follow(token, replica, deployment.id, still)));
    const other = await follow(kept.token, 1, deployment.id, still);
    const path = `/v1/deployments/${deployment.id}/logs?follow=1`;
    const log = await fetch(`${still.running[1]?.url}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const ends = [...sockets.map((socket) => disconnected(socket)), log.text().catch(() => 'ended')];
    await remove();
    await Promise.all(ends);
    expect(other.connected).toBe(true);
    other.close();
  });

  test('ends when it has expired, and when the notice of its removal was lost', async () => {
    const [expiring, lost] = [await made('late'), await made('late')];
    const { deployment } = await plane.create(0, lost.token, { project: 'late-site', origin: 'late' });
    const sockets = await Promise.all([expiring, lost].map(({ token }) => follow(token, 0, deployment.id)));
    const ends = sockets.map((socket) => disconnected(socket));
    await database.query
      .updateTable('tokens')
      .set({ expires_at: new Date(Date.now() - 1) })
      .where('id', '=', expiring.id)
      .execute();
    await database.query.deleteFrom('tokens').where('id', '=', lost.id).execute();
    await Promise.all(ends);
  }, 15_000);
});

describe('the audit log', () => {
  const read = async (token: string, query = '') =>
    (await plane.call<AuditList>(1, token, 'GET', `/v1/audit${query}`)).body;

  test('says who has changed what, from where, and in pages', async () => {
    const { token, id } = await made('logged', { scope: 'admin' });
    const { deployment } = await plane.create(0, token, { project: 'logged-site', origin: 'logged' });
    await plane.call<unknown>(1, token, 'POST', `/v1/deployments/${deployment.id}/cancel`);
    // What changes nothing is no change.
    await plane.call<unknown>(1, token, 'POST', `/v1/deployments/${deployment.id}/cancel`);
    await plane.call<unknown>(1, token, 'DELETE', '/v1/projects/logged-site');
    const { entries, next } = await read(token);
    expect(next).toBeNull();
    expect(entries.map(({ action }) => action)).toEqual([
      'removeProject',
      'cancelDeployment',
      'createDeployment',
      'createToken',
      'createAccount',
    ]);
    expect(entries[2]).toMatchObject({
      account: 'logged',
      actor: { kind: 'token', id },
      project: 'logged-site',
      object: deployment.id,
      address: expect.stringMatching(/127\.0\.0\.1$/),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(entries[3]).toMatchObject({ actor: { kind: 'admin' }, object: id });

    const pages: string[] = [];
    for (let before: string | null = ''; before !== null; ) {
      const page: AuditList = await read(token, `?limit=2${before === '' ? '' : `&before=${before}`}`);
      pages.push(...page.entries.map((entry) => entry.id));
      before = page.next;
    }
    expect(pages).toEqual(entries.map((entry) => entry.id));
  });

  test('shows an account its own part, a token of one project that one’s, and the admin all of it', async () => {
    const { token } = await made('part', { scope: 'admin' });
    for (const project of ['part-one', 'part-two'])
      await plane.create(0, token, { project, origin: project });
    const one = await made('part', { scope: 'admin', project: 'part-one' });
    expect((await read(one.token)).entries.map(({ project }) => project)).toEqual(['part-one', 'part-one']);
    expect((await read(one.token, '?project=part-two')) as object).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
    expect(new Set((await read(token)).entries.map(({ account }) => account))).toEqual(new Set(['part']));
    const all = new Set((await read(plane.adminToken, '?limit=500')).entries.map(({ account }) => account));
    expect(all.has('part') && all.has('logged')).toBe(true);
  });

  test('is written with the change, or not at all', async () => {
    const { token } = await made('whole', { scope: 'admin' });
    const answer = await plane.call<unknown>(0, token, 'DELETE', '/v1/accounts/whole/tokens/tok_none');
    expect(answer.status).toBe(404);
    expect((await read(token)).entries.map(({ action }) => action)).toEqual(['createToken', 'createAccount']);
  });

  test('names a builder for what it has built', async () => {
    const { token } = await made('built', { scope: 'admin' });
    const { deployment } = await plane.create(0, token, { project: 'built-site', origin: 'built' });
    await plane.runner.whenStarted(deployment.id);
    const builder = plane.builder(0, deployment.id);
    await builder.register();
    await builder.finish({ 'index.html': 'built' });
    expect((await read(token, '?project=built-site')).entries[0]).toMatchObject({
      action: 'buildResult',
      actor: { kind: 'builder', id: `${deployment.id}#1` },
      object: deployment.id,
    });
  });
});
