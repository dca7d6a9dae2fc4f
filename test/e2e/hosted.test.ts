/**
 * The distributed engine from end to end: CLI, Nginx, two replicas, PostgreSQL, Redis, ECS's protocol, the real builder
 * and S3's protocol, until the website answers; then the same with each part killed in the middle.
 */

import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Deployment, SourceAnswer } from '../../contract/api.ts';
import { cachedApp } from '../builder/cached-app.ts';
import type { Tree } from '../files/tree.ts';
import { blobOf, visit } from '../s3/website.ts';
import { type HostedPlane, startHostedPlane } from './hosted-plane.ts';
import { built, counting, printedLines, printing, project } from './projects.ts';
import { get, until } from './sphere.ts';

// Whole programs, some of which stand still for longer than a request is waited for.
vi.setConfig({ testTimeout: 120_000 });

let plane: HostedPlane;
beforeAll(async () => {
  plane = await startHostedPlane();
}, 120_000);
afterAll(() => plane?.close(), 60_000);
// What the replicas said is the first thing that a failure is understood by.
afterEach(({ task }) => {
  if (task.result?.state === 'fail')
    for (const replica of plane.replicas) process.stderr.write(replica.printed());
});

const s3As = (credentials: HostedPlane['s3']['credentials']) =>
  new S3Client({ region: 'us-east-1', endpoint: plane.s3.endpoint, forcePathStyle: true, credentials });

const newest = async (slug: string): Promise<Deployment> =>
  (await plane.json<{ deployments: Deployment[] }>(['ls', slug])).deployments[0] as Deployment;

describe('a deploy', () => {
  test('from a directory: the address alone on stdout, the whole log in the terminal, the website answers', async () => {
    const cwd = project(plane, 'first-site', printing(50, 1));
    const { code, stdout, stderr } = await plane.run(['deploy'], { cwd });
    expect(code, stderr).toBe(0);
    expect(stdout).toBe(`http://first-site.web.localhost:${plane.s3.port}/\n`);
    expect(printedLines(stderr)).toEqual(counting(50));
    expect((await get(stdout.trim())).body).toBe('<h1>50 lines</h1>');
    expect(printedLines((await plane.run(['logs'], { cwd })).stdout)).toEqual(counting(50));
  });

  test('of a second version changes the site; a rollback brings the first back without building', async () => {
    const release = (text: string) => project(plane, 'releases', built(`site({ 'index.html': '${text}' });`));
    const deploy = async (text: string) => {
      const { code, stdout, stderr } = await plane.run(['deploy'], { cwd: release(text) });
      expect(code, stderr).toBe(0);
      return stdout.trim();
    };
    const url = await deploy('one');
    await deploy('two');
    const cwd = release('two');
    expect((await get(url)).body).toBe('two');
    const tasks = plane.ecs.tasks().length;
    const { code, stderr } = await plane.run(['rollback'], { cwd });
    expect(code, stderr).toBe(0);
    expect((await get(url)).body).toBe('one');
    expect(plane.ecs.tasks()).toHaveLength(tasks);
  });

  test('with a build that fails exits with 5 and leaves the site as it was', async () => {
    const cwd = project(plane, 'failing', built(`console.error('no such thing'); process.exit(3);`));
    const { code, stdout, stderr } = await plane.run(['deploy'], { cwd });
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    expect(stderr).toContain('no such thing');
  });

  test('of a slug whose bucket is somebody else’s is refused before the build', async () => {
    const cwd = project(plane, 'somebodys-bucket', built(`site({ 'index.html': 'mine' });`));
    await s3As(plane.s3.stranger).send(new CreateBucketCommand({ Bucket: 'somebodys-bucket' }));
    const tasks = plane.ecs.tasks().length;
    const { code, stdout, stderr } = await plane.run(['deploy'], { cwd });
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain('somebodys-bucket');
    expect(plane.ecs.tasks()).toHaveLength(tasks);
  });
});

