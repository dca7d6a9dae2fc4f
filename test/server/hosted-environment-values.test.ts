/** Environment values under several replicas on PostgreSQL: scopes, other accounts, and a key that is changed meanwhile. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BuildSpec } from '../../contract/builder-api.ts';
import type { EnvironmentList } from '../../contract/environment-api.ts';
import type { Database } from '../../server/database/database.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { rotateHostedKey } from '../../server/hosted.ts';
import { createKeys } from '../../server/keys.ts';
import { resealAll } from '../../server/rotate-key.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { hostedTestEnvironment } from './hosted-environment.ts';
import { waitingForLocks } from './locks.ts';
import { playBuilder } from './plane.ts';
import { type Replicas, type ReplicasOptions, startReplicas } from './replicas.ts';

const secret = 'sk_live_4242/never+shown again';
const [oldKey, newKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

let postgres: Postgres;
let url: string;
let database: Database;
let plane: Replicas;
let token = '';
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop(), 60_000);
afterEach(async () => {
  await plane.stop();
  await database.close();
});

async function start(options: ReplicasOptions): Promise<void> {
  url = await postgres.createDatabase();
  await open(options);
}

async function open(options: ReplicasOptions): Promise<void> {
  database = await openPostgresDatabase({ url, connections: 10, report: () => {} });
  plane = await startReplicas(database, options);
  token = await plane.account('team');
}

const put = (replica: number, name: string, value: string, more: object = {}) =>
  plane.call(replica, token, 'PUT', `/v1/projects/site/env/${name}`, {
    value,
    scopes: ['live'],
    sensitive: true,
    ...more,
  });

async function begin(replica: number, project = 'site'): Promise<string> {
  const { deployment } = await plane.create(replica, token, {
    project,
    origin: project,
    gitToken: 'git-token-1234',
  });
  await plane.runner.whenStarted(deployment.id);
  return deployment.id;
}

const waiting = () => waitingForLocks(database);

test('a preview gets what is stored for previews, and nothing of live', async () => {
  await start({});
  const live = await begin(0);
  await put(0, 'API_KEY', secret);
  await put(0, 'SHARED_KEY', `${secret} for both`, { scopes: ['live', 'previews'] });
  await put(1, 'ONLY_PREVIEWS', 'a test key', { scopes: ['previews'] });
  const preview = await begin(1, 'other');
  const { project_id, project_slug } = await database.query
    .selectFrom('deployments')
    .selectAll()
    .where('id', '=', live)
    .executeTakeFirstOrThrow();
  await database.query
    .updateTable('deployments')
    .set({ target: 'feature-x', project_id, project_slug })
    .where('id', '=', preview)
    .execute();
  const names = async (id: string) =>
    ((await plane.builder(0, id).register()).body as BuildSpec).environment?.map(({ name }) => name);
  expect(await names(live)).toEqual(['API_KEY', 'SHARED_KEY']);
  expect(await names(preview)).toEqual(['ONLY_PREVIEWS', 'SHARED_KEY']);
});

test('another account neither sees nor changes them, and is told that there is no such project', async () => {
  await start({});
  await begin(0);
  await put(0, 'API_KEY', secret);
  const other = await plane.account('other');
  const body = { value: 'x', scopes: ['live'], sensitive: false };
  for (const [method, path, sent] of [
    ['GET', '/v1/projects/site/env'],
    ['PUT', '/v1/projects/site/env/API_KEY', body],
    ['DELETE', '/v1/projects/site/env/API_KEY'],
  ] as const) {
    expect(await plane.call(1, other, method, path, sent)).toMatchObject({ status: 404 });
  }
  const { body: mine } = await plane.call<EnvironmentList>(0, token, 'GET', '/v1/projects/site/env');
  expect(mine.values).toMatchObject([{ name: 'API_KEY', sensitive: true }]);
});

test('twenty changes of one name at once, at two replicas, leave one value that opens', async () => {
  await start({});
  const id = await begin(0);
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => put(n, 'API_KEY', `${secret} ${n}`)),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  const spec = (await plane.builder(1, id).register()).body as BuildSpec;
  expect(spec.environment).toMatchObject([{ name: 'API_KEY', value: expect.stringContaining(secret) }]);
});

test('a change and a removal of one name at once do not wait for each other', async () => {
  await start({});
  await begin(0);
  await put(0, 'API_KEY', secret);
  // Both have come as far as they can while somebody else has the project.
  const answers = await database.transaction(async (trx) => {
    await trx.selectFrom('projects').select('id').forUpdate().execute();
    const change = put(0, 'API_KEY', `${secret} anew`);
    await expect.poll(waiting).toBe(1);
    const removal = plane.call(1, token, 'DELETE', '/v1/projects/site/env/API_KEY?scope=live');
    await expect.poll(waiting).toBe(2);
    return [change, removal];
  });
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
  // What a connection has seen is counted, at the latest, when it ends.
  await plane.stop();
  await database.close();
  await open({});
  const { rows } =
    await sql`select deadlocks::integer from pg_stat_database where datname = current_database()`.execute(
      database.query,
    );
  expect(rows).toEqual([{ deadlocks: 0 }]);
});

test('a value that is set while the project is removed goes with it', async () => {
  await start({});
  await begin(0);
  const answer = await database.transaction(async (trx) => {
    await trx.updateTable('projects').set({ removed_at: new Date() }).execute();
    const change = put(0, 'API_KEY', secret);
    await expect.poll(waiting).toBe(1);
    return [change];
  });
  expect(await answer[0]).toMatchObject({ status: 404, body: { error: { code: 'NOT_FOUND' } } });
  expect(await database.query.selectFrom('environment_values').selectAll().execute()).toEqual([]);
});

test('while the key is changed, replicas with the old and with the new one open what each other seals', async () => {
  // The second round of SECURITY.md: the first replica still seals with the old key, the second with the new one.
  await start({ keys: [createKeys(oldKey, newKey), createKeys(newKey, oldKey)] });
  const [first, second] = [await begin(0), await begin(0, 'second')];
  await put(0, 'BY_THE_OLD', secret);
  await put(1, 'BY_THE_NEW', secret);
  // An attempt that has its token from the replica with the old key begins at the one with the new key, and the reverse.
  const at = (replica: number) => plane.running[replica]?.url ?? '';
  for (const [keys, replica, id] of [
    [createKeys(oldKey), 1, first],
    [createKeys(newKey), 0, second],
  ] as const) {
    const builder = playBuilder(at(replica), id, 1, keys.bootstrapToken(id, 1));
    const spec = (await builder.register()).body as BuildSpec;
    const seen = spec.environment?.map(({ name, value }) => [name, value]) ?? [];
    expect(seen).toEqual(
      id === first
        ? [
            ['BY_THE_NEW', secret],
            ['BY_THE_OLD', secret],
          ]
        : [],
    );
    const credential = await fetch(`${at(replica)}/v1/builds/${id}/1/credential`, {
      headers: { authorization: `Bearer ${builder.token}` },
    });
    expect(await credential.json()).toEqual({ token: 'git-token-1234' });
  }
  const foreign = playBuilder(at(1), first, 1, createKeys(Buffer.alloc(32, 3)).bootstrapToken(first, 1));
  expect((await foreign.register()).status).toBe(401);
});

test('rotate-key seals all anew beside replicas at work, and then the old key can go', async () => {
  await start({ keys: [createKeys(newKey, oldKey), createKeys(newKey, oldKey)] });
  const id = await begin(0);
  const { project_id } = await database.query
    .selectFrom('deployments')
    .select('project_id')
    .where('id', '=', id)
    .executeTakeFirstOrThrow();
  // 250 values and a Git token of the time before.
  const old = createKeys(oldKey);
  const { sealedFor } = await import('../../server/project-environment.ts');
  const places = Array.from({ length: 250 }, (_, n) => ({
    project_id,
    scope: n % 2 ? ('live' as const) : ('previews' as const),
    name: `OLD_${n}`,
    sensitive: n % 3 === 0,
  }));
  await database.query
    .insertInto('environment_values')
    .values(
      places.map((place, n) => ({
        ...place,
        sealed:
          n === 100
            ? createKeys(Buffer.alloc(32, 9)).seal('x', sealedFor(place))
            : old.seal(`${n}`, sealedFor(place)),
        key_id: old.id,
        bytes: 10,
        updated_at: new Date(),
        updated_by: 'team',
      })),
    )
    .execute();
  await database.query
    .updateTable('deployments')
    .set({ git_token: old.seal('git-token-1234') })
    .execute();

  const environment = {
    ...hostedTestEnvironment,
    DATABASE_URL: url,
    SPHERE_KEY: newKey.toString('hex'),
    SPHERE_KEY_PREVIOUS: oldKey.toString('hex'),
  };
  const changing = Array.from({ length: 60 }, (_, n) => put(n, `OLD_${n * 2 + 1}`, 'changed meanwhile'));
  const [resealed] = await Promise.all([rotateHostedKey(environment), ...changing]);
  expect(resealed.unreadable).toEqual(['OLD_100 (previews, of project site)']);
  expect(resealed.tokens).toBe(1);
  expect(await rotateHostedKey(environment)).toEqual({
    values: 0,
    tokens: 0,
    unreadable: resealed.unreadable,
  });

  const rows = await database.query.selectFrom('environment_values').selectAll().execute();
  const keys = createKeys(newKey);
  const values = rows.flatMap((row) =>
    row.name === 'OLD_100' ? [] : [keys.open(row.sealed, sealedFor(row))],
  );
  expect(values).toHaveLength(249);
  expect(values.filter((value) => value === 'changed meanwhile')).toHaveLength(60);
  expect(rows.filter((row) => row.key_id !== keys.id).map(({ name }) => name)).toEqual(['OLD_100']);
  // What was changed by nobody is what it was, and is known as unchanged by what is live.
  expect(await resealAll(database, keys)).toMatchObject({ values: 0 });
});

test('rotate-key says what is missing, and shows no key', async () => {
  await start({});
  const environment = { ...hostedTestEnvironment, DATABASE_URL: url };
  await expect(rotateHostedKey(environment)).rejects.toMatchObject({
    code: 'CONFIGURATION_INVALID',
    message: expect.stringContaining('SPHERE_KEY_PREVIOUS'),
  });
  const wrong = { ...environment, SPHERE_KEY_PREVIOUS: 'not a key but secret' };
  const error = await rotateHostedKey(wrong).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    details: [expect.stringMatching(/^SPHERE_KEY_PREVIOUS is a text of 20 characters/)],
  });
});
