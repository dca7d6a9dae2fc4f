/** The builder's program against a recording plane: whole builds, cancellation, a plane that goes away. */
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { emptyDirectory, executable, link, type Tree, tree } from '../files/tree.ts';
import { bundleBuilder, startBuilder } from './builder-program.ts';
import { cachedApp } from './cached-app.ts';
import { commitFiles, repository } from './git-repository.ts';
import type { PlaneOptions, RecordingPlane } from './recording-plane.ts';
import { allPublished, openPlane, published, script, upload } from './uploaded-source.ts';

let program: Awaited<ReturnType<typeof bundleBuilder>>;
beforeAll(async () => {
  program = await bundleBuilder();
});
afterAll(() => program.remove());

const start = (plane: RecordingPlane, extra: { cache?: string; prebuilt?: string } = {}, environment = {}) =>
  startBuilder(
    program.file,
    plane,
    { work: emptyDirectory(), cache: emptyDirectory(), ...extra },
    environment,
  );

describe('a build', () => {
  test('of plain HTML from a local repository is published as it is committed', async () => {
    const { directory, commit } = repository({
      'index.html': '<h1>Hello</h1>',
      'a/b.css': 'b{}',
      '.env': 'KEY=1',
    });
    commitFiles(directory, { 'index.html': '<h1>Later</h1>' });
    const plane = await openPlane({
      spec: { source: { kind: 'git', repository: directory, ref: 'main', commit } },
    });
    const { exitCode, output } = await start(plane).ended;
    expect({ exitCode, output }).toEqual({ exitCode: 0, output: '' });
    expect(plane.result).toMatchObject({ outcome: 'built', uploaded: 2 });
    expect(allPublished(plane)).toEqual({ 'index.html': '<h1>Hello</h1>', 'a/b.css': 'b{}' });
    expect(plane.phases.map(({ phase }) => phase)).toEqual(['prepare', 'clone', 'upload']);
    expect(plane.texts.join('\n')).toContain('Left out: .env.');
  });

  test('of an upload runs its command with what Sphere sets, and without the secrets of the machine', async () => {
    const plane = await openPlane(
      await upload(script('mkdir out && env > out/env.txt && echo built && echo careful >&2')),
    );
    const { exitCode } = await start(
      plane,
      {},
      { AWS_SECRET_ACCESS_KEY: 'machine-secret', MY_TOKEN: 'x', npm_config_local_prefix: '/x' },
    ).ended;
    expect(exitCode).toBe(0);
    expect(plane.lines).toContainEqual([expect.any(Number), 'build', 'stdout', 'built']);
    expect(plane.lines).toContainEqual([expect.any(Number), 'build', 'stderr', 'careful']);
    const environment = published(plane, 'env.txt') ?? '';
    expect(environment).toMatch(/^CI=1$/m);
    expect(environment).toMatch(/^SPHERE_SITE_URL=http:\/\/shop\.localhost:1234\/$/m);
    expect(environment).toMatch(/^SPHERE_TARGET=live$/m);
    expect(environment).not.toMatch(/SECRET|TOKEN|PLANE|local_prefix/);
  });

  test('that fails tells the command, its exit code and its last lines', async () => {
    const plane = await openPlane(
      await upload(script('for i in $(seq 1 50); do echo line $i; done; exit 3')),
    );
    expect((await start(plane).ended).exitCode).toBe(0);
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      reason: 'build_failed',
      error: { code: 'BUILD_FAILED', message: expect.stringMatching(/failed with exit code 3/) },
    });
    const details = plane.result?.outcome === 'failed' ? plane.result.error.details : [];
    expect(details).toEqual(Array.from({ length: 20 }, (_, index) => `line ${index + 31}`));
  });

  test('that fails names the files of the source as their author knows them', async () => {
    const plane = await openPlane(await upload(script('echo "$PWD/src/a.ts is wrong" >&2; exit 1')));
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'failed', error: { details: ['src/a.ts is wrong'] } });
  });

  test('that needs the hash of an old webpack is built again with it', async () => {
    const build =
      'case "$NODE_OPTIONS" in *legacy*) mkdir dist; echo hi > dist/index.html;; *) echo ERR_OSSL_EVP_UNSUPPORTED; exit 1; esac';
    const plane = await openPlane(await upload({ 'package.json': JSON.stringify({ scripts: { build } }) }));
    await start(plane).ended;
    expect(plane.result).toMatchObject({
      outcome: 'built',
      warnings: [expect.stringContaining('--openssl-legacy-provider')],
    });
  });

  test('is left out when the ignore command of the source says so, before anything is installed', async () => {
    const { directory } = repository({ 'index.html': 'one', 'docs/a.md': 'a' });
    const commit = commitFiles(directory, {
      'docs/a.md': 'b',
      'package.json': '{"scripts":{"build":"touch built"},"dependencies":{"no-such-package":"1.0.0"}}',
      'sphere.json': JSON.stringify({ ignoreCommand: 'git diff --quiet HEAD^ HEAD -- index.html' }),
    });
    const plane = await openPlane({ spec: { source: { kind: 'git', repository: directory, commit } } });
    expect((await start(plane).ended).exitCode).toBe(0);
    expect(plane.result).toEqual({
      outcome: 'ignored',
      message:
        'The ignore command `git diff --quiet HEAD^ HEAD -- index.html` ended with exit code 0: nothing is built.',
    });
    expect(plane.phases.map(({ phase }) => phase)).toEqual(['prepare', 'clone', 'install']);
    expect(plane.texts).toContain('$ git diff --quiet HEAD^ HEAD -- index.html');
  });

  test.each([
    ['exit 1', []],
    ['exit 2', [expect.stringContaining('ended with exit code 2, where 0 ignores and 1 builds')]],
    // An upload has no history, not even that of a repository around it.
    ['git diff --quiet HEAD^ HEAD', []],
  ])('goes on when the ignore command is `%s`', async (ignoreCommand, warnings) => {
    const files = { 'index.html': 'x', 'sphere.json': JSON.stringify({ ignoreCommand }) };
    const plane = await openPlane(await upload(files));
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'built', warnings });
  });

  test('with --force does not ask the ignore command', async () => {
    const options = await upload({ 'index.html': 'x', 'sphere.json': '{"ignoreCommand":"exit 0"}' });
    const plane = await openPlane({ ...options, spec: { ...options.spec, build: { ignoreCommand: null } } });
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'built' });
  });

  test('takes no limits from the source', async () => {
    const plane = await openPlane(
      await upload({ 'index.html': 'x', 'sphere.json': '{"limits":{"minutes":1440}}' }),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'built' });
  });

  test.each([
    ['is killed', 'kill -KILL $$', 'out_of_memory'],
    [
      'fills the heap of Node',
      'node --max-old-space-size=16 -e "const a=[];for(;;)a.push(new Array(1e4).fill(1))"',
      'out_of_memory',
    ],
    ['is ended by another signal', 'kill -TERM $$', 'build_failed'],
  ])('that %s is told by its reason', async (_, command, reason) => {
    const plane = await openPlane(await upload(script(command)));
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'failed', reason });
  });

  test('that leaves no output says which directories look like one', async () => {
    const plane = await openPlane(
      await upload(script('mkdir -p public/site && echo hi > public/site/index.html')),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      reason: 'output_invalid',
      error: { hint: expect.stringContaining('"outputDirectory": "public/site"') },
    });
  });

  test('with a link out of the output is refused', async () => {
    const plane = await openPlane(
      await upload(script('mkdir out && ln -s /etc/passwd out/users && echo > out/index.html')),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'failed', reason: 'output_invalid' });
    expect(plane.blobs.size).toBe(0);
  });

  test('with a wrong sphere.json names path and line of every problem', async () => {
    const plane = await openPlane(
      await upload({ 'index.html': '', 'sphere.json': '{\n  "outputDirectroy": "out",\n  "spa": "yes"\n}' }),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      reason: 'configuration_invalid',
      error: {
        details: [
          'sphere.json:2:3 outputDirectroy: is not a known key; did you mean "outputDirectory"?',
          'sphere.json:3:10 spa: must be true or false, not "yes"',
        ],
      },
    });
  });

  test('that fails with the character NUL in its reason is reported without it', async () => {
    const plane = await openPlane(
      await upload({ 'index.html': '', 'sphere.json': '{ "sp\\u0000a": true }' }),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      error: { details: [expect.stringContaining('spa: is not a known key')] },
    });
  });

  test('of a directory that is already built uploads it and prints nothing', async () => {
    const assets = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`assets/${index}.js`, `${index}`]),
    );
    const prebuilt = tree({ 'index.html': 'ready', ...assets });
    const plane = await openPlane({ spec: { serving: { spa: true } } });
    expect(await start(plane, { prebuilt }).ended).toMatchObject({ exitCode: 0, output: '' });
    expect(allPublished(plane)).toEqual({ 'index.html': 'ready', ...assets });
    expect(plane.manifest?.serving).toEqual({ spa: true });
  });

  test('of an upload that is not the one named is refused', async () => {
    const options = await upload({ 'index.html': 'x' });
    const plane = await openPlane({
      ...options,
      spec: { ...options.spec, source: { kind: 'upload', digest: 'f'.repeat(64) } },
    });
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'failed', error: { code: 'DIGEST_MISMATCH' } });
  });
});

