/** Commands as another user: what they leave running is ended, however it defends itself. Runs as root, as the builder does there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { endProcessesOf, machineFor, parseBuildUser } from '../../builder/command/build-user.ts';
import { readConfig } from '../../builder/config.ts';

/** A user that nobody has. */
const user = { uid: 54_321, gid: 54_321 };

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        return /^Uid:.*\b54321\b/m.test(status) && !/^State:\s+Z/m.test(status);
      } catch {
        return false;
      }
    });
}

/** Starts `script` as the user, and waits for its first output. */
async function start(script: string): Promise<void> {
  const child = spawn('/bin/sh', ['-c', script], {
    ...user,
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
}

test.each([
  [
    'sessions of their own that ignore signals',
    `setsid sh -c 'trap "" TERM INT HUP; while :; do sleep 1; done' & echo on; wait`,
  ],
  ['a chain of processes, each of which starts the next and ends', `f() { ( f & ) ; }; echo on; f`],
  [
    'one that kills whatever else its user starts',
    `echo on; trap "" TERM; while :; do for p in /proc/[0-9]*; do p=\${p#/proc/}; [ $p = $$ ] || kill -9 $p; done; done 2>/dev/null`,
  ],
])('%s are ended, all of them', async (_, script) => {
  // Many times: what a single look at the list of processes misses, it misses now and then.
  for (let time = 0; time < 30; time++) {
    await start(script);
    await endProcessesOf(user);
    expect(processes()).toEqual([]);
  }
});

test('where nothing runs, nothing is done', async () => {
  await endProcessesOf(user);
  expect(processes()).toEqual([]);
});

test.each([
  ['10001:10002', { uid: 10_001, gid: 10_002 }],
  ['0:0', null],
  ['0:10001', null],
  ['10001', null],
  ['build', null],
  ['', null],
])('SPHERE_BUILD_USER=%s is read', (text, expected) => {
  expect(parseBuildUser(text)).toEqual(expected);
});

test('a wrong SPHERE_BUILD_USER is refused, and not taken for none', () => {
  const environment = {
    SPHERE_PLANE_URL: 'http://127.0.0.1:1',
    SPHERE_DEPLOYMENT: 'dep_test',
    SPHERE_ATTEMPT: '1',
    SPHERE_BOOTSTRAP_TOKEN: 'token',
    SPHERE_WORK_DIRECTORY: '/work',
    SPHERE_CACHE_DIRECTORY: '/cache',
  };
  expect(readConfig(environment).buildUser).toBe(null);
  expect(() => readConfig({ ...environment, SPHERE_BUILD_USER: 'root' })).toThrow(/started by a plane/);
});

test("the builder's home is not the commands'", () => {
  const machine = { HOME: '/root', USER: 'root', PATH: '/bin' };
  expect(machineFor(user, machine, '/work')).toEqual({
    HOME: '/work/home',
    USER: 'build',
    LOGNAME: 'build',
    PATH: '/bin',
  });
  expect(machineFor(null, machine, '/work')).toEqual(machine);
});
