/** The hosted plane's configuration: what it takes, what it refuses, and that no secret is in what it says. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hostedEnvironment } from '../../contract/environment.ts';
import type { SphereError } from '../../contract/errors.ts';
import { readHostedConfig } from '../../server/hosted-config.ts';
import { isHosted } from '../../server/is-hosted.ts';
import { hostedTestEnvironment as least } from './hosted-environment.ts';

type Change = Record<string, string | undefined>;
const read = (change: Change = {}) => readHostedConfig({ ...least, ...change });

/** Every line of what is wrong. */
function problems(change: Change): string[] {
  try {
    read(change);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIGURATION_INVALID' });
    return (error as SphereError).details ?? [];
  }
}

test('the least that a hosted plane needs gives it everything', () => {
  expect(read()).toEqual({
    database: { url: least.DATABASE_URL, connections: 10 },
    redis: { url: least.REDIS_URL },
    sites: 's3',
    builds: 'ecs',
    publicUrl: 'https://sphere.example.com',
    listen: { host: '127.0.0.1', port: 3000 },
    key: Buffer.from(least.SPHERE_KEY ?? '', 'hex'),
    previousKey: null,
    adminToken: null,
    region: 'eu-central-1',
    regions: ['eu-central-1'],
    accountId: '123456789012',
    s3: {
      bucketNames: 'slug',
      bucketPrefix: null,
      artifactPrefix: 'sphere-artifacts',
      endpoint: null,
      website: null,
      contentCheck: 'x-amz-checksum-sha256',
    },
    ecs: {
      cluster: 'sphere',
      taskDefinition: 'sphere-builder',
      container: 'builder',
      subnets: ['subnet-0a1b2c3d', 'subnet-4e5f60718293a4b5c'],
      securityGroups: ['sg-0a1b2c3d'],
      assignPublicIp: true,
      capacity: 'spot-then-on-demand',
      endpoint: null,
    },
    maxBuilds: 20,
    maxBuildsPerAccount: 20,
    quotas: { projects: 500, previews: 50 },
    timeLimitMs: 45 * 60_000,
    startLimitMs: 10 * 60_000,
    leaseMs: 30_000,
    maxLogBytes: 200_000_000,
    trustedProxies: ['loopback'],
    gitHosts: [],
    requestsPerMinute: 1200,
    refusalsPerMinute: 60,
    oidcIssuers: [],
  });
});

test('the example of infra lacks nothing but the key', () => {
  const lines = readFileSync('infra/plane.env.example', 'utf8').matchAll(/^([A-Z_]+)=(.*)$/gm);
  const example = Object.fromEntries([...lines].map(([, name, value]) => [name, value]));
  expect(() => readHostedConfig({ ...example, SPHERE_KEY: least.SPHERE_KEY })).not.toThrow();
});

const arn = (kind: string, name: string, region = 'eu-central-1', account = '123456789012') =>
  `arn:aws:ecs:${region}:${account}:${kind}/${name}`;
const base64Key = Buffer.alloc(32, 7).toString('base64');