/** A program that ignores SIGTERM and tells by a growing file that it lives. */
const stubborn = executable("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.05; done\n");

/** Whether a process runs that was started with `mark`. Isolated ones have other numbers outside than they know. */
const isAlive = (mark: string) =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)\s/s, '')[0];
        return state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    });

/** A build with a grandchild that ignores SIGTERM; its mark is in the log. */
const withGrandchild = (then = 'wait; wait; wait', mark: string = randomUUID()): Tree => ({
  ...script('sh ./parent.sh'),
  'stubborn.sh': stubborn,
  'parent.sh': `./stubborn.sh ${mark} & echo grandchild ${mark}; ${then}`,
});

async function grandchildOf(plane: RecordingPlane): Promise<string> {
  const find = () =>
    plane.texts.map((text) => /^grandchild (\S+)$/.exec(text)?.[1]).find((found) => found !== undefined);
  await plane.until(() => find() !== undefined);
  return find() as string;
}

describe('the end of a build', () => {
  test('comes with the time limit, for grandchildren too', async () => {
    const options = await upload(withGrandchild());
    const plane = await openPlane({ ...options, spec: { ...options.spec, timeLimitMs: 1_500 } });
    const run = start(plane);
    const grandchild = await grandchildOf(plane);
    expect((await run.ended).exitCode).toBe(0);
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      reason: 'timeout',
      error: { code: 'BUILD_TIMED_OUT' },
    });
    expect(isAlive(grandchild)).toBe(false);
  });

  test('comes with ATTEMPT_STALE: commands are killed, nothing is reported, exit 0', async () => {
    const plane = await openPlane(await upload(withGrandchild('while :; do echo tick; sleep 0.1; done')));
    const run = start(plane);
    const grandchild = await grandchildOf(plane);
    plane.makeStale();
    expect(await run.ended).toMatchObject({ exitCode: 0, output: '' });
    expect(isAlive(grandchild)).toBe(false);
    expect(plane.result).toBeNull();
  });

  test('comes with SIGTERM', async () => {
    const plane = await openPlane(await upload(withGrandchild()));
    const run = start(plane);
    const grandchild = await grandchildOf(plane);
    run.process.kill('SIGTERM');
    expect((await run.ended).exitCode).toBe(143);
    expect(isAlive(grandchild)).toBe(false);
    expect(plane.result).toBeNull();
  });

  test('comes for its commands when the builder itself is killed', async () => {
    const plane = await openPlane(await upload(withGrandchild()));
    const run = start(plane);
    const grandchild = await grandchildOf(plane);
    run.process.kill('SIGKILL');
    await run.ended;
    await expect.poll(() => isAlive(grandchild)).toBe(false);
  });

  test('leaves no process of the command behind that was started in the background', async () => {
    const mark = randomUUID();
    const plane = await openPlane(
      await upload({
        ...script(`./stubborn.sh ${mark} & echo grandchild ${mark}; mkdir out; echo x > out/index.html`),
        'stubborn.sh': stubborn,
      }),
    );
    await start(plane).ended;
    expect(plane.result).toMatchObject({ outcome: 'built' });
    expect(isAlive(await grandchildOf(plane))).toBe(false);
  });
});

