/** Previews on the plane of this machine, by the built CLI: beside the live site, promoted, ended, removed. */
import { execFileSync } from 'node:child_process';
import { sql } from 'kysely';
import { afterAll, expect, test } from 'vitest';
import type { Deployment, Target } from '../../contract/api.ts';
import { openDatabaseOf } from '../peers/embedded-database.ts';
import { built, project } from './projects.ts';
import { get, openSphere, until } from './sphere.ts';
import { openWorkflow } from './workflow.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

/** A page that says what its build was told of its target. */
const page = (text: string) =>
  built(
    `site({ 'index.html': '${text} ' + process.env.SPHERE_TARGET + ' ' + process.env.SPHERE_SITE_URL });`,
  );

type Deployed = { id: string; target: string; url: string; address: string; outcome: string };
const deploy = (cwd: string, ...args: string[]) =>
  sphere.json<Deployed>(['deploy', '--local', ...args], { cwd });
const previews = async (cwd: string) =>
  (await sphere.json<{ previews: Target[] }>(['previews'], { cwd })).previews;
const bodyOf = async (url: string) => (await get(url)).body;

function onBranch(cwd: string, branch: string): void {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.com'];
  const git = (...args: string[]) => execFileSync('git', [...identity, ...args], { cwd, stdio: 'ignore' });
  git('init', '--initial-branch', branch);
  git('add', '.');
  git('commit', '-m', 'x');
}

/** Lets the previews of the data directory end in so many seconds; no plane runs afterwards. */
async function endPreviews(seconds: number): Promise<void> {
  expect((await sphere.run(['server', 'stop'])).code).toBe(0);
  const database = await openDatabaseOf(sphere.home);
  await database.query
    .updateTable('targets')
    .set({ expires_at: sql<Date>`now() + ${seconds}::integer * interval '1 second'` })
    .where('expires_at', 'is not', null)
    .execute();
  await database.close();
}

test('a preview is beside the live site, at addresses of its own, and says so before and after', async () => {
  const cwd = project(sphere, 'shop', page('one'));
  const live = await deploy(cwd);
  project(sphere, 'shop', page('two'));
  const run = await sphere.run(['deploy', '--preview', 'Feature/X_1'], { cwd });
  expect(run.code, run.stderr).toBe(0);
  expect(run.stdout).toMatch(/^http:\/\/shop--feature-x-1\.localhost:\d+\/\n$/);
  expect(run.stderr).toMatch(/as the preview feature-x-1/);
  expect(run.stderr).toMatch(/A new preview, at .*\. Live is untouched\. It ends on \d{4}-\d\d-\d\d/);
  const url = run.stdout.trim();
  expect(await bodyOf(url)).toBe(`two feature-x-1 ${url}`);
  expect(await bodyOf(live.url)).toBe(`one live ${live.url}`);
  const [preview] = await previews(cwd);
  expect(await bodyOf(preview?.address ?? '')).toBe(`two feature-x-1 ${url}`);
  expect(preview?.address).not.toBe(live.address);

  const again = await deploy(cwd, '--preview', 'feature-x-1');
  expect([again.outcome, again.target, again.url]).toEqual(['already_live', 'feature-x-1', url]);
  const replaced = await sphere.run(['deploy', '--force'], { cwd });
  expect(replaced.stderr).toContain(`Replaces what ${live.url} serves (${live.id}, `);
  expect((await sphere.run(['ls', 'shop'])).stdout).toMatch(/dpl_\w+ +feature-x-1 +ready, on feature-x-1/);
  // Addresses outlive the plane.
  await sphere.run(['server', 'stop']);
  expect((await previews(cwd))[0]?.address).toBe(preview?.address);
  expect(await bodyOf(preview?.address ?? '')).toBe(`two feature-x-1 ${url}`);
});

test('promote makes what a preview serves live without a build, and rollback takes it back', async () => {
  const cwd = project(sphere, 'promoted', page('one'));
  const live = await deploy(cwd);
  project(sphere, 'promoted', page('two'));
  const preview = await deploy(cwd, '--preview', 'next');
  const { environment, outputs } = openWorkflow(sphere.root);
  const run = await sphere.run(['promote', 'next'], { cwd, environment });
  expect(run.code, run.stderr).toBe(0);
  expect(run.stdout).toBe(`${live.url}\n`);
  expect(outputs()).toEqual({ id: preview.id, url: live.url, status: 'ready' });
  expect(run.stderr).toContain(`was  ${live.id}`);
  expect(run.stderr).toContain(`now  ${preview.id}`);
  expect(await bodyOf(live.url)).toBe(`two next ${preview.url}`);
  const { deployments } = await sphere.json<{ deployments: Deployment[] }>(['ls', 'promoted']);
  expect(deployments.map(({ id, liveOn }) => [id, liveOn])).toEqual([
    [preview.id, ['live', 'next']],
    [live.id, []],
  ]);
  expect((await sphere.run(['promote', preview.id])).stderr).toContain('Nothing has changed');
  const back = await sphere.run(['rollback'], { cwd });
  expect([back.code, back.stdout]).toEqual([0, `${live.url}\n`]);
  expect(await bodyOf(live.url)).toBe(`one live ${live.url}`);
});

