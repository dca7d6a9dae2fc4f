/** Many first deployments at the same moment share one plane. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { planeLogFile } from '../../contract/embedded.ts';
import { built, project } from './projects.ts';
import { get, openSphere, processesOf } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

test('ten deployments at once on a fresh data directory get one plane, and all end right', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `site-${index}`);
  const runs = names.map((name) =>
    sphere.start(['deploy', '--local'], {
      cwd: project(sphere, name, built(`site({ 'index.html': '${name}' });`)),
    }),
  );
  const ended = await Promise.all(runs.map((run) => run.ended));
  expect(ended.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
    ended.map(({ stderr }) => ({ code: 0, stderr })),
  );
  const pages = await Promise.all(ended.map(({ stdout }) => get(stdout.trim())));
  expect(pages.map(({ body }) => body)).toEqual(names);

  const servers = processesOf(sphere.home).filter(({ command }) => command.endsWith('main.cjs server'));
  expect(servers.map(({ pid }) => pid)).toEqual([sphere.plane().pid]);
  const log = readFileSync(join(sphere.home, planeLogFile), 'utf8');
  expect(log.match(/^Serving /gm)).toHaveLength(1);
});