test('a secret reaches the build and nothing else: not the log, the website, the database or what is stored in S3', async () => {
  const secret = 'sk_hosted_4242/never+shown again';
  const cwd = project(plane, 'with-a-secret', built(`site({ 'index.html': 'x' });`));
  expect((await plane.run(['deploy'], { cwd })).code).toBe(0);
  const added = await plane.run(['env', 'add', 'API_KEY'], { cwd, input: `${secret}\n` });
  expect(added.code, added.stderr).toBe(0);
  const build = (page: string) =>
    project(
      plane,
      'with-a-secret',
      built(`
        const key = process.env.API_KEY;
        console.log('has ' + key.length + ': ' + key + ' ' + Buffer.from(key).toString('base64'));
        site({ 'index.html': ${page} });
      `),
    );
  build(`'<h1>kept</h1>'`);
  const kept = await plane.run(['deploy'], { cwd });
  expect(kept.code, kept.stderr).toBe(0);
  expect(kept.stderr).toContain(`has ${secret.length}: *** ***`);
  build('key');
  const leaking = await plane.run(['deploy'], { cwd });
  expect(leaking.code).toBe(5);
  expect(leaking.stderr).toContain('the output holds the secret API_KEY in index.html');
  expect((await get(kept.stdout.trim())).body).toBe('<h1>kept</h1>');

  const log = await plane.run(['logs', '--json'], { cwd });
  const listed = await plane.run(['env', 'ls', '--json'], { cwd });
  const client = new pg.Client({ connectionString: plane.environment.DATABASE_URL });
  await client.connect();
  const { rows } = await client.query(
    'select row_to_json(d)::text as row from deployments d union all select row_to_json(e)::text from environment_values e',
  );
  await client.end();
  const seen = [kept.stderr, leaking.stderr, log.stdout, listed.stdout, JSON.stringify(rows)];
  for (const text of [...seen, ...plane.replicas.map((replica) => replica.printed())]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(Buffer.from(secret).toString('base64').slice(0, 30));
  }
});

describe('a task that has never built the project', () => {
  const deploy = async (files: Tree, ...args: string[]) => {
    const cwd = project(plane, 'cached-site', files);
    const { code, stdout, stderr } = await plane.run(['deploy', ...args], { cwd });
    expect(code, stderr).toBe(0);
    return { page: (await get(stdout.trim())).body, stderr };
  };

  test('has node_modules and the framework cache of earlier tasks; a preview reads those of live', async () => {
    const first = await deploy(cachedApp());
    expect(first.page).toBe('hello 1 yes');
    expect(first.stderr).toMatch(/Kept node_modules for the next deployment, \d/);

    const second = await deploy(cachedApp({ 'unrelated.txt': 'changed' }));
    expect(second.page).toBe('hello 2 yes');
    expect(second.stderr).toContain('Reused node_modules');
    expect(second.stderr).not.toContain('$ npm ci');

    const preview = await deploy(cachedApp(), '--preview', 'cached');
    expect(preview.page).toBe('hello 3 yes');
    expect((await deploy(cachedApp(), '--preview', 'cached', '--force')).page).toBe('hello 4 yes');
    // What a preview has kept is its own.
    expect((await deploy(cachedApp({ 'unrelated.txt': 'again' }))).page).toBe('hello 3 yes');

    const changed = await deploy(cachedApp({ '.npmrc': 'loglevel=error\n' }));
    expect(changed.stderr).toContain(
      'node_modules is not reused, because none is kept for what is to be installed',
    );
    const ignoring = await deploy(cachedApp(), '--force', '--no-cache');
    expect(ignoring.page).toBe('hello 1 yes');
  });

  test('does without a cache that is damaged', async () => {
    const client = s3As(plane.s3.credentials);
    const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
    const Bucket = Buckets.map(({ Name }) => Name).find((name) => name?.includes('artifacts'));
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'caches/' }));
    expect(Contents.length).toBeGreaterThan(0);
    for (const { Key } of Contents)
      await client.send(new PutObjectCommand({ Bucket, Key, Body: 'no archive' }));
    const deployed = await deploy(cachedApp({ 'unrelated.txt': 'once more' }));
    expect(deployed.page).toBe('hello 1 yes');
    expect(deployed.stderr).toContain('A cache could not be fetched: tar ended with 2: ');
  });
});