describe('a plane that goes away', () => {
  const counting = (lines: number): Tree =>
    script(
      `node -e "let i=0;const next=()=>{if(i<${lines}){console.log('line '+ ++i);i%500?next():setTimeout(next,20)}};next()" && mkdir out && echo x > out/index.html`,
    );
  const linesOf = (plane: RecordingPlane) => plane.texts.filter((text) => text.startsWith('line '));
  const expected = (count: number) => Array.from({ length: count }, (_, index) => `line ${index + 1}`);

  test('and comes back on its port gets every line exactly once, and the result', async () => {
    const plane = await openPlane(await upload(counting(10_000)));
    const run = start(plane);
    for (const seen of [1, 3_000, 6_000]) {
      await plane.until(() => linesOf(plane).length >= seen);
      await plane.goAway();
      await plane.comeBack();
    }
    expect((await run.ended).exitCode).toBe(0);
    expect(linesOf(plane)).toEqual(expected(10_000));
    expect(plane.result).toMatchObject({ outcome: 'built' });
  });

  test('after it has stored a batch and before it has answered stores it once', async () => {
    const plane = await openPlane(await upload(counting(5_000)));
    plane.breakAfterLogs(5);
    expect((await start(plane).ended).exitCode).toBe(0);
    expect(linesOf(plane)).toEqual(expected(5_000));
  });
});

