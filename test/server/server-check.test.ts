/** `sphere server check` as a whole, and the public address, which is only a warning. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Context } from '../../cli/command.ts';
import { command } from '../../cli/commands/server.ts';
import { builderContractVersion } from '../../contract/version.ts';
import { checkPublicUrl } from '../../server/checks/public-url.ts';
import { runChecks } from '../../server/checks/run-checks.ts';
import { openPostgresDatabase } from '../../server/database/postgres.ts';
import { startAws } from '../peers/aws-answers.ts';
import { freePort } from '../peers/free-port.ts';
import { type Postgres, startPostgres } from '../peers/postgres.ts';
import { startRedis, type TestRedis } from '../peers/redis.ts';
import { hostedTestEnvironment } from './hosted-environment.ts';

let postgres: Postgres;
let redis: TestRedis;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis([['requirepass', 'redis-secret']])]);
}, 60_000);
afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop()]);
});

describe('the public address', () => {
  async function serve(status: number, body: string): Promise<string> {
    const server = createServer((_request, response) => response.writeHead(status).end(body)).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  test('that answers as a plane does passes', async () => {
    const url = await serve(200, '{"status":"ok","version":"9.9.9"}');
    expect(await checkPublicUrl(url)).toEqual([
      { name: 'public address', ok: true, seen: `${url} answers: Sphere 9.9.9` },
    ]);
  });

  test.each<[string, () => Promise<string>, RegExp]>([
    ['is a proxy without a plane', () => serve(502, 'Bad Gateway'), /HTTP 502/],
    ['is something else', () => serve(200, '<html>'), /not as a plane does/],
    ['does not answer', async () => `http://127.0.0.1:${await freePort()}`, /ECONNREFUSED/],
    ['does not resolve', async () => 'https://sphere.invalid', /sphere\.invalid/],
  ])('that %s is a warning', async (_what, url, seen) => {
    const [check] = await checkPublicUrl(await url());
    expect(check).toMatchObject({ ok: true, seen: expect.stringMatching(seen), fix: expect.any(String) });
  });
});

describe('a check', () => {
  test('that hangs or breaks fails by itself, in its place', async () => {
    const good = { name: 'good', ok: true, seen: 'well' };
    const checks = [
      { name: 'slow', run: () => new Promise<never>(() => {}) },
      { name: 'broken', run: () => Promise.reject(new TypeError('no such thing')) },
      { name: 'good', run: async () => [good] },
    ];
    expect(await runChecks(checks, 50)).toEqual([
      { name: 'slow', ok: false, seen: 'no answer within 0.05 s', fix: expect.any(String) },
      { name: 'broken', ok: false, seen: 'TypeError: no such thing' },
      good,
    ]);
  });
});

/** As it should be registered. */
const taskDefinition = (image: string) => ({
  family: 'sphere-builder',
  revision: 1,
  status: 'ACTIVE',
  networkMode: 'awsvpc',
  compatibilities: ['EC2', 'FARGATE'],
  cpu: '1024',
  memory: '2048',
  executionRoleArn: 'arn:aws:iam::123456789012:role/sphere-execution',
  containerDefinitions: [
    {
      name: 'builder',
      image,
      logConfiguration: { logDriver: 'awslogs', options: { mode: 'non-blocking' } },
    },
  ],
});

