/** infra/compose.yaml as docker-compose reads it: who can be reached, and what each container may do. */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { emptyDirectory } from '../files/tree.ts';
import { freePort } from '../peers/free-port.ts';

type Service = {
  image: string;
  ports?: { published: number }[];
  expose?: unknown;
  network_mode?: string;
  privileged?: boolean;
  read_only: boolean;
  security_opt: string[];
  cap_drop: string[];
  cap_add?: string[];
  restart: string;
  healthcheck: { test: string[] };
  command?: string[];
  environment?: Record<string, string>;
  networks: Record<string, { ipv4_address?: string } | null>;
  volumes?: string[];
};
type Compose = { services: Record<string, Service>; networks: Record<string, { internal?: boolean }> };

/** Debian's, which is written for Docker without Compose of its own. */
const program = '/usr/bin/docker-compose';
let compose: Compose;

beforeAll(() => {
  if (!existsSync(program)) throw new Error(`no ${program}: apt-get install docker-compose`);
});

test('docker-compose takes it, with the examples of both environment files', () => {
  const directory = emptyDirectory();
  copyFileSync('infra/compose.yaml', join(directory, 'compose.yaml'));
  copyFileSync('infra/plane.env.example', join(directory, 'plane.env'));
  const example = readFileSync('infra/.env.example', 'utf8');
  writeFileSync(join(directory, '.env'), example.replace(/^(\w+_PASSWORD)=$/gm, '$1=secret'));
  const text = execFileSync(program, ['--file', 'compose.yaml', 'config'], {
    cwd: directory,
    encoding: 'utf8',
  });
  compose = parse(text);
  expect(Object.keys(compose.services).sort()).toEqual(['nginx', 'plane-1', 'plane-2', 'postgres', 'redis']);
});

test('docker-compose says what to set, when a password is missing', () => {
  const directory = emptyDirectory();
  copyFileSync('infra/compose.yaml', join(directory, 'compose.yaml'));
  copyFileSync('infra/plane.env.example', join(directory, 'plane.env'));
  writeFileSync(join(directory, '.env'), 'SPHERE_HOST=sphere.example.com\n');
  const run = () =>
    execFileSync(program, ['--file', 'compose.yaml', 'config'], { cwd: directory, stdio: 'pipe' });
  expect(run).toThrow(/set it in infra\/\.env, as in (DATABASE|REDIS)_URL/);
});

describe('every container', () => {
  test('has a read-only root, gains no rights, keeps no capability that is not named, and is started again', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      expect(service, name).toMatchObject({
        read_only: true,
        security_opt: ['no-new-privileges:true'],
        cap_drop: ['ALL'],
        restart: 'unless-stopped',
        healthcheck: { test: expect.any(Array) },
      });
      expect(service.privileged ?? service.network_mode, name).toBeUndefined();
    }
    for (const name of ['plane-1', 'plane-2', 'redis'])
      expect(compose.services[name]?.cap_add).toBeUndefined();
  });

  test('is of an exact version, the replicas of the one that is built', () => {
    const images = Object.values(compose.services).map(({ image }) => image);
    for (const image of images) expect(image).toMatch(/^sphere-plane:latest$|:\d+\.\d+(\.\d+)?-/);
  });
});

describe('from outside', () => {
  test('only Nginx can be reached, on 80 and 443', () => {
    const open = Object.entries(compose.services).flatMap(([name, { ports = [] }]) =>
      ports.map(({ published }) => `${name} ${published}`),
    );
    expect(open).toEqual(['nginx 80', 'nginx 443']);
  });

  test('PostgreSQL and Redis are in a network that leads nowhere, and Nginx is not in it', () => {
    expect(compose.networks.data).toMatchObject({ internal: true });
    for (const name of ['postgres', 'redis']) {
      expect(Object.keys(compose.services[name]?.networks ?? {})).toEqual(['data']);
    }
    expect(Object.keys(compose.services.nginx?.networks ?? {})).toEqual(['front']);
  });
});

test('Nginx finds the replicas where they are, and they believe it and nobody else', () => {
  const addressOf = (name: string) => compose.services[name]?.networks.front?.ipv4_address;
  const { SPHERE_REPLICA_1, SPHERE_REPLICA_2 } = compose.services.nginx?.environment ?? {};
  expect([SPHERE_REPLICA_1, SPHERE_REPLICA_2]).toEqual([
    `${addressOf('plane-1')}:3000`,
    `${addressOf('plane-2')}:3000`,
  ]);
  for (const name of ['plane-1', 'plane-2']) {
    expect(compose.services[name]?.environment).toMatchObject({
      SPHERE_TRUSTED_PROXIES: addressOf('nginx'),
      SPHERE_LISTEN: '0.0.0.0:3000',
    });
  }
});

test('Nginx is given every name that its template has', () => {
  const template = readFileSync('infra/nginx/sphere.conf', 'utf8');
  const names = new Set([...template.matchAll(/\$\{(\w+)\}/g)].map((match) => match[1]));
  expect([...names].sort()).toEqual(
    Object.keys(compose.services.nginx?.environment ?? {})
      .filter((name) => name.startsWith('SPHERE_'))
      .sort(),
  );
});

test("Redis starts with the command's settings: a password, a full memory that refuses, and it ends when it is asked to", async () => {
  const directory = emptyDirectory();
  const port = await freePort();
  const [shell = '', ...args] = compose.services.redis?.command ?? [];
  const script = args
    .at(-1)
    ?.replaceAll('$$', '$')
    .replace('dir /data', `dir ${directory}\nport ${port}\nbind 127.0.0.1`);
  const server = spawn(shell, ['-c', script ?? ''], {
    env: { PATH: process.env.PATH, REDISCLI_AUTH: 'secret', REDIS_MEMORY: '64mb' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('exit', () => reject(new Error('redis-server did not start')));
      server.stdout.setEncoding('utf8').on('data', (text: string) => {
        if (text.includes('Ready to accept connections')) resolve();
      });
    });
    const ask = (...command: string[]) =>
      execFileSync('redis-cli', ['-p', String(port), ...command], {
        encoding: 'utf8',
        env: { PATH: process.env.PATH, REDISCLI_AUTH: 'secret' },
      }).trim();
    expect(ask('config', 'get', 'maxmemory-policy')).toBe('maxmemory-policy\nnoeviction');
    expect(ask('config', 'get', 'maxmemory')).toBe(`maxmemory\n${64 * 1024 ** 2}`);
    expect(ask('config', 'get', 'appendonly')).toBe('appendonly\nyes');
    const stranger = execFileSync('redis-cli', ['-p', String(port), 'ping'], { encoding: 'utf8' });
    expect(stranger).toContain('NOAUTH');
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain('secret');
  } finally {
    server.kill('SIGTERM');
    await ended;
  }
  expect(() => execFileSync('redis-cli', ['-p', String(port), 'ping'], { stdio: 'pipe' })).toThrow();
});
