/** Deployments that wait: for a free slot, behind each other, and for nothing any more. */
import { afterAll, expect, test } from 'vitest';
import { built, project } from './projects.ts';
import { get, openSphere, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());
const oneBuild = { SPHERE_MAX_BUILDS: '1' };

test('a newer deployment of a project takes the place of one that waits, which ends with exit 7', async () => {
  const busy = project(sphere, 'busy', built(`setInterval(() => {}, 1000);`));
  const { stdout } = await sphere.run(['deploy', '--local', '--detach'], {
    cwd: busy,
    environment: oneBuild,
  });
  const first = stdout.trim();
  await until('the only slot is taken', async () => (await sphere.inspect(first)).status === 'building');

  const cwd = project(sphere, 'waiting', built(`site({ 'index.html': 'older' });`));
  const older = sphere.start(['deploy'], { cwd });
  await until('the older waits', async () => {
    const { stdout } = await sphere.run(['ls', 'waiting']);
    return stdout.includes('queued');
  });
  project(sphere, 'waiting', built(`site({ 'index.html': 'newer' });`));
  const newer = sphere.start(['deploy'], { cwd });

  const superseded = await older.ended;
  expect({ code: superseded.code, stdout: superseded.stdout }).toEqual({ code: 7, stdout: '' });
  expect(superseded.stderr).toContain('which was asked for later');

  expect((await sphere.run(['cancel', first])).code).toBe(0);
  const live = await newer.ended;
  expect(live.code, live.stderr).toBe(0);
  expect((await get(live.stdout.trim())).body).toBe('newer');
});
