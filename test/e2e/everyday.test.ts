/** The everyday commands on a real plane: lists, logs, waiting, deploying again, going back, where settings come from. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Deployment, DeploymentList, RollbackAnswer } from '../../contract/api.ts';
import type { ErrorBody } from '../../contract/errors.ts';
import type { LogLine } from '../../contract/logs.ts';
import { built, builtAfter, project, unisolated } from './projects.ts';
import { get, openSphere } from './sphere.ts';
import { openWorkflow } from './workflow.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const page = (text: string) =>
  built(`console.log('built ${text}'); site({ 'index.html': '${text}', 'same.txt': '=' });`);
const idsOf = ({ deployments }: DeploymentList) => deployments.map(({ id }) => id);

let cwd = '';
const deployed: string[] = [];

async function deploy(files: Record<string, unknown>, args: string[] = []) {
  cwd = project(sphere, 'daily', files as never);
  const { code, stdout, stderr } = await sphere.run(['deploy', '--local', '--json', ...args], { cwd });
  const answer = JSON.parse(stdout) as { id?: string; deployment?: Deployment };
  const id = answer.id ?? answer.deployment?.id;
  if (id === undefined) throw new Error(stderr);
  deployed.unshift(id);
  return { code, id };
}

beforeAll(async () => {
  await deploy(page('one'));
  await deploy(built(`console.log('oh'); process.exitCode = 1;`));
  await deploy(page('two'));
}, 120_000);

describe('ls', () => {
  test('shows a page, and the very line that shows the next one', async () => {
    const first = await sphere.run(['ls', 'daily', '--limit', '2']);
    expect(first.stdout.match(/dpl_\w+/g)).toEqual(deployed.slice(0, 2));
    const line = /sphere (ls daily --limit 2 --next \S+)/.exec(first.stderr)?.[1] ?? '';
    const second = await sphere.run(line.split(' '));
    expect(second.stdout.match(/dpl_\w+/g)).toEqual(deployed.slice(2, 4));
    expect(second.stderr).toBe('');
  });

  test('shows only those with a status, and says when there are none', async () => {
    const failed = await sphere.json<DeploymentList>(['ls', 'daily', '--status', 'error']);
    expect(idsOf(failed)).toEqual([deployed[1]]);
    const none = await sphere.run(['ls', 'daily', '--status', 'queued', '--branch', 'main']);
    expect(none).toMatchObject({ code: 0, stdout: '', stderr: '"daily" has no deployment like that.\n' });
  });

  test.each([
    [['ls', 'daily', '--status', 'done'], 'queued, building'],
    [['ls', '--status', 'error'], 'sphere ls SLUG'],
    [['ls', 'daily', '--next', 'nonsense'], '"next"'],
  ])('%j is wrong usage', async (args, says) => {
    const { code, stderr } = await sphere.run(args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(says) });
  });
});

describe('logs', () => {
  test('of a phase and since a time, as NDJSON', async () => {
    const { stdout } = await sphere.run(['logs', '--phase', 'build', '--since', '1h', '--json'], { cwd });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogLine);
    expect(lines.map(({ text }) => text)).toContain('built two');
    expect(new Set(lines.map(({ phase }) => phase))).toEqual(new Set(['build']));
    expect((await sphere.run(['logs', '--since', '2100-01-01'], { cwd })).stdout).toBe('');
  });

  test('of a phase that there is not name those that there are', async () => {
    const { code, stderr } = await sphere.run(['logs', '--phase', 'compile'], { cwd });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('install, build') });
  });
});

describe('inspect --wait', () => {
  test('ends as the deployment ended', async () => {
    expect((await sphere.run(['inspect', deployed[1] as string, '--wait'])).code).toBe(5);
    expect(await sphere.run(['inspect', deployed[0] as string, '-w'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('ready, live'),
    });
  });

  test('waits for one that runs, no longer than --timeout, and leaves it running', async () => {
    const flag = join(sphere.root, 'go-on');
    const directory = project(sphere, 'slow', builtAfter(flag, `site({ 'index.html': 'slow' });`));
    const run = await sphere.run(['deploy', '--detach'], { cwd: directory, environment: unisolated });
    const id = run.stdout.trim();
    const over = await sphere.run(['inspect', id, '--wait', '--timeout', '1s', '--json']);
    expect(over.code).toBe(6);
    const { error, deployment } = JSON.parse(over.stdout) as { error: ErrorBody; deployment: Deployment };
    expect([error.code, deployment.id]).toEqual(['WAIT_TIMED_OUT', id]);
    expect(error.hint).toContain(`sphere inspect ${id} --wait`);
    const waiting = sphere.start(['inspect', id, '--wait', '--json']);
    writeFileSync(flag, '');
    const ended = await waiting.ended;
    expect([ended.code, (JSON.parse(ended.stdout) as Deployment).status]).toEqual([0, 'ready']);
  });

  test('deploy --timeout leaves the deployment running, too', async () => {
    const directory = project(sphere, 'endless', built(`setInterval(() => {}, 1000);`));
    const run = await sphere.run(['deploy', '--timeout', '3s', '--json'], { cwd: directory });
    const { error, deployment } = JSON.parse(run.stdout) as { error: ErrorBody; deployment: Deployment };
    expect([run.code, error.code]).toEqual([6, 'WAIT_TIMED_OUT']);
    expect((await sphere.inspect(deployment.id)).finishedAt).toBeNull();
    expect((await sphere.run(['cancel', deployment.id])).code).toBe(0);
  });

  test.each([
    [['inspect', '--timeout', '5s'], '--wait'],
    [['deploy', '--timeout', '5s', '--detach'], '--detach'],
    [['deploy', '--timeout', '5s', '--prebuilt', '.'], '--prebuilt'],
    [['deploy', '--timeout', 'soon'], '90s'],
  ])('%j is wrong usage', async (args, says) => {
    const { code, stderr } = await sphere.run(args, { cwd });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(says) });
  });
});

test('redeploy builds the uploaded directory as it was, whatever has become of it since', async () => {
  const live = deployed[0] as string;
  writeFileSync(join(cwd, 'build.mjs'), 'not even JavaScript');
  const { environment, outputs, events } = openWorkflow(sphere.root);
  const { code, stdout, stderr } = await sphere.run(['redeploy', '--json'], { cwd, environment });
  expect(code).toBe(0);
  const again = JSON.parse(stdout) as { id: string; url: string; deployment: Deployment };
  deployed.unshift(again.id);
  expect(again.id).not.toBe(live);
  expect(again.deployment.source).toEqual((await sphere.inspect(live)).source);
  expect(stderr).toContain(`once more, as ${live} did`);
  expect((await get(again.url)).body).toBe('two');
  expect(outputs()).toEqual({ id: again.id, url: again.url, status: 'ready' });
  expect([events()[0], events().at(-1), events().includes('phase')]).toEqual(['created', 'ended', true]);
});

test('rollback shows what will change before it does', async () => {
  const first = deployed.at(-1) as string;
  const { code, stdout, stderr } = await sphere.run(['rollback', first], { cwd });
  expect(code).toBe(0);
  expect(stderr).toMatch(
    new RegExp(`from +${deployed[0]} .*\\n +to +${first} .*\\n1 file differs: 1 changed, 0 added, 0 removed`),
  );
  expect(stderr.indexOf('~ index.html')).toBeLessThan(stderr.indexOf('✔ Rolled'));
  expect((await get(stdout.trim())).body).toBe('one');
  const { environment, outputs } = openWorkflow(sphere.root);
  const back = await sphere.json<RollbackAnswer & { figures: object }>(['rollback', deployed[0] as string], {
    environment,
  });
  expect(back).toMatchObject({ previous: { id: first }, figures: { changed: 1, same: 1 } });
  expect(outputs()).toEqual({ id: deployed[0], url: stdout.trim(), status: 'ready' });
});

describe('a directory', () => {
  test('that is linked deploys to the linked project, and the link is no part of what is deployed', async () => {
    const directory = project(sphere, 'linked', page('linked'));
    const before = await sphere.json<{ source: object }>(['deploy', '--dry-run'], { cwd: directory });
    expect((await sphere.run(['link', 'bound-site', '--local'], { cwd: directory })).code).toBe(0);
    const after = await sphere.json<{ source: object; settings: Record<string, unknown> }>(
      ['deploy', '--dry-run'],
      { cwd: directory },
    );
    expect(after.source).toEqual(before.source);
    expect(after.settings.slug).toEqual({ value: 'bound-site', from: '.sphere/project.json' });
    const made = await sphere.json<{ project: string }>(['deploy'], { cwd: directory });
    expect(made.project).toBe('bound-site');
    // Flags, environment and the team's sphere.json go above what one person has linked.
    const shown = async (environment = {}) =>
      (await sphere.json<{ settings: Record<string, unknown> }>(['status'], { cwd: directory, environment }))
        .settings.slug;
    expect(await shown({ SPHERE_PROJECT: 'named' })).toEqual({ value: 'named', from: 'SPHERE_PROJECT' });
    writeFileSync(join(directory, 'sphere.json'), '{ "slug": "shared" }');
    expect(await shown()).toEqual({ value: 'shared', from: 'sphere.json' });
  });

  test('shows all that its sphere.json sets, of values for builds the names', async () => {
    const directory = project(sphere, 'all-set', {
      'index.html': 'x',
      'sphere.json': JSON.stringify({
        ignoreCommand: 'git diff --quiet HEAD^ HEAD .',
        env: { API: 'x', FLAG: '1' },
        productionBranch: 'main',
        redirects: [{ source: '/a', destination: '/b' }],
      }),
    });
    const { stdout } = await sphere.run(['status'], { cwd: directory });
    for (const row of [
      /^ignoreCommand +git diff --quiet HEAD\^ HEAD \. +sphere\.json$/m,
      /^env +API, FLAG +sphere\.json$/m,
      /^productionBranch +main +sphere\.json$/m,
      /^redirects +1 rule +sphere\.json$/m,
    ])
      expect(stdout).toMatch(row);
  });

  test('with a broken link says how to mend it', async () => {
    const directory = project(sphere, 'broken-link', {});
    mkdirSync(join(directory, '.sphere'));
    writeFileSync(join(directory, '.sphere', 'project.json'), '{}');
    const { code, stderr } = await sphere.run(['ls'], { cwd: directory });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('sphere unlink') });
    expect((await sphere.run(['unlink'], { cwd: directory })).code).toBe(0);
  });

  test('shows where each of its settings comes from', async () => {
    const directory = project(sphere, 'settled', {
      'sphere.json': '{ "buildCommand": null, "outputDirectory": "out", "spa": true }',
    });
    const { stdout } = await sphere.run(['status'], {
      cwd: directory,
      environment: { SPHERE_OUTPUT_DIRECTORY: 'dist' },
    });
    expect(stdout).toMatch(/^plane +this machine, .* +it is there$/m);
    expect(stdout).toMatch(/^slug +settled +the directory's name$/m);
    expect(stdout).toMatch(/^buildCommand +none +sphere\.json$/m);
    expect(stdout).toMatch(/^outputDirectory +dist +SPHERE_OUTPUT_DIRECTORY$/m);
    expect(stdout).toMatch(/^spa +true +sphere\.json$/m);
  });
});

test('doctor finds nothing wrong here, and a wrong sphere.json where there is one', async () => {
  const well = await sphere.run(['doctor'], { cwd });
  expect(well.stdout).toMatch(/^ok +plane +on this machine, Sphere .*at http:\/\/127/m);
  expect(well.stdout).toMatch(/^ok +disk +.* free for /m);
  const directory = project(sphere, 'wrong', { 'sphere.json': '{ "spaa": true }' });
  const ill = await sphere.run(['doctor', '--json'], { cwd: directory });
  expect(ill.code).toBe(1);
  expect(JSON.parse(ill.stdout)).toMatchObject({
    ok: false,
    checks: expect.arrayContaining([
      expect.objectContaining({ name: 'directory', state: 'fail', seen: expect.stringContaining('spaa') }),
    ]),
  });
});

test('completion prints a script, and knows its shells', async () => {
  expect((await sphere.run(['completion', 'bash'])).stdout).toMatch(/complete .* sphere\n$/);
  const { code, stderr } = await sphere.run(['completion', 'powershell']);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('bash, zsh and fish') });
});

test('the link is kept away from Git by a file of its own', () => {
  expect(readFileSync(join(sphere.root, 'projects', 'linked', '.sphere', '.gitignore'), 'utf8')).toBe('*\n');
});