test('with productionBranch, other branches become previews unless --prod is given', async () => {
  const settings = { buildCommand: 'node build.mjs', outputDirectory: 'out', productionBranch: 'main' };
  const files = (text: string, more = {}) => ({
    ...page(text),
    'sphere.json': JSON.stringify({ ...settings, ...more }),
  });
  const cwd = project(sphere, 'branched', files('one', { previews: { expireAfterDays: 2 } }));
  const unknown = await sphere.run(['deploy'], { cwd });
  expect([unknown.code, unknown.stdout]).toEqual([4, '']);
  expect(unknown.stderr).toContain('--prod, or --preview NAME');
  onBranch(cwd, 'fix/it');
  const dry = await sphere.json<{ settings: { target: object } }>(['deploy', '--dry-run'], { cwd });
  expect(dry.settings.target).toMatchObject({ value: 'fix-it' });
  const preview = await deploy(cwd);
  expect([preview.target, preview.outcome]).toEqual(['fix-it', 'deployed']);
  const [target] = await previews(cwd);
  const days = (Date.parse(target?.expiresAt ?? '') - Date.now()) / 86_400_000;
  expect(Math.round(days)).toBe(2);
  // The name of the branch is enough.
  expect((await sphere.run(['promote'], { cwd })).code).toBe(0);
  expect((await deploy(cwd, '--prod')).target).toBe('live');
});

test('a preview that has ended is served no more, is in no list, and leaves live as it is', async () => {
  const cwd = project(sphere, 'ended', { 'index.html': 'live' });
  const live = await deploy(cwd);
  const preview = await deploy(cwd, '--preview', 'gone');
  expect((await get(preview.url)).status).toBe(200);
  await endPreviews(-1);
  expect(await previews(cwd)).toEqual([]);
  for (const address of [preview.url, preview.address]) {
    const seen = await get(address).catch(() => ({ status: 0 }));
    expect([0, 404]).toContain(seen.status);
  }
  expect((await get(preview.url)).body).toContain('gone');
  expect((await get(live.url)).body).toBe('live');
  const promoted = await sphere.run(['promote', 'gone'], { cwd });
  expect(promoted.code).toBe(1);
  // It may come again.
  const again = await deploy(cwd, '--preview', 'gone');
  expect((await get(again.url)).status).toBe(200);
});

test('a preview that ends while nobody looks is served no more from that moment on', async () => {
  const cwd = project(sphere, 'unwatched', { 'index.html': 'live' });
  const preview = await deploy(cwd, '--preview', 'x');
  await endPreviews(10);
  expect((await previews(cwd)).map(({ name }) => name)).toContain('x');
  expect((await get(preview.url)).status).toBe(200);
  await until('the preview has ended', async () => (await get(preview.url)).status === 404);
  expect((await get(preview.address)).status).toBe(404);
  expect(await previews(cwd)).toEqual([]);
});

test('rm --preview shows what goes, asks, and removes the preview alone', async () => {
  const cwd = project(sphere, 'tidy', { 'index.html': 'live' });
  const live = await deploy(cwd);
  const preview = await deploy(cwd, '--preview', 'x');
  const refused = await sphere.run(['rm', 'tidy', '--preview', 'x']);
  expect([refused.code, refused.stdout]).toEqual([4, '']);
  expect(refused.stderr).toContain('sphere rm tidy --preview x --yes');
  expect(refused.stderr).toContain(preview.id);
  const removed = await sphere.run(['rm', 'tidy', '--preview', 'x', '--yes']);
  expect([removed.code, removed.stdout], removed.stderr).toEqual([0, 'x\n']);
  expect((await get(preview.url)).status).toBe(404);
  await expect(get(preview.address)).rejects.toThrow('ECONNREFUSED');
  expect((await get(live.url)).body).toBe('live');
  expect((await sphere.run(['rm', 'tidy', '--preview', 'x', '--yes'])).code).toBe(1);
  expect((await sphere.run(['rm', 'tidy', '--preview', 'live', '--yes'])).code).toBe(1);
});
