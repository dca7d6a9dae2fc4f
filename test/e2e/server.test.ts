/** `sphere server`: in the foreground, its status and end, and what it leaves running. */
import { statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { planeFile } from '../../contract/embedded.ts';
import { built, counting, printedLines, printing, project } from './projects.ts';
import { get, openSphere } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

describe('sphere server', () => {
  test('serves in the foreground until it is told to end, and there is one for a data directory', async () => {
    const server = sphere.start(['server']);
    const [, url] = await server.sees(/^Serving .* at (http:\S+)$/m);
    expect(await sphere.json(['server', 'status'])).toMatchObject({
      running: true,
      pid: server.pid,
      url,
      dataDirectory: sphere.home,
      runningBuilds: [],
    });
    const second = await sphere.run(['server']);
    expect(second.code).toBe(0);
    expect(second.stderr).toContain(`Process ${server.pid} serves`);

    server.child.kill('SIGINT');
    expect((await server.ended).stdout).toBe('');
    expect(await sphere.json(['server', 'status'])).toMatchObject({ running: false });
  });

  test('keeps its token to its owner', async () => {
    const cwd = project(sphere, 'private', { 'index.html': 'x' });
    expect((await sphere.run(['deploy', '--local'], { cwd })).code).toBe(0);
    expect(statSync(sphere.home).mode & 0o077).toBe(0);
    expect(statSync(join(sphere.home, planeFile)).mode & 0o077).toBe(0);
  });

  test('stopped in the middle of a build loses nothing: the deploy that waits brings it back', async () => {
    const cwd = project(sphere, 'stopped', printing(200, 10));
    const run = sphere.start(['deploy', '--local'], { cwd });
    await run.sees(/^line 20$/m);
    const stopped = await sphere.run(['server', 'stop']);
    expect(stopped.code, stopped.stderr).toBe(0);
    const { code, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(200));
  });

  test('on a port that another program has says so', async () => {
    await sphere.run(['server', 'stop']);
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await sphere.run(['server', '--port', String(port)]);
    expect(code).toBe(1);
    expect(stderr).toContain(String(port));
  });

  test('whose port was taken meanwhile moves, says so, and serves every site at its new address', async () => {
    const cwd = project(sphere, 'moving', built(`site({ 'index.html': 'moved' });`));
    const before = (await sphere.run(['deploy', '--local'], { cwd })).stdout.trim();
    await sphere.run(['server', 'stop']);
    const other = createServer((_, response) => response.end('other')).listen(
      Number(new URL(before).port),
      '127.0.0.1',
    );
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once('listening', resolve));
    const after = (await sphere.run(['open'], { cwd })).stdout.trim();
    expect(after).not.toBe(before);
    expect((await get(after)).body).toBe('moved');
  });
});
