/** `sphere server check` of the stores, against a real PostgreSQL and a real Redis. */
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createAccount } from '../../server/accounts.ts';
import { checkDatabase } from '../../server/checks/database.ts';
import { checkRedis } from '../../server/checks/redis.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { createKeys } from '../../server/keys.ts';
import { checkStoredKey } from '../../server/stored-keys.ts';
import { freePort } from '../peers/free-port.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { startRedis, type TestRedis } from '../peers/redis.ts';

let postgres: Postgres;
let redis: TestRedis;
/** With the password. */
let redisUrl: string;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis([['requirepass', 'redis-secret']])]);
  redisUrl = redis.url.replace('redis://', 'redis://:redis-secret@');
}, 60_000);
afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop()]);
});

async function migratedDatabase(): Promise<string> {
  const url = await postgres.createDatabase();
  const database = await openPostgresDatabase({ url, connections: 2, report: () => {} });
  await database.close();
  return url;
}

const keys = createKeys(Buffer.alloc(32, 1));

describe('the key of the plane', () => {
  /** A database with one value that `keys` has sealed. */
  async function withValue(): Promise<{ url: string; database: Database }> {
    const url = await migratedDatabase();
    const database = await openPostgresDatabase({ url, connections: 2, report: () => {} });
    onTestFinished(() => database.close());
    await createAccount({ database, now: Date.now }, 'team');
    const { id } = await database.query.selectFrom('accounts').select('id').executeTakeFirstOrThrow();
    const project = {
      id: 'prj_1',
      account_id: id,
      slug: 'site',
      bucket_location: 'eu-central-1',
      origin: 'x',
    };
    await database.query
      .insertInto('projects')
      .values({ ...project, created_at: new Date(), updated_at: new Date() })
      .execute();
    const value = { project_id: 'prj_1', scope: 'live' as const, name: 'A', sensitive: true, bytes: 2 };
    await database.query
      .insertInto('environment_values')
      .values({ ...value, sealed: keys.seal('x'), key_id: keys.id, updated_at: new Date(), updated_by: id })
      .execute();
    return { url, database };
  }

  test('opens what it has sealed, also as the one before', async () => {
    const { url, database } = await withValue();
    const changed = createKeys(Buffer.alloc(32, 2), Buffer.alloc(32, 1));
    for (const right of [keys, changed]) {
      expect(await checkDatabase(url, right)).toContainEqual({
        name: 'key',
        ok: true,
        seen: 'opens all 1 stored values',
      });
      await checkStoredKey(database, right);
    }
  });

  test('is refused where another one has sealed what is stored, before anything is served', async () => {
    const { url, database } = await withValue();
    const wrong = createKeys(Buffer.alloc(32, 3));
    expect(await checkDatabase(url, wrong)).toContainEqual({
      name: 'key',
      ok: false,
      seen: '1 of 1 stored values were sealed with another key',
      fix: expect.stringContaining('SPHERE_KEY'),
    });
    await expect(checkStoredKey(database, wrong)).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      hint: expect.stringContaining('SPHERE_KEY'),
    });
  });
});

