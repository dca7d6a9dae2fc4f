/** `sphere rm` on the plane of this machine: what it shows, that it asks, and that the site is gone. */
import { afterAll, expect, test } from 'vitest';
import type { Deployment } from '../../contract/api.ts';
import { project } from './projects.ts';
import { get, openSphere } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

test('a project is removed when that is confirmed, and can be deployed again', async () => {
  const cwd = project(sphere, 'short-lived', { 'index.html': 'still here' });
  const deploy = () => sphere.json<{ address: string }>(['deploy', '--local', '--json'], { cwd });
  const { address } = await deploy();
  const { deployments } = await sphere.json<{ deployments: Deployment[] }>(['ls', 'short-lived', '--json']);

  const refused = await sphere.run(['rm', 'short-lived']);
  expect(refused).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('--yes') });
  expect(refused.stderr).toContain(deployments[0]?.id);
  expect((await get(address)).status).toBe(200);

  const removed = await sphere.run(['rm', 'short-lived', '--yes']);
  expect(removed).toMatchObject({ code: 0, stdout: 'short-lived\n' });
  expect((await get(address)).status).toBe(404);
  expect(await sphere.json(['ls', '--json'])).toEqual({ projects: [], next: null });
  expect((await sphere.run(['rm', 'short-lived', '--yes'])).stderr).not.toContain('bug');

  await deploy();
  expect((await get(address)).status).toBe(200);
});
