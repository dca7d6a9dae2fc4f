/** Tasks of the emulator as real containers: how they end is what the kernel and Docker make of it. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Docker, startDocker } from '../peers/docker.ts';
import { createDockerLauncher } from '../peers/ecs/launchers.ts';
import { build, openEcs, openRunner, programs, settings } from './open-ecs.ts';

const all = {
  ...programs,
  hungry: 'const all = []; setInterval(() => all.push(Buffer.alloc(64e6, 1)), 5);',
};

let docker: Docker;
beforeAll(async () => {
  docker = await startDocker();
  const root = mkdtempSync(join(tmpdir(), 'sphere-root-'));
  try {
    await importPrograms(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
afterAll(() => docker.stop());

/** An image for each program: this machine's Node, its libraries, and nothing else. */
async function importPrograms(root: string): Promise<void> {
  const copy = (from: string, to: string) => {
    mkdirSync(join(root, dirname(to)), { recursive: true });
    cpSync(from, join(root, to), { dereference: true });
  };
  copy(process.execPath, '/usr/bin/node');
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' }).match(/\/\S+/g) ?? [];
  for (const library of libraries) copy(library, library);
  for (const [name, text] of Object.entries(all)) writeFileSync(join(root, `${name}.cjs`), text);
  const archive = join(root, 'image.tar');
  execFileSync('tar', ['--exclude', 'image.tar', '-C', root, '-cf', archive, '.']);
  for (const name of Object.keys(all))
    await docker.run('import', '--change', `ENTRYPOINT ["/usr/bin/node","/${name}.cjs"]`, archive, name);
}

async function open(image: string) {
  const launch = createDockerLauncher({ environment: docker.environment, image });
  const ecs = await openEcs({ launch, fate: { missingLooks: 0 } });
  const small = { ...settings, size: { cpu: 256, memoryMiB: 512 } };
  const runner = openRunner(ecs, { settings: small });
  const ref = await runner.start(build('dpl_a'));
  const task = () => ecs.tasks()[0];
  return {
    ecs,
    runner,
    ref,
    task,
    until: (status: string) => ecs.until(() => task()?.lastStatus === status),
  };
}

test('T20: a container is told what the overrides say, and nothing of this machine', async () => {
  const { task, until } = await open('telling');
  await until('STOPPED');
  const told = Object.keys(JSON.parse(task()?.output ?? '')).sort();
  expect(told).toEqual([
    'HOME',
    'HOSTNAME',
    'PATH',
    'SPHERE_ATTEMPT',
    'SPHERE_BOOTSTRAP_TOKEN',
    'SPHERE_DEPLOYMENT',
    'SPHERE_PLANE_URL',
  ]);
});

test('T24: a container is stopped by SIGTERM, and gone', async () => {
  const { ecs, runner, ref, task, until } = await open('working');
  await ecs.until(() => task()?.output.includes('working') ?? false);
  expect(await runner.stop(ref)).toBe(false);
  await until('STOPPED');
  expect(task()?.describe(false).containers[0]).toMatchObject({ exitCode: 143 });
  expect(await docker.run('ps', '--all', '--quiet')).toBe('');
});

test('T22: a container that needs more memory than its task has is told from one that was killed', async () => {
  const hungry = await open('hungry');
  await hungry.until('STOPPED');
  expect(await hungry.runner.states([hungry.ref])).toMatchObject([
    { state: 'ended', reason: 'out_of_memory' },
  ]);
  const killed = await open('deaf');
  await killed.ecs.until(() => killed.task()?.output.includes('working') ?? false);
  killed.task()?.kill();
  await killed.until('STOPPED');
  expect(await killed.runner.states([killed.ref])).toMatchObject([
    { state: 'ended', reason: 'infrastructure', error: { message: expect.stringContaining('SIGKILL') } },
  ]);
});

test('T22, T23: an image that cannot be had is a container that never started', async () => {
  const { runner, ref, task, until } = await open('localhost:1/absent:1');
  await until('STOPPED');
  expect(task()?.describe(false).containers[0]).not.toHaveProperty('exitCode');
  expect(await runner.states([ref])).toMatchObject([
    {
      state: 'ended',
      reason: 'infrastructure',
      error: { message: expect.stringContaining('not be started') },
    },
  ]);
});