describe('the database', () => {
  test('that is migrated passes', async () => {
    expect(await checkDatabase(await migratedDatabase(), keys)).toEqual([
      { name: 'database', ok: true, seen: expect.stringMatching(/^PostgreSQL \d\d\.\d+.*, database "test_/) },
      { name: 'migrations', ok: true, seen: 'all done' },
      { name: 'key', ok: true, seen: 'opens all 0 stored values' },
      { name: 'database clock', ok: true, seen: expect.stringContaining("this machine's") },
    ]);
  });

  test('that is not migrated fails with what is pending', async () => {
    const [, migrations] = await checkDatabase(await postgres.createDatabase(), keys);
    expect(migrations).toMatchObject({ ok: false, seen: expect.stringMatching(/^pending: 0001-initial/) });
    expect(migrations?.fix).toMatch(/Start one replica/);
  });

  test.each([
    [-3_000, /^3\.0 s ahead of this machine's$/],
    [3_000, /^3\.0 s behind this machine's$/],
  ])('whose clock is elsewhere fails (ours is off by %i ms)', async (offset, seen) => {
    const [, , , clock] = await checkDatabase(await migratedDatabase(), keys, () => Date.now() + offset);
    expect(clock).toMatchObject({ ok: false, seen: expect.stringMatching(seen), fix: expect.any(String) });
  });

  test.each<[string, () => Promise<string>, RegExp, RegExp]>([
    ['is not there', async () => postgres.url('nowhere'), /"nowhere" does not exist/, /createdb/],
    [
      'has another password',
      async () => (await postgres.createDatabase()).replace(/:[^:@]*@/, ':wrong@'),
      /password authentication failed/,
      /user and password in DATABASE_URL/,
    ],
    [
      'does not answer',
      async () => `postgres://u:pg-secret@127.0.0.1:${await freePort()}/d`,
      /ECONNREFUSED/,
      /host and port in DATABASE_URL/,
    ],
    [
      'has no TLS where that is wanted',
      async () => `${await postgres.createDatabase()}?sslmode=verify-full`,
      /SSL/,
      /DATABASE_URL/,
    ],
  ])('that %s fails once', async (_what, url, seen, fix) => {
    const checks = await checkDatabase(await url(), keys);
    expect(checks).toEqual([
      {
        name: 'database',
        ok: false,
        seen: expect.stringMatching(seen),
        fix: expect.stringMatching(fix),
      },
    ]);
    expect(JSON.stringify(checks)).not.toMatch(/pg-secret|postgres-test-password/);
  });
});

describe('Redis', () => {
  test('as Debian has it passes', async () => {
    expect(await checkRedis(redisUrl)).toEqual([
      { name: 'redis', ok: true, seen: expect.stringMatching(/^version 7\./) },
      { name: 'redis memory policy', ok: true, seen: 'noeviction' },
      { name: 'redis mode', ok: true, seen: 'standalone' },
    ]);
  });

  test('that drops keys when it is full fails', async () => {
    const client = new Redis(redisUrl);
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
    onTestFinished(async () => {
      await client.config('SET', 'maxmemory-policy', 'noeviction');
      client.disconnect();
    });
    const [, policy] = await checkRedis(redisUrl);
    expect(policy).toMatchObject({ ok: false, seen: expect.stringMatching(/^allkeys-lru: .* drops logs/) });
    expect(policy?.fix).toContain('maxmemory-policy noeviction');
  });

  test('that is too old, or a cluster, fails', async () => {
    const old =
      '# Server\r\nredis_version:6.2.14\r\nredis_mode:cluster\r\nmaxmemory_policy:noeviction\r\nloading:0\r\n';
    const server = createTcpServer((socket) => {
      socket.on('data', (text) => {
        // ioredis sends several commands at once, INFO among them; each takes an answer.
        for (const [, name] of String(text).matchAll(/\$\d+\r\n(info|client|hello|select)\r\n/gi))
          socket.write(name?.toLowerCase() === 'info' ? `$${old.length}\r\n${old}\r\n` : '+OK\r\n');
      });
      socket.on('error', () => {});
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    onTestFinished(() => void server.close());
    const checks = await checkRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const [version, , mode] = checks;
    expect(mode).toMatchObject({
      ok: false,
      seen: expect.stringMatching(/^cluster/),
      fix: expect.stringMatching(/cluster mode disabled/),
    });
    expect(version).toMatchObject({
      ok: false,
      seen: 'version 6.2.14',
      fix: expect.stringMatching(/Redis 7/),
    });
  });

  test.each<[string, () => Promise<string>, RegExp, RegExp]>([
    [
      'has another password',
      async () => redisUrl.replace('redis-secret', 'w'),
      /WRONGPASS/,
      /password in REDIS_URL/,
    ],
    ['wants a password', async () => redis.url, /NOAUTH/, /password in REDIS_URL/],
    ['does not answer', async () => `redis://127.0.0.1:${await freePort()}`, /ECONNREFUSED/, /REDIS_URL/],
  ])('that %s fails once', async (_what, url, seen, fix) => {
    const [check, ...more] = await checkRedis(await url());
    expect(more).toEqual([]);
    expect(check).toMatchObject({
      name: 'redis',
      ok: false,
      seen: expect.stringMatching(seen),
      fix: expect.stringMatching(fix),
    });
  });
});
