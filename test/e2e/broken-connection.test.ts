/** A connection to the plane that breaks again and again: nothing is lost, nothing comes twice, the exit code is right. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type BreakingProxy, startBreakingProxy } from './breaking-proxy.ts';
import { built, counting, printedLines, printing, project } from './projects.ts';
import { get, openSphere } from './sphere.ts';

const sphere = openSphere();
let proxy: BreakingProxy;
let through: { SPHERE_URL: string; SPHERE_TOKEN: string };
beforeAll(async () => {
  const cwd = project(sphere, 'the-first', { 'index.html': 'x' });
  const { code, stderr } = await sphere.run(['deploy', '--local'], { cwd });
  if (code !== 0) throw new Error(stderr);
  const { url, token } = sphere.plane();
  proxy = await startBreakingProxy(url, 300);
  through = { SPHERE_URL: proxy.url, SPHERE_TOKEN: token };
});
afterAll(async () => {
  await proxy.close();
  await sphere.close();
});

test('deploy has every line once and in order, and ends well', async () => {
  const cwd = project(sphere, 'cut-off', printing(500, 10));
  const { code, stdout, stderr } = await sphere.run(['deploy'], { cwd, environment: through });
  expect(code, stderr).toBe(0);
  expect(printedLines(stderr)).toEqual(counting(500));
  expect((await get(stdout.trim())).body).toBe('<h1>500 lines</h1>');
  expect(proxy.cuts()).toBeGreaterThan(10);
});

test('a build that fails ends with its own exit code', async () => {
  const cwd = project(
    sphere,
    'cut-off-and-failing',
    built(`
      for (let line = 1; line <= 100; line++) {
        console.log('line ' + line);
        await sleep(10);
      }
      process.exitCode = 9;
    `),
  );
  const { code, stdout, stderr } = await sphere.run(['deploy'], { cwd, environment: through });
  expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
  expect(printedLines(stderr)).toEqual(counting(100));
  expect(stderr).toContain('exit code 9');
});

test('logs -f has a long log whole that was there before', async () => {
  const cwd = project(
    sphere,
    'long-log',
    built(`
      for (let line = 1; line <= 50000; line++) console.log('line ' + line);
      site({ 'index.html': 'x' });
    `),
  );
  expect((await sphere.run(['deploy', '--local'], { cwd, onStderr: () => {} })).code).toBe(0);
  const { code, stdout } = await sphere.run(['logs', '-f'], { cwd, environment: through });
  expect(code).toBe(0);
  expect(printedLines(stdout)).toEqual(counting(50_000));
});