describe('takes', () => {
  test.each<[string, Change, object]>([
    ['a blank value as unset', { SPHERE_LISTEN: ' ', SPHERE_S3_ENDPOINT: '' }, { listen: { port: 3000 } }],
    [
      'another address to listen on',
      { SPHERE_LISTEN: '0.0.0.0:80' },
      { listen: { host: '0.0.0.0', port: 80 } },
    ],
    ['an IPv6 address', { SPHERE_LISTEN: '[::]:3000' }, { listen: { host: '::', port: 3000 } }],
    [
      'http on this machine',
      { SPHERE_PUBLIC_URL: 'http://127.0.0.1:80/' },
      { publicUrl: 'http://127.0.0.1' },
    ],
    ['http on localhost', { SPHERE_PUBLIC_URL: 'http://localhost:81' }, { publicUrl: 'http://localhost:81' }],
    ['a key as base64', { SPHERE_KEY: base64Key }, { key: Buffer.alloc(32, 7) }],
    ['a key with the line break of a file', { SPHERE_KEY: `${base64Key}\n` }, { key: Buffer.alloc(32, 7) }],
    ['an admin token', { SPHERE_ADMIN_TOKEN: 'a'.repeat(32) }, { adminToken: 'a'.repeat(32) }],
    ['regions', { SPHERE_REGIONS: 'us-east-1, us-gov-west-1' }, { regions: ['us-east-1', 'us-gov-west-1'] }],
    [
      'names with a prefix',
      { SPHERE_BUCKET_NAMES: 'prefix', SPHERE_BUCKET_PREFIX: 'acme-' },
      { s3: { bucketNames: 'prefix', bucketPrefix: 'acme-' } },
    ],
    [
      'ARNs of this account and region',
      {
        SPHERE_ECS_CLUSTER: arn('cluster', 'c'),
        SPHERE_ECS_TASK_DEFINITION: arn('task-definition', 'b:3'),
      },
      { ecs: { cluster: arn('cluster', 'c'), taskDefinition: arn('task-definition', 'b:3') } },
    ],
    ['no public addresses', { SPHERE_ECS_ASSIGN_PUBLIC_IP: 'false' }, { ecs: { assignPublicIp: false } }],
    ['limits', { SPHERE_MAX_BUILDS: '500' }, { maxBuilds: 500, maxBuildsPerAccount: 500 }],
    [
      'times',
      { SPHERE_BUILD_MINUTES: '60', SPHERE_START_MINUTES: '5', SPHERE_LEASE_SECONDS: '5' },
      { timeLimitMs: 3_600_000, startLimitMs: 300_000, leaseMs: 5_000 },
    ],
    [
      'proxies',
      { SPHERE_TRUSTED_PROXIES: 'loopback, 10.0.0.0/8, ::1' },
      { trustedProxies: ['loopback', '10.0.0.0/8', '::1'] },
    ],
    [
      'hosts of repositories',
      { SPHERE_GIT_HOSTS: 'Git.Corp.Example, 10.0.0.5:8443' },
      { gitHosts: ['git.corp.example', '10.0.0.5:8443'] },
    ],
    [
      'issuers of ID tokens',
      {
        SPHERE_OIDC_ISSUERS:
          'gitlab=https://gitlab.example.com,github=https://ghe.example.com/_services/token',
      },
      {
        oidcIssuers: [
          { provider: 'gitlab', url: 'https://gitlab.example.com', keys: null },
          { provider: 'github', url: 'https://ghe.example.com/_services/token', keys: null },
        ],
      },
    ],
    [
      'an S3-compatible store',
      {
        SPHERE_S3_ENDPOINT: 'http://127.0.0.1:7480/',
        SPHERE_S3_WEBSITE: 'http://{bucket}.web.localhost:7480',
      },
      { s3: { endpoint: 'http://127.0.0.1:7480', website: 'http://{bucket}.web.localhost:7480' } },
    ],
    [
      'regions of an S3-compatible store',
      {
        SPHERE_S3_ENDPOINT: 'http://s3',
        SPHERE_S3_WEBSITE: 'http://{bucket}.{region}.web',
        SPHERE_REGIONS: 'here,there',
      },
      { regions: ['here', 'there'] },
    ],
    ['a database behind a socket', { DATABASE_URL: 'postgres:///sphere?host=/run/postgresql' }, {}],
    [
      'names that Kubernetes sets for a service',
      { SPHERE_SERVICE_HOST: '10.0.0.1', SPHERE_PORT: 'tcp://x' },
      {},
    ],
  ])('%s', (_what, change, config) => {
    expect(read(change)).toMatchObject(config);
  });

  test('a key from a file that others cannot read', () => {
    expect(read({ SPHERE_KEY: undefined, SPHERE_KEY_FILE: keyFile(base64Key, 0o640) }).key).toEqual(
      Buffer.alloc(32, 7),
    );
  });
});

