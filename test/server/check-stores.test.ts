/** `sphere server check` of the stores, against a real PostgreSQL and a real Redis. */
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { checkDatabase } from '../../server/checks/database.ts';
import { checkRedis } from '../../server/checks/redis.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
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

describe('the database', () => {
  test('that is migrated passes', async () => {
    expect(await checkDatabase(await migratedDatabase())).toEqual([
      { name: 'database', ok: true, seen: expect.stringMatching(/^PostgreSQL \d\d\.\d+.*, database "test_/) },
      { name: 'migrations', ok: true, seen: 'all done' },
      { name: 'database clock', ok: true, seen: expect.stringContaining("this machine's") },
    ]);
  });

  test('that is not migrated fails with what is pending', async () => {
    const [, migrations] = await checkDatabase(await postgres.createDatabase());
    expect(migrations).toMatchObject({ ok: false, seen: expect.stringMatching(/^pending: 0001-initial/) });
    expect(migrations?.fix).toMatch(/Start one replica/);
  });

  test.each([
    [-3_000, /^3\.0 s ahead of this machine's$/],
    [3_000, /^3\.0 s behind this machine's$/],
  ])('whose clock is elsewhere fails (ours is off by %i ms)', async (offset, seen) => {
    const [, , clock] = await checkDatabase(await migratedDatabase(), () => Date.now() + offset);
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
    const checks = await checkDatabase(await url());
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

  test('that is too old fails', async () => {
    const old = '# Server\r\nredis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\nloading:0\r\n';
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
    const [version] = await checkRedis(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
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