describe('a second deployment', () => {
  const deploy = async (cache: string, files: Tree, spec: Partial<PlaneOptions['spec']> = {}) => {
    const options = await upload(files);
    const plane = await openPlane({ ...options, spec: { ...options.spec, ...spec } });
    expect((await start(plane, { cache }).ended).exitCode).toBe(0);
    expect(plane.result).toMatchObject({ outcome: 'built' });
    return { page: published(plane, 'index.html'), log: plane.texts.join('\n') };
  };

  test('reuses node_modules and the framework cache, runs the own install scripts, and says so', async () => {
    const cache = emptyDirectory();
    const first = await deploy(cache, cachedApp());
    expect(first.page).toBe('hello 1 yes');
    expect(first.log).toContain('node_modules is not reused, because nothing has been kept yet.');

    const second = await deploy(cache, cachedApp({ 'unrelated.txt': 'changed' }));
    expect(second.page).toBe('hello 2 yes');
    expect(second.log).toContain('Reused node_modules');
    expect(second.log).not.toContain('$ npm ci');

    const changed = await deploy(cache, cachedApp({ '.npmrc': 'loglevel=error\n' }));
    expect(changed.log).toContain('node_modules is not reused, because .npmrc changed.');

    const ignoring = await deploy(cache, cachedApp(), { noCache: true });
    expect(ignoring.page).toBe('hello 1 yes');
    expect(ignoring.log).toContain('$ npm ci');
  });

  test('fetches of a repository only what is new', async () => {
    const cache = emptyDirectory();
    const { directory, commit } = repository({ 'index.html': 'one' });
    const build = async (at: string) => {
      const plane = await openPlane({ spec: { source: { kind: 'git', repository: directory, commit: at } } });
      await start(plane, { cache }).ended;
      return { page: published(plane, 'index.html'), log: plane.texts.join('\n') };
    };
    expect((await build(commit)).page).toBe('one');
    const next = commitFiles(directory, { 'index.html': 'two', 'link.html': link('index.html') });
    expect((await build(next)).page).toBe('two');
    const again = await build(commit);
    expect(again.page).toBe('one');
    expect(again.log).toContain('is here from an earlier deployment');
    expect(existsSync(join(cache, 'git'))).toBe(true);
  });
});