function keyFile(content: string, mode: number): string {
  const directory = mkdtempSync(join(tmpdir(), 'sphere-key-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'key'), content);
  chmodSync(join(directory, 'key'), mode);
  return join(directory, 'key');
}

describe('refuses, in one line that says what it is and what to set,', () => {
  test.each<[name: string, value: string | undefined, line: RegExp]>([
    ['DATABASE_URL', 'mysql://db/sphere', /is "mysql:\/\/db\/sphere"; set it to .*postgres:\/\//],
    ['DATABASE_URL', 'postgres://db', /is "postgres:\/\/db"; set it to /],
    [
      'DATABASE_URL',
      `${least.DATABASE_URL}?sslmode=verify_full`,
      /has sslmode=verify_full; set it to verify-full/,
    ],
    ['SPHERE_DATABASE_CONNECTIONS', '0', /is "0"; set it to a whole number from 2 to 500, such as 10$/],
    ['REDIS_URL', 'redis.example.com:6379', /\(not shown\); set it to .*rediss:\/\//],
    ['SPHERE_SITES', undefined, /is not set; set it to s3$/],
    ['SPHERE_SITES', 'S3', /is "S3"; set it to s3 \(did you mean SPHERE_SITES=s3\?\)$/],
    ['SPHERE_BUILDS', 'fargate', /is "fargate"; set it to ecs$/],
    [
      'SPHERE_PUBLIC_URL',
      'sphere.example.com',
      /set it to an https address .* https:\/\/sphere\.example\.com$/,
    ],
    ['SPHERE_PUBLIC_URL', 'http://sphere.example.com', /set it to an https address/],
    ['SPHERE_PUBLIC_URL', 'https://sphere.example.com/v1', /without a path/],
    ['SPHERE_LISTEN', '3000', /is "3000"; set it to HOST:PORT, such as 127\.0\.0\.1:3000$/],
    ['SPHERE_LISTEN', '127.0.0.1:70000', /set it to HOST:PORT/],
    ['SPHERE_KEY', undefined, /is not set; set it to .*openssl rand -hex 32.*SPHERE_KEY_FILE/],
    ['SPHERE_KEY', 'abc123', /is a text of 6 characters \(not shown\); set it to /],
    ['SPHERE_ADMIN_TOKEN', 'short', /is a text of 5 characters \(not shown\); set it to at least 32/],
    ['AWS_REGION', 'Frankfurt', /is "Frankfurt"; set it to .* such as eu-central-1$/],
    [
      'SPHERE_REGIONS',
      'us-east-1,mars',
      /where "mars" cannot be; set it to .* such as eu-central-1,us-east-1$/,
    ],
    ['SPHERE_ACCOUNT_ID', '1234', /is "1234"; set it to the 12 digits .* 123456789012$/],
    ['SPHERE_BUCKET_NAMES', 'account-regionl', /set it to slug, prefix or account-regional \(did you mean/],
    ['SPHERE_BUCKET_NAMES', 'prefix', /^SPHERE_BUCKET_PREFIX is not set; set it to .* such as acme-$/],
    ['SPHERE_BUCKET_PREFIX', 'acme-', /SPHERE_BUCKET_NAMES to prefix or account-regional, or unset/],
    ['SPHERE_ARTIFACT_PREFIX', 'Artifacts', /set it to .* such as sphere-artifacts$/],
    ['SPHERE_ECS_CLUSTER', undefined, /is not set; set it to .* such as sphere$/],
    ['SPHERE_ECS_CLUSTER', arn('cluster', 'c', 'eu-west-1'), /in AWS_REGION and SPHERE_ACCOUNT_ID/],
    ['SPHERE_ECS_TASK_DEFINITION', 'builder:latest', /FAMILY:REVISION/],
    ['SPHERE_ECS_CONTAINER', 'a b', /such as builder$/],
    ['SPHERE_ECS_SUBNETS', 'subnet-0a1b2c3d,vpc-1', /where "vpc-1" cannot be; set it to .*subnet-/],
    ['SPHERE_ECS_SUBNETS', Array(17).fill('subnet-0a1b2c3d').join(), /a list of 17; set it to one to 16/],
    ['SPHERE_ECS_SECURITY_GROUPS', 'default', /where "default" cannot be; .* such as sg-0a1b2c3d$/],
    ['SPHERE_ECS_ASSIGN_PUBLIC_IP', 'yes', /set it to true or false/],
    ['SPHERE_ECS_CAPACITY', 'on_demand', /did you mean SPHERE_ECS_CAPACITY=on-demand\?/],
    ['SPHERE_MAX_BUILDS', '5001', /a whole number from 1 to 5000/],
    ['SPHERE_MAX_BUILDS', '1e3', /a whole number from 1 to 5000/],
    ['SPHERE_MAX_BUILDS_PER_ACCOUNT', '-1', /a whole number from 1 to 5000/],
    ['SPHERE_BUILD_MINUTES', '0.5', /a whole number/],
    ['SPHERE_START_MINUTES', 'ten', /a whole number/],
    ['SPHERE_LEASE_SECONDS', '4', /from 5 to 300, such as 30$/],
    ['SPHERE_MAX_LOG_BYTES', '10', /a whole number/],
    ['SPHERE_TRUSTED_PROXIES', '10.0.0.0/33', /such as loopback,10\.0\.0\.0\/8$/],

    [
      'SPHERE_S3_ENDPOINT',
      'http://s3.example.com',
      /^SPHERE_S3_WEBSITE is not set; set it to an address with \{bucket\}/,
    ],
    ['SPHERE_S3_WEBSITE', 'http://{bucket}.example.com', /SPHERE_S3_ENDPOINT is not; set it, too/],
    ['AWS_REGION', 'eu-centrl-1', /is "eu-centrl-1"; set it to .* such as eu-central-1$/],
    ['SPHERE_S3_CONTENT_CHECK', 'sha256', /set it to x-amz-checksum-sha256 or x-amz-content-sha256/],
    ['SPHERE_ECS_ENDPOINT', 'ftp://x', /set it to an address/],
    ['SPHERE_ECS_SUBNET', 'subnet-1', /is a name that Sphere does not know; set SPHERE_ECS_SUBNETS instead/],
    ['SPHERE_DATABASE_CONECTIONS', '5', /set SPHERE_DATABASE_CONNECTIONS instead/],
  ])('%s=%s', (name, value, line) => {
    const [problem, ...more] = problems({ [name]: value });
    expect(more).toEqual([]);
    expect(problem).toMatch(line);
    if (!line.source.startsWith('^')) expect(problem).toMatch(new RegExp(`^${name} `));
    expect(problem).not.toContain('\n');
  });

  test.each([
    [
      'everybody can read',
      base64Key,
      0o644,
      /SPHERE_KEY_FILE is ".*", which everybody .*mode 644.*`chmod 600 /,
    ],
    ['holds no key', 'not a key', 0o600, /which holds a text of 9 characters \(not shown\)/],
  ])('a key file that %s', (_what, content, mode, line) => {
    const found = problems({ SPHERE_KEY: undefined, SPHERE_KEY_FILE: keyFile(content, mode) });
    expect(found).toEqual([expect.stringMatching(line)]);
  });

  test('a key file that is not there, and a key twice', () => {
    expect(problems({ SPHERE_KEY_FILE: '/no/such/key' })).toEqual([
      expect.stringContaining('both set'),
      expect.stringMatching(/"\/no\/such\/key", which cannot be read \(ENOENT\)/),
    ]);
  });

  test('account-regional names where AWS has none (T5)', () => {
    const change = { SPHERE_BUCKET_NAMES: 'account-regional', SPHERE_BUCKET_PREFIX: 'acme' };
    expect(problems({ ...change, SPHERE_REGIONS: 'eu-central-1,me-south-1' })).toEqual([
      expect.stringMatching(/me-south-1 does not have/),
    ]);
  });
});

test('everything that is wrong is said at once', () => {
  const found = problems(Object.fromEntries(Object.keys(least).map((name) => [name, undefined])));
  const names = found.map((line) => line.split(' ')[0]);
  expect(names.sort()).toEqual(Object.keys(least).sort());
  expect(found.every((line) => line.includes(' is not set; set it to '))).toBe(true);
});

test('every value of the table is wrong in some way that is said', () => {
  const optional = ['SPHERE_KEY_FILE', 'SPHERE_BUCKET_PREFIX'];
  for (const name of Object.keys(hostedEnvironment).filter((one) => !optional.includes(one)))
    expect([name, problems({ [name]: '\u0007 ???' }).join('\n')]).toEqual([
      name,
      expect.stringContaining(name),
    ]);
});

describe('no secret is in what it says:', () => {
  const secretKey = `s3cret${'A'.repeat(37)}`;
  test.each<[string, Change]>([
    ['an address of another kind', { DATABASE_URL: 'mysql://sphere:s3cret@db/sphere' }],
    ['a password with what should be escaped', { DATABASE_URL: 'postgres://sphere:a/s3cret#@x@db/sphere' }],
    ['a password in the query', { DATABASE_URL: 'postgres://db?password=s3cret' }],
    ['a password where an address should be', { DATABASE_URL: 's3cret' }],
    ['a password for Redis', { REDIS_URL: 'http://:s3cret@redis' }],
    [
      'a user and password in the public address',
      { SPHERE_PUBLIC_URL: 'https://me:s3cret@sphere.example.com' },
    ],
    [
      'a password for a store',
      { SPHERE_S3_ENDPOINT: 'https://me:s3cret@s3', SPHERE_S3_WEBSITE: 'http://{bucket}.web' },
    ],
    ['a key where the name of its file should be', { SPHERE_KEY: undefined, SPHERE_KEY_FILE: secretKey }],
    ['a key that is too short', { SPHERE_KEY: 's3cret' }],
    ['an admin token that is too short', { SPHERE_ADMIN_TOKEN: 's3cret' }],
  ])('%s', (_what, change) => {
    const found = problems(change);
    expect(found).toHaveLength(1);
    expect(found.join()).not.toContain('s3cret');
  });
});

describe('a plane is hosted', () => {
  test.each<[string, Change, boolean]>([
    ['with a whole configuration', {}, true],
    ['also with a wrong one', { SPHERE_SITES: 'none', REDIS_URL: undefined }, true],
    ['not without a database', { DATABASE_URL: undefined }, false],
    ['not with an empty one', { DATABASE_URL: '' }, false],
  ])('%s', (_what, change, hosted) => {
    expect(isHosted({ ...least, ...change })).toBe(hosted);
  });

  test("not because somebody's application has a database and Redis", () => {
    expect(isHosted({ DATABASE_URL: 'postgres://localhost/shop', REDIS_URL: 'redis://localhost' })).toBe(
      false,
    );
  });
});