test('a preview has a bucket of its own, is promoted without a task, and ends; live is untouched', async () => {
  const release = (text: string) =>
    project(plane, 'previewed', built(`site({ 'index.html': '${text} ' + process.env.SPHERE_SITE_URL });`));
  const live = (await plane.run(['deploy'], { cwd: release('one') })).stdout.trim();
  const cwd = release('two');
  const deployed = await plane.run(['deploy', '--preview', 'next'], { cwd });
  expect(deployed.code, deployed.stderr).toBe(0);
  expect(deployed.stderr).toContain('Live is untouched.');
  const preview = deployed.stdout.trim();
  expect(preview).toBe(`http://previewed--next.web.localhost:${plane.s3.port}/`);
  expect((await get(preview)).body).toBe(`two ${preview}`);
  expect((await get(live)).body).toBe(`one ${live}`);

  const tasks = plane.ecs.tasks().length;
  const promoted = await plane.run(['promote', 'next'], { cwd });
  expect([promoted.code, promoted.stdout], promoted.stderr).toEqual([0, `${live}\n`]);
  expect((await get(live)).body).toBe(`two ${preview}`);
  expect(plane.ecs.tasks()).toHaveLength(tasks);

  const database = new pg.Client({ connectionString: plane.environment.DATABASE_URL });
  await database.connect();
  await database.query("update targets set expires_at = now() - interval '1 second' where name = 'next'");
  await database.query("delete from duties where name = 'ended previews'");
  expect((await plane.json<{ previews: unknown[] }>(['previews'], { cwd })).previews).toEqual([]);
  // By whichever replica comes first.
  await until('the preview is taken away', async () => {
    const { rows } = await database.query(
      "select from targets where name = 'next' and emptied_at >= removed_at",
    );
    return rows.length === 1;
  });
  await database.end();
  expect([403, 404]).toContain((await visit(plane.s3, 'previewed--next', '/')).status);
  expect((await get(live)).body).toBe(`two ${preview}`);
  // Its bucket is kept, empty: anybody could take the name (T5).
  const again = await plane.run(['deploy', '--preview', 'next'], { cwd });
  expect([again.code, again.stdout], again.stderr).toEqual([0, `${preview}\n`]);
  expect((await plane.run(['rm', 'previewed', '--preview', 'next', '--yes'])).code).toBe(0);
  expect([403, 404]).toContain((await visit(plane.s3, 'previewed--next', '/')).status);
});

test('an upload of a source is for one archive, of 2 GB at most: S3 refuses any other', async () => {
  const digest = randomBytes(32).toString('hex');
  const token = await plane.newToken('uploader');
  const offer = async (archive?: { bytes: number; sha256: string }) => {
    const answer = await fetch(`${plane.replicas[0]?.url}/v1/sources`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ digest, bytes: 1, ...(archive ? { archive } : {}) }),
    });
    return { status: answer.status, body: (await answer.json()) as SourceAnswer };
  };
  expect(await offer()).toEqual({ status: 200, body: { digest, describeArchive: true } });
  expect((await offer({ bytes: 2 ** 31 + 1, sha256: blobOf('archive') })).status).toBe(413);
  const { upload } = (await offer({ bytes: 7, sha256: blobOf('archive') })).body;
  const put = async (body: string) =>
    (await fetch(upload?.url ?? '', { method: 'PUT', headers: upload?.headers ?? {}, body })).status;
  expect(await put('another')).toBeGreaterThanOrEqual(400);
  expect(await put('archive and more')).toBeGreaterThanOrEqual(400);
  expect((await offer()).body).toEqual({ digest, describeArchive: true });
  expect(await put('archive')).toBe(200);
  expect((await offer()).body).toEqual({ digest });
});