describe('sphere server check', () => {
  const check = (environment: Record<string, string | undefined>) => {
    const output = { busy() {}, idle() {} };
    const context = { environment: { forChildren: environment }, output } as unknown as Context;
    const found = command.subcommands?.find(({ name }) => name === 'check');
    return found?.run(context, [], {} as never);
  };

  /** Everything there and right, as far as it can be without AWS. */
  async function rightEnvironment() {
    const aws = await startAws();
    onTestFinished(() => aws.stop());
    const url = await postgres.createDatabase();
    await (await openPostgresDatabase({ url, connections: 2, report: () => {} })).close();
    vi.stubEnv('AWS_ENDPOINT_URL', aws.url);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    onTestFinished(() => void vi.unstubAllEnvs());
    const image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/sphere-builder:1';
    aws.clusters.sphere = { status: 'ACTIVE', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] };
    aws.taskDefinitions['sphere-builder'] = taskDefinition(image);
    aws.addImage('sphere-builder:1', { 'sphere.contract': String(builderContractVersion) }, 'amd64');
    aws.defaultQuotas = { 'L-36FBB829': 4000, 'L-3032A538': 4000 };
    const environment = {
      ...hostedTestEnvironment,
      DATABASE_URL: url,
      REDIS_URL: redis.url.replace('redis://', 'redis://:redis-secret@'),
      // Nobody resolves a bucket's or an account's name in front of this one.
      SPHERE_S3_ENDPOINT: 'http://127.0.0.1:9',
      SPHERE_S3_WEBSITE: 'http://{bucket}.localhost:9',
      SPHERE_PUBLIC_URL: `http://127.0.0.1:${await freePort()}`,
    };
    return { aws, environment };
  }

  test('has a line for each, and passes when all do', async () => {
    const { environment } = await rightEnvironment();
    const result = await check(environment);
    expect(result).toMatchObject({ failed: false, json: { ok: true } });
    const lines = result?.text?.split('\n').map((line) => line.split(':')[0] ?? '');
    expect(lines?.filter((line) => !line.startsWith('      '))).toEqual([
      'ok    configuration',
      'ok    database',
      'ok    migrations',
      'ok    key',
      'ok    database clock',
      'ok    redis',
      'ok    redis memory policy',
      'ok    redis mode',
      'ok    AWS identity',
      'ok    image in ECR',
      'ok    Fargate Spot quota',
      'ok    Fargate On-Demand quota',
      'ok    ECS settings',
      'ok    ECS cluster',
      'ok    ECS capacity providers',
      'ok    task definition',
      'ok    task role',
      'ok    network mode',
      'ok    Fargate',
      'ok    task size',
      'ok    platform',
      'ok    execution role',
      'ok    builder container',
      'ok    builder image',
      'ok    secrets in the task',
      'ok    task log',
      'ok    public address',
    ]);
  });

  test('fails with what to do below each that does, and with no secret', async () => {
    const { environment } = await rightEnvironment();
    const result = await check({
      ...environment,
      DATABASE_URL: await postgres.createDatabase(),
      REDIS_URL: environment.REDIS_URL.replace('redis-secret', 'wrong-secret'),
      SPHERE_ECS_TASK_DEFINITION: 'nothing',
    });
    expect(result?.failed).toBe(true);
    expect(result?.text).toMatch(/^FAIL {2}migrations: pending: .*\n {6}Start one replica/m);
    expect(result?.text).toMatch(/^FAIL {2}redis: .*WRONGPASS.*\n {6}Set user and password/m);
    expect(result?.text).toMatch(
      /^FAIL {2}image in ECR: ClientException.*\nFAIL.*\n {6}Set SPHERE_ECS_TASK_DEFINITION/m,
    );
    expect(JSON.stringify(result)).not.toMatch(/-secret|postgres-test-password/);
  });

  test('T21: fails for a task definition with a task role', async () => {
    const { aws, environment } = await rightEnvironment();
    const taskRoleArn = 'arn:aws:iam::123456789012:role/admin';
    Object.assign(aws.taskDefinitions['sphere-builder'] ?? {}, { taskRoleArn });
    const result = await check(environment);
    expect(result?.failed).toBe(true);
    expect(result?.text).toMatch(/^FAIL {2}task role: arn:.*role\/admin\n {6}.*without taskRoleArn/m);
  });

  test('of a wrong configuration is the list of what is wrong, with exit code 2', async () => {
    await expect(
      check({ ...hostedTestEnvironment, SPHERE_SITES: 'disk', AWS_REGION: undefined }),
    ).rejects.toMatchObject({
      code: 'CONFIGURATION_INVALID',
      details: [expect.stringContaining('SPHERE_SITES'), expect.stringContaining('AWS_REGION')],
    });
  });
});
