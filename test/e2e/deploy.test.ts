/** `sphere deploy` and what comes after it, as a script sees them: stdout, stderr, exit codes, and the site. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import type { Deployment, Project, RollbackAnswer } from '../../contract/api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import { commitFiles, git } from '../builder/git-repository.ts';
import { writeTree } from '../files/tree.ts';
import { built, builtAfter, project, unisolated } from './projects.ts';
import { cliFile, get, openSphere } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const deploy = (cwd: string, ...args: string[]) => sphere.run(['deploy', '--local', ...args], { cwd });
const siteOf = (slug: string) => new RegExp(`^http://${slug}\\.localhost:\\d+/$`);

type Deployed = { outcome: string; id: string; url: string; address: string; deployment: Deployment };
type Failed = { error: ErrorBody; deployment: Deployment };

describe('a deployment', () => {
  test('gives a shell one URL and nothing else, and the site answers there and on 127.0.0.1', async () => {
    const cwd = project(sphere, 'in-a-shell', built(`site({ 'index.html': '<h1>Hello</h1>' });`));
    const script = `URL=$("$NODE" "$SPHERE" deploy --local) && printf '[%s]' "$URL"`;
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script], {
      cwd,
      env: { ...sphere.environment, NODE: process.execPath, SPHERE: cliFile },
    });
    const url = stdout.slice(1, -1);
    expect(stdout).toBe(`[${url}]`);
    expect(url).toMatch(siteOf('in-a-shell'));
    expect(await get(url)).toMatchObject({ status: 200, body: '<h1>Hello</h1>' });
    const address = /http:\/\/127\.0\.0\.1:\d+\//.exec(stderr)?.[0] ?? '';
    expect(await get(address)).toMatchObject({ status: 200, body: '<h1>Hello</h1>' });
  });

  test('that prints on both streams keeps stdout clean, and stderr has the lines under their phases', async () => {
    const cwd = project(
      sphere,
      'two-streams',
      built(`console.log('to stdout'); console.error('to stderr'); site({ 'index.html': 'x' });`),
    );
    const { code, stdout, stderr } = await deploy(cwd);
    expect(code).toBe(0);
    expect(stdout.trimEnd()).toMatch(siteOf('two-streams'));
    const phases = [...stderr.matchAll(/^--- (\w+)$/gm)].map(([, phase]) => phase);
    expect(phases).toEqual(['prepare', 'clone', 'build', 'upload', 'publish']);
    expect(stderr).toMatch(/^to stdout$/m);
    expect(stderr).toMatch(/^to stderr$/m);
    expect(stderr).toContain('Published 1 file, 1 B: 1 changed, 0 reused; uploaded 1 B.');
  });

  test('may be written to a file in the directory that is deployed', async () => {
    const cwd = project(sphere, 'with-a-log', { 'index.html': 'x' });
    const script = '"$NODE" "$SPHERE" deploy --local > url.txt 2> deploy.log';
    await promisify(execFile)('sh', ['-c', script], {
      cwd,
      env: { ...sphere.environment, NODE: process.execPath, SPHERE: cliFile },
    });
    expect(readFileSync(join(cwd, 'url.txt'), 'utf8').trimEnd()).toMatch(siteOf('with-a-log'));
  });

  test('with --json is one object', async () => {
    const cwd = project(sphere, 'as-json', built(`site({ 'index.html': 'x' });`));
    const { code, stdout } = await deploy(cwd, '--json');
    expect(code).toBe(0);
    const answer = JSON.parse(stdout) as Deployed;
    expect(answer.outcome).toBe('deployed');
    expect(answer.url).toMatch(siteOf('as-json'));
    expect(answer.deployment).toMatchObject({ id: answer.id, status: 'ready', live: true });
  });
});

describe('a build that fails', () => {
  const failing = built(`
    for (let line = 1; line <= 40; line++) console.log('step ' + line);
    console.error('boom: no such module');
    process.exitCode = 3;
  `);

  test('leaves stdout empty, exits 5, and says command, exit code and last lines', async () => {
    const { code, stdout, stderr } = await deploy(project(sphere, 'failing', failing));
    expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
    const error = stderr.slice(stderr.indexOf('Error:'));
    expect(error).toContain('`node build.mjs`');
    expect(error).toContain('exit code 3');
    expect(error).toContain('boom: no such module');
    expect(error).toContain('step 40');
  });

  test('is one object with --json too, with the deployment beside the error', async () => {
    const { code, stdout } = await deploy(project(sphere, 'failing-json', failing), '--json');
    expect(code).toBe(5);
    const { error, deployment } = JSON.parse(stdout) as Failed;
    expect(error.code).toBe('BUILD_FAILED');
    expect(error.details?.at(-1)).toBe('boom: no such module');
    expect(deployment).toMatchObject({ status: 'error', reason: 'build_failed', live: false });
  });

  test('leaves what was live before', async () => {
    const cwd = project(sphere, 'still-there', built(`site({ 'index.html': 'good' });`));
    const url = (await deploy(cwd)).stdout.trim();
    writeTree(cwd, failing);
    expect((await deploy(cwd)).code).toBe(5);
    expect((await get(url)).body).toBe('good');
  });
});

describe('an unchanged source', () => {
  test('is already live: the URL before a build could end, and --force builds it again', async () => {
    const flag = join(sphere.root, 'builds-may-end');
    const cwd = project(sphere, 'unchanged', builtAfter(flag, `site({ 'index.html': 'x' });`));
    const options = { cwd, environment: unisolated };
    writeFileSync(flag, '');
    const first = await sphere.json<Deployed>(['deploy', '--local'], options);

    rmSync(flag);
    const again = await sphere.run(['deploy', '--local'], options);
    expect(again).toMatchObject({ code: 0, stdout: `${first.url}\n` });
    expect(again.stderr).toContain('already live');
    const asJson = await sphere.json<Deployed>(['deploy', '--local'], options);
    expect(asJson).toMatchObject({ outcome: 'already_live', id: first.id });
    expect((await sphere.newest('unchanged')).id).toBe(first.id);

    writeFileSync(flag, '');
    const forced = await sphere.json<Deployed>(['deploy', '--local', '--force'], options);
    expect(forced.outcome).toBe('deployed');
    expect(forced.id).not.toBe(first.id);
    expect(forced.deployment.figures).toMatchObject({ changed: 0, uploaded: 0 });
  });
});

describe('--detach', () => {
  test('prints the id and leaves the deployment running, which logs -f follows to its end', async () => {
    const flag = join(sphere.root, 'go-on');
    const cwd = project(sphere, 'detached', builtAfter(flag, `site({ 'index.html': 'later' });`));
    const args = ['deploy', '--local', '--detach'];
    const { code, stdout } = await sphere.run(args, { cwd, environment: unisolated });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^dpl_\w+\n$/);
    expect((await sphere.inspect(stdout.trim())).finishedAt).toBeNull();
    const following = sphere.start(['logs', stdout.trim(), '-f'], { cwd });
    await following.sees(/^waiting for a file$/m);
    expect((await sphere.inspect(stdout.trim())).status).toBe('building');
    writeFileSync(flag, '');
    const logs = await following.ended;
    expect(logs.code).toBe(0);
    expect(logs.stdout).toContain('Built in');
    const { status, url } = await sphere.inspect(stdout.trim());
    expect(status).toBe('ready');
    expect((await get(url)).body).toBe('later');
  });
});

describe('SPHERE_OUTPUT_FILE', () => {
  test('receives what happened as one object a line', async () => {
    const cwd = project(sphere, 'with-events', built(`site({ 'index.html': 'x' });`));
    const file = join(sphere.root, 'events.ndjson');
    const { code, stdout } = await sphere.run(['deploy', '--local'], {
      cwd,
      environment: { SPHERE_OUTPUT_FILE: file },
    });
    expect(code).toBe(0);
    const events = readFileSync(file, 'utf8').trimEnd().split('\n');
    const read = events.map((line) => JSON.parse(line) as { type: string; phase?: string; url?: string });
    expect(read.map(({ type }) => type)).toEqual([
      'created',
      ...read.slice(1, -1).map(() => 'phase'),
      'ended',
    ]);
    expect(read.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['build', 'upload', 'publish']));
    expect(read.at(-1)).toMatchObject({ url: stdout.trim(), status: 'ready' });
  });
});

describe('--dry-run', () => {
  test('says what would be deployed and where each value came from, and starts nothing', async () => {
    const cwd = project(sphere, 'dry', built(`site({ 'index.html': 'x' });`));
    const { code, stdout } = await deploy(cwd, '--dry-run', '--output', 'elsewhere');
    expect(code).toBe(0);
    expect(stdout).toMatch(/elsewhere.*--output/);
    expect(stdout).toMatch(/node build\.mjs.*sphere\.json/);
    expect((await sphere.run(['ls', 'dry'])).stdout).toBe('');
  });
});

describe('--prebuilt', () => {
  test('publishes a directory as it is, and starts no build', async () => {
    const cwd = project(sphere, 'prebuilt', {
      ...built(`throw new Error('not to be run');`),
      'dist/index.html': 'made elsewhere',
      'dist/a b/c&d.txt': 'odd name',
    });
    const { code, stdout, stderr } = await deploy(cwd, '--prebuilt', 'dist');
    expect(code).toBe(0);
    expect(stderr).not.toContain('build.mjs');
    expect((await get(stdout.trim())).body).toBe('made elsewhere');
    expect((await get(new URL('a%20b/c&d.txt', stdout.trim()).href)).body).toBe('odd name');
    const again = await deploy(cwd, '--prebuilt', 'dist');
    expect(again.stderr).toContain('already live');
  });
});

describe('a Git repository on this machine', () => {
  test('is deployed at a branch, a tag or a commit, and without its uncommitted work', async () => {
    const page = (text: string) => built(`site({ 'index.html': '${text}' });`);
    const cwd = project(sphere, 'from-git', page('first'));
    git(cwd, 'init', '--quiet', '--initial-branch=main');
    const first = commitFiles(cwd, {});
    git(cwd, 'tag', 'v1');
    git(cwd, 'checkout', '--quiet', '-b', 'next');
    const second = commitFiles(cwd, page('second'));
    git(cwd, 'checkout', '--quiet', 'main');
    writeTree(cwd, page('uncommitted'));

    for (const [ref, commit, body] of [
      ['next', second, 'second'],
      ['v1', first, 'first'],
      [second, second, 'second'],
      ['main', first, 'first'],
    ] as const) {
      const args = ['deploy', '--local', '--repo', cwd, '--ref', ref, '--slug', 'from-git'];
      const { url, deployment } = await sphere.json<Deployed>(args);
      expect(deployment.source).toMatchObject({ kind: 'git', ref, commit });
      expect((await get(url)).body).toBe(body);
    }
    const missing = await deploy(cwd, '--repo', cwd, '--ref', 'nextt', '--slug', 'from-git');
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(/nextt[\s\S]*next/);
  });

  test('deployed as a directory says what is not committed', async () => {
    const cwd = project(sphere, 'dirty', built(`site({ 'index.html': 'x' });`));
    git(cwd, 'init', '--quiet', '--initial-branch=main');
    const commit = commitFiles(cwd, {});
    writeTree(cwd, { 'later.txt': 'not committed' });
    const { deployment } = await sphere.json<Deployed>(['deploy', '--local'], { cwd });
    expect(deployment.source).toMatchObject({ git: { commit, branch: 'main', dirty: true } });
  });
});

describe('going back', () => {
  test('is done before a build could end, builds and uploads nothing, and goes on further back', async () => {
    const flag = join(sphere.root, 'releases-may-end');
    const cwd = project(sphere, 'history', {});
    const release = async (text: string) => {
      writeTree(cwd, builtAfter(flag, `site({ 'index.html': '${text}', '${text}.html': '' });`));
      const options = { cwd, environment: unisolated };
      return (await sphere.json<Deployed>(['deploy', '--local'], options)).deployment;
    };
    writeFileSync(flag, '');
    const [one, two, three] = [await release('one'), await release('two'), await release('three')];
    const page = async () => (await get(three.url)).body;
    expect(await page()).toBe('three');

    rmSync(flag);
    const back = await sphere.run(['rollback'], { cwd });
    expect(back).toMatchObject({ code: 0, stdout: `${three.url}\n` });
    expect(back.stderr).toMatch(new RegExp(`from +${three.id}[^]*to +${two.id}`));
    expect(await page()).toBe('two');
    expect((await get(`${three.url}three.html`)).status).toBe(404);

    const further = await sphere.json<RollbackAnswer>(['rollback'], { cwd });
    expect(further).toMatchObject({ kind: 'rollback', deployment: { id: one.id }, previous: { id: two.id } });
    expect(await page()).toBe('one');

    const none = await sphere.run(['rollback'], { cwd });
    expect(none).toMatchObject({ code: 1, stdout: '' });
    await sphere.json(['rollback', three.id], { cwd });
    expect(await page()).toBe('three');

    const { deployments } = await sphere.json<{ deployments: Deployment[] }>(['ls', 'history']);
    expect(deployments.map(({ id, live, attempt }) => ({ id, live, attempt }))).toEqual([
      { id: three.id, live: true, attempt: 1 },
      { id: two.id, live: false, attempt: 1 },
      { id: one.id, live: false, attempt: 1 },
    ]);
  });
});

describe('a reader that leaves early', () => {
  test('is no error: logs | head', async () => {
    const cwd = project(
      sphere,
      'much',
      built(
        `for (let line = 1; line <= 20000; line++) console.log('line ' + line); site({ 'index.html': 'x' });`,
      ),
    );
    await sphere.json<Deployed>(['deploy', '--local'], { cwd });
    const script = '("$NODE" "$SPHERE" logs; echo "exit $?" >&2) | head -n 1';
    const { stdout, stderr } = await promisify(execFile)('sh', ['-c', script], {
      cwd,
      env: { ...sphere.environment, NODE: process.execPath, SPHERE: cliFile },
    });
    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('exit 0\n');
  });
});

describe('looking at a project', () => {
  test('ls, inspect, open and logs show it, with tables for people and objects for programs', async () => {
    const cwd = project(
      sphere,
      'looked-at',
      built(`console.log('\\x1b[32mgreen\\x1b[0m \\x1b[2Jcleared'); site({ 'index.html': 'x' });`),
    );
    const { id, url } = await sphere.json<Deployed>(['deploy', '--local'], { cwd });
    const here = (...args: string[]) => sphere.run(args, { cwd });

    expect((await here('ls')).stdout).toMatch(new RegExp(`^looked-at +just now +${url}$`, 'm'));
    const { projects } = await sphere.json<{ projects: Project[] }>(['ls'], { cwd });
    expect(projects.find(({ slug }) => slug === 'looked-at')).toMatchObject({ url, live: { id } });
    expect((await here('ls', 'looked-at')).stdout).toMatch(new RegExp(`^${id} +live +ready, live`, 'm'));
    expect((await here('inspect')).stdout).toMatch(new RegExp(`^id +${id}$`, 'm'));
    expect((await here('open')).stdout).toBe(`${url}\n`);

    const logs = await here('logs');
    expect(logs.stdout).toMatch(/^green cleared$/m);
    const lines = (await here('logs', '--json')).stdout.trimEnd().split('\n');
    const seqs = lines.map((line) => (JSON.parse(line) as { seq: number }).seq);
    expect(seqs).toEqual(seqs.map((_, index) => index + 1));
  });
});