describe('in the middle of a build', () => {
  test('a replica is killed: every line is there once, and the deploy ends well', async () => {
    const cwd = project(plane, 'replica-killed', printing(300, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 30$/m);
    await plane.replicas[0]?.kill();
    await run.sees(/^line 200$/m);
    await plane.replicas[0]?.start();
    await plane.replicas[1]?.kill();
    const { code, stdout, stderr } = await run.ended;
    await plane.replicas[1]?.start();
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(300));
    expect((await get(stdout.trim())).body).toBe('<h1>300 lines</h1>');
    expect((await newest('replica-killed')).attempt).toBe(1);
  });

  test('each replica in turn stands still for longer than its lease: the other goes on, and nothing is done twice', async () => {
    const cwd = project(plane, 'standing-still', printing(1_500, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 30$/m);
    for (const replica of plane.replicas) {
      const leased = await plane.leasedUntil('standing-still');
      replica.signal('SIGSTOP');
      // Whoever held the lease of 5 s, somebody goes on: it is renewed, or taken over.
      await until(
        'the deployment is looked after',
        async () => (await plane.leasedUntil('standing-still')) > leased + 7_000,
      );
      replica.signal('SIGCONT');
    }
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(1_500));
    expect((await newest('standing-still')).attempt).toBe(1);
    expect((await get(stdout.trim())).body).toBe('<h1>1500 lines</h1>');
  });

  test('Redis is gone for a while and comes back empty: no line is lost or repeated', async () => {
    const cwd = project(plane, 'redis-killed', printing(300, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 30$/m);
    await plane.redis.kill();
    await until('a replica says what it waits for', async () => {
      const answers = await Promise.all(plane.replicas.map(({ url }) => fetch(`${url}/v1/health`)));
      const healths = await Promise.all(answers.map((answer) => answer.json()));
      return healths.some((health) => JSON.stringify(health).includes('waitingFor'));
    });
    await plane.redis.startEmpty();
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(300));
    expect(printedLines((await plane.run(['logs'], { cwd })).stdout)).toEqual(counting(300));
    expect((await get(stdout.trim())).status).toBe(200);
  });

  test('the task is taken away (Spot): a second attempt on demand, and only its site and result count', async () => {
    const cwd = project(plane, 'task-killed', printing(100, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 30$/m);
    const task = plane.ecs.tasks().at(-1);
    plane.ecs.interrupt(task?.arn ?? '');
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/Attempt 1 was lost: .*Trying once more/);
    expect((await newest('task-killed')).attempt).toBe(2);
    expect((await get(stdout.trim())).body).toBe('<h1>100 lines</h1>');
    expect(plane.ecs.tasks().at(-1)?.input.capacityProviderStrategy?.[0]?.capacityProvider).toBe('FARGATE');
  });

  test('the task runs out of memory: exit code 5, what to do, and no second attempt', async () => {
    const cwd = project(plane, 'out-of-memory', printing(1000, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 10$/m);
    plane.ecs.outOfMemory(plane.ecs.tasks().at(-1)?.arn ?? '');
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }, stderr).toEqual({ code: 5, stdout: '' });
    expect(stderr).toMatch(/memory/i);
    expect((await newest('out-of-memory')).attempt).toBe(1);
  });

  test('it is cancelled from elsewhere: the task is stopped, the terminal says so', async () => {
    const cwd = project(plane, 'cancelled', printing(2000, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 10$/m);
    const { id } = await newest('cancelled');
    expect((await plane.run(['cancel', id])).code).toBe(0);
    const { code } = await run.ended;
    expect(code).toBe(7);
    const task = plane.ecs.tasks().at(-1);
    await plane.ecs.until(() => task?.describe(false).lastStatus === 'STOPPED');
  });

  test('both replicas are upgraded, one after the other: nobody notices', async () => {
    const cwd = project(plane, 'upgraded', printing(250, 20));
    const run = plane.start(['deploy'], { cwd });
    await run.sees(/^line 20$/m);
    for (const replica of plane.replicas) {
      await replica.stop();
      await replica.start();
    }
    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(250));
    expect((await get(stdout.trim())).status).toBe(200);
  });
});

test('PostgreSQL restarts in the middle of a build: the deploy ends well', async () => {
  const cwd = project(plane, 'database-restarted', printing(150, 20));
  const run = plane.start(['deploy'], { cwd });
  await run.sees(/^line 20$/m);
  await plane.postgres.restart();
  const { code, stdout, stderr } = await run.ended;
  expect(code, stderr).toBe(0);
  expect(printedLines(stderr)).toEqual(counting(150));
  expect((await get(stdout.trim())).status).toBe(200);
});

test("another account sees nothing of the team's, and a removed site serves nothing", async () => {
  const cwd = project(plane, 'private-site', built(`site({ 'index.html': 'ours' });`));
  const { stdout } = await plane.run(['deploy'], { cwd });
  const { id } = await newest('private-site');
  const environment = plane.environmentOf(await plane.newToken('others'));
  const inspected = await plane.run(['inspect', id], { environment });
  expect([inspected.code, inspected.stdout]).toEqual([1, '']);
  const theirs = await plane.run(['deploy', '--slug', 'private-site'], { cwd, environment });
  expect([theirs.code, theirs.stdout]).toEqual([4, '']);

  expect((await plane.run(['rm', 'private-site', '--yes'])).code).toBe(0);
  const { status } = await visit(plane.s3, 'private-site', '/');
  expect([403, 404]).toContain(status);
  expect((await plane.run(['deploy'], { cwd })).code).toBe(0);
  expect((await get(stdout.trim())).body).toBe('ours');
});
