/** `sphere server`: in the foreground, its status and end, and what it leaves running. */
import { statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { planeFile } from '../../contract/embedded.ts';
import { hostedTestEnvironment } from '../server/hosted-environment.ts';
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
    expect(stderr).not.toContain('bug');
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

describe('sphere server check', () => {
  test('of a wrong configuration says all that is wrong, and shows no secret', async () => {
    const environment = { DATABASE_URL: 'postgres://sphere:s3cret@db', SPHERE_SITES: 's4' };
    const { code, stdout, stderr } = await sphere.run(['server', 'check'], { environment });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^ {2}DATABASE_URL is "postgres:\/\/\*\*\*@db"; set it to /m);
    expect(stderr).toMatch(/^ {2}SPHERE_SITES is "s4"; set it to s3 \(did you mean SPHERE_SITES=s3\?\)$/m);
    expect(stderr).toMatch(/^ {2}SPHERE_ACCOUNT_ID is not set; set it to /m);
    expect(stderr).not.toContain('s3cret');
    const json = await sphere.run(['server', 'check', '--json'], { environment });
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'CONFIGURATION_INVALID' } });
  });

  test('of a right one looks at what it names', async () => {
    const environment = {
      ...hostedTestEnvironment,
      DATABASE_URL: 'postgres://sphere:s3cret@127.0.0.1:1/sphere',
      REDIS_URL: 'redis://:s3cret@127.0.0.1:1',
      SPHERE_PUBLIC_URL: 'http://localhost:8',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
    const { code, stdout } = await sphere.run(['server', 'check'], { environment });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ok {4}configuration: http:\/\/localhost:8/);
    expect(stdout).toMatch(/^FAIL {2}database: .*ECONNREFUSED.*\n {6}Check host and port in DATABASE_URL/m);
    expect(stdout).toMatch(/^FAIL {2}redis: .*ECONNREFUSED/m);
    // Once below those that stand together, not below each.
    expect(stdout.match(/Give this machine a role/g)).toHaveLength(2);
    expect(stdout).not.toContain('s3cret');
  });
});
