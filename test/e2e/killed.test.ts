/** A plane or a builder that is killed: what runs goes on, what was printed is there once, and every site is one whole deployment. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { built, counting, printedLines, printing, project } from './projects.ts';
import { get, openSphere, processesOf, processesWith, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

describe('kill -9 of the plane', () => {
  test('in the middle of a build, twice: the same deploy goes on, and every line is there once', async () => {
    const cwd = project(sphere, 'mid-build', printing(400, 10));
    const run = sphere.start(['deploy', '--local'], { cwd });
    await run.sees(/^line 30$/m);
    const first = await sphere.killPlane();
    // What is printed while no plane is there arrives, and the log goes on.
    await run.sees(/^line 200$/m);
    const second = await sphere.killPlane();
    expect(second).not.toBe(first);

    const { code, stdout, stderr } = await run.ended;
    expect(code, stderr).toBe(0);
    expect(printedLines(stderr)).toEqual(counting(400));
    expect(printedLines((await sphere.run(['logs'], { cwd })).stdout)).toEqual(counting(400));
    expect((await get(stdout.trim())).body).toBe('<h1>400 lines</h1>');
    const { attempt } = await sphere.newest('mid-build');
    expect(attempt).toBe(1);
  });

  test('while idle: the next command brings it back, and sites have the addresses that they had', async () => {
    const cwd = project(sphere, 'idle', built(`site({ 'index.html': 'still here' });`));
    const { code, stdout } = await sphere.run(['deploy', '--local'], { cwd });
    expect(code).toBe(0);
    const { address } = await sphere.newest('idle');
    await sphere.killPlane();
    const { projects } = await sphere.json<{ projects: { slug: string; address: string }[] }>(['ls']);
    expect(projects.find(({ slug }) => slug === 'idle')?.address).toBe(address);
    expect((await get(stdout.trim())).body).toBe('still here');
    expect((await get(address)).body).toBe('still here');
  });

  test.each([
    ['the upload begins', /^--- upload$/m],
    ['the upload is done', /^Uploaded in/m],
    ['the publication is said', /^Published \d+ files/m],
  ])('when %s: the site is always one whole deployment', async (when, moment) => {
    const release = (name: string) =>
      built(`
        const pages = Array.from({ length: 200 }, (_, n) => ['page-' + n + '.html', '${name}']);
        site({ 'index.html': '${name}', ...Object.fromEntries(pages) });
      `);
    const cwd = project(sphere, 'releases', release(`before ${when}`));
    const before = await sphere.run(['deploy', '--local', '--force'], { cwd });
    expect(before.code, before.stderr).toBe(0);
    const url = before.stdout.trim();

    project(sphere, 'releases', release(`after ${when}`));
    const run = sphere.start(['deploy', '--local'], { cwd });
    const served = readAllTheTime(url);
    await run.sees(moment);
    await sphere.killPlane();
    const { code, stderr } = await run.ended;
    const seen = await served.stop();
    expect(code, stderr).toBe(0);
    // The first pages are the old ones, the last are the new ones, and there is one change.
    expect(seen.filter((page, index) => page !== seen[index - 1])).toEqual([
      `200 before ${when}`,
      `200 after ${when}`,
    ]);
  });
});

describe('kill -9 of the builder', () => {
  const killBuilder = () => {
    const builder = processesOf(sphere.home).find(({ command }) => command.endsWith('builder/main.cjs'));
    if (!builder) throw new Error('no builder runs');
    process.kill(builder.pid, 'SIGKILL');
  };

  test('is tried once more, with one log; a second time it is the end, with exit 6', async () => {
    const cwd = project(
      sphere,
      'lost-builder',
      built(`
        const mark = crypto.randomUUID();
        spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', mark], { stdio: 'ignore' });
        console.log('process ' + mark);
        setInterval(() => {}, 1000);
      `),
    );
    const run = sphere.start(['deploy', '--local'], { cwd });
    const first = (await run.sees(/^process (\S+)$/m))[1] as string;
    killBuilder();
    await until('its commands are gone, too', () => processesWith(first).length === 0);
    const second = (await run.sees(/^process \S+$[\s\S]*^process (\S+)$/m))[1] as string;
    expect(second).not.toBe(first);
    killBuilder();
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
    expect(stderr).toContain('SIGKILL');
    const { attempt, status, reason } = await sphere.newest('lost-builder');
    expect({ attempt, status, reason }).toEqual({ attempt: 2, status: 'error', reason: 'infrastructure' });
    await until('its commands are gone, too', () => processesWith(second).length === 0);
  });
});

/** Reads one page after the other until it is stopped, and gives what was answered; a plane that is away gives nothing. */
function readAllTheTime(url: string) {
  const seen: string[] = [];
  let stopped = false;
  const read = async (path: string) => {
    const page = await get(new URL(path, url).href).catch(() => null);
    // While a plane starts it asks for patience.
    if (page && page.status !== 503) seen.push(`${page.status} ${page.body}`);
  };
  const reading = (async () => {
    for (let turn = 0; !stopped; turn++) {
      await read(turn % 2 === 0 ? '/' : `/page-${turn % 200}.html`);
      await sleep(5);
    }
    await read('/page-1.html');
  })();
  return {
    async stop() {
      stopped = true;
      await reading;
      return seen;
    },
  };
}
