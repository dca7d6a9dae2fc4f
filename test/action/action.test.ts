/** The GitHub action and the examples of docs/ci.md, run as their services run them, against a real plane. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ciServices } from '../../cli/ci-environment.ts';
import type { Deployment } from '../../contract/api.ts';
import { packageRoot } from '../../files/package-root.ts';
import { built, project } from '../e2e/projects.ts';
import { cliFile, get, openSphere } from '../e2e/sphere.ts';
import { writeTree } from '../files/tree.ts';
import { runAction } from './github-runner.ts';

const sphere = openSphere();
const file = join(packageRoot(), 'action.yml');
const docs = readFileSync(join(packageRoot(), 'docs', 'ci.md'), 'utf8');
let plane: { url: string; token: string };
beforeAll(async () => {
  const cwd = project(sphere, 'the-first', { 'index.html': 'x' });
  const { code, stderr } = await sphere.run(['deploy', '--local'], { cwd });
  if (code !== 0) throw new Error(stderr);
  plane = sphere.plane();
});
afterAll(() => sphere.close());

function act(workspace: string, inputs: Record<string, string>, environment: Record<string, string> = {}) {
  return runAction({
    file,
    actionPath: packageRoot(),
    workspace,
    inputs: { url: plane.url, token: plane.token, ...inputs },
    environment: { ...sphere.environment, ...environment },
  });
}

describe('the action', () => {
  test('deploys the workspace, and gives id, url and status of its own deployment', async () => {
    const workspace = project(sphere, 'by-action', built(`site({ 'index.html': 'from CI' });`));
    const { code, outputs, summary, log } = await act(workspace, { project: 'by-action' });
    expect(code, log).toBe(0);
    expect(outputs).toEqual({
      id: expect.stringMatching(/^dpl_/),
      url: expect.stringMatching(/^http:\/\/by-action\.localhost/),
      status: 'ready',
    });
    expect((await get(outputs.url as string)).body).toBe('from CI');
    expect(summary).toContain('✅ Sphere: by-action');
    expect(log).toContain('::group::build');
    expect(log).not.toContain(plane.token);

    const again = await act(workspace, { project: 'by-action' });
    expect(again.outputs).toEqual(outputs);
  });

  test('fails with the command, with the id and without a url', async () => {
    const workspace = project(
      sphere,
      'failing-action',
      built(`console.log('::set-output name=url::http://evil.example.com'); process.exitCode = 1;`),
    );
    const { code, outputs, log } = await act(workspace, { project: 'failing-action' });
    expect(code).toBe(5);
    expect(outputs).toEqual({ id: expect.stringMatching(/^dpl_/), url: '', status: 'error' });
    expect(log).toContain('::error title=Sphere%3A BUILD_FAILED::');
  });

  test('publishes a preview under a name or that of the branch, and the live site whatever the branch', async () => {
    const workspace = project(sphere, 'targets', {
      'index.html': 'x',
      'sphere.json': '{"productionBranch":"main"}',
    });
    const push = {
      GITHUB_REF: 'refs/heads/feature-a',
      GITHUB_REF_NAME: 'feature-a',
      GITHUB_SHA: 'a'.repeat(40),
    };
    const targetOf = async (inputs: Record<string, string>) => {
      const { code, outputs, log } = await act(workspace, { project: 'targets', ...inputs }, push);
      expect(code, log).toBe(0);
      return (await sphere.json<Deployment>(['inspect', outputs.id as string])).target;
    };
    expect(await targetOf({ preview: 'pr-1' })).toBe('pr-1');
    expect(await targetOf({ preview: 'true' })).toBe('feature-a');
    expect(await targetOf({})).toBe('feature-a');
    expect(await targetOf({ prod: 'true' })).toBe('live');
  });

  test('takes inputs as words, whatever is in them', async () => {
    const workspace = project(sphere, 'words', { 'a b/$(touch hacked)/index.html': 'x' });
    const { code, outputs } = await act(workspace, { project: 'words', dir: 'a b/$(touch hacked)' });
    expect(code).toBe(0);
    expect((await get(outputs.url as string)).body).toBe('x');
    expect(() => readFileSync(join(workspace, 'hacked'))).toThrow();
  });

  test('ends with 4 and the flag where something is missing, and asks nothing', async () => {
    const workspace = join(sphere.root, '_');
    mkdirSync(workspace, { recursive: true });
    writeTree(workspace, { 'index.html': 'x' });
    const { code, log, outputs } = await act(workspace, {});
    expect(code).toBe(4);
    expect(log).toContain('--slug');
    expect(outputs).toMatchObject({ id: '', status: 'error' });
  });
});

describe('two workflows for forks', () => {
  test('publish what was built, run nothing of it, and store what the event says', async () => {
    const workspace = join(sphere.root, 'fork');
    const site = join(workspace, 'site');
    mkdirSync(site, { recursive: true });
    writeTree(site, {
      'index.html': 'from a fork',
      'sphere.json': '{"slug":"the-first","buildCommand":"touch hacked"}',
      'package.json': '{"scripts":{"preinstall":"touch hacked","build":"touch hacked"}}',
    });
    const head = 'a'.repeat(40);
    const event = join(sphere.root, 'event.json');
    writeFileSync(
      event,
      JSON.stringify({ workflow_run: { head_sha: head, head_branch: 'fix', pull_requests: [] } }),
    );
    const { code, outputs, log } = await act(
      workspace,
      { project: 'my-site', preview: 'pr-12', prebuilt: 'site' },
      { GITHUB_SHA: 'b'.repeat(40), GITHUB_REF: 'refs/heads/main', GITHUB_EVENT_PATH: event },
    );
    expect(code, log).toBe(0);
    expect((await get(outputs.url as string)).body).toBe('from a fork');
    expect(() => readFileSync(join(site, 'hacked'))).toThrow();
    const deployment = await sphere.json<Deployment>(['inspect', outputs.id as string]);
    expect(deployment).toMatchObject({ project: 'my-site', target: 'pr-12' });
    expect(deployment.source).toMatchObject({
      kind: 'prebuilt',
      git: { commit: head, branch: 'fix', dirty: false },
      ci: { service: 'GitHub Actions' },
    });
    const { stdout } = await sphere.run(['inspect', outputs.id as string]);
    expect(stdout).toMatch(/^branch +fix$/m);
    expect(stdout).toMatch(/^run +GitHub Actions/m);
  });

  test('publish no link out of what was built', async () => {
    const workspace = join(sphere.root, 'fork-link');
    mkdirSync(join(workspace, 'site'), { recursive: true });
    writeTree(join(workspace, 'site'), { 'index.html': 'x' });
    symlinkSync('/etc/passwd', join(workspace, 'site', 'passwd.txt'));
    const { code, log, outputs } = await act(workspace, { project: 'my-site-pr-13', prebuilt: 'site' });
    expect(code).not.toBe(0);
    expect(outputs.url).toBe('');
    expect(log).toContain('passwd.txt');
  });
});

describe('docs/ci.md', () => {
  const blocks = [...docs.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text]) => parse(text as string));
  const action = parse(readFileSync(file, 'utf8'));

  test('names every service that is known', () => {
    expect(ciServices.filter((service) => !docs.includes(service))).toEqual([]);
  });

  test('uses the action with inputs and outputs that it has, and describes all of them', () => {
    const steps = blocks.flatMap((block) =>
      Object.values((block.jobs ?? {}) as Record<string, { steps?: { uses?: string; with?: object }[] }>),
    );
    const uses = steps.flatMap((job) => job.steps ?? []).filter((step) => step.uses?.includes('/sphere@'));
    expect(uses).toHaveLength(3);
    for (const step of uses) {
      const given = Object.keys(step.with ?? {});
      expect(given.filter((name) => !(name in action.inputs))).toEqual([]);
      expect(given).toContain('url');
    }
    for (const name of [...Object.keys(action.inputs), ...Object.keys(action.outputs)])
      expect(docs).toContain(`\`${name}\``);
  });

  test('describes every event', () => {
    const source = readFileSync(join(packageRoot(), 'cli', 'event-file.ts'), 'utf8');
    const types = [...source.matchAll(/type: '(\w+)'/g)].map(([, type]) => type);
    expect(types.length).toBeGreaterThan(3);
    for (const type of types) expect(docs).toMatch(new RegExp(`^\\| \`${type}\` \\|`, 'm'));
  });

  test.each([
    ['GitLab CI', (block: never) => (block as Gitlab).deploy?.script],
    ['CircleCI', (block: never) => circleSteps(block).flatMap(({ run }) => run ?? [])],
    ['Bitbucket Pipelines', (block: never) => (block as Bitbucket).pipelines?.branches.main[0]?.step.script],
    ['Azure Pipelines', (block: never) => (block as Azure).steps?.flatMap(({ script }) => script ?? [])],
  ])('%s: the script of the example deploys', async (service, scriptOf) => {
    const scripts = blocks.flatMap((block) => scriptOf(block as never) ?? []);
    const lines = scripts.filter((line) => typeof line === 'string');
    expect(lines.join('\n')).toContain('sphere deploy');
    const name = service.toLowerCase().replaceAll(' ', '-');
    const cwd = project(sphere, name, { 'index.html': service });
    const bin = join(sphere.root, 'bin');
    mkdirSync(bin, { recursive: true });
    // The program is installed already, and nobody becomes root for it.
    writeFileSync(join(bin, 'npm'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(bin, 'sudo'), '#!/bin/sh\n', { mode: 0o755 });
    writeFileSync(join(bin, 'sphere'), `#!/bin/sh\nexec "${process.execPath}" "${cliFile}" "$@"\n`, {
      mode: 0o755,
    });
    execFileSync('bash', ['-eo', 'pipefail', '-c', lines.join('\n').replaceAll('my-site', name)], {
      cwd,
      env: {
        ...sphere.environment,
        PATH: `${bin}:${process.env.PATH}`,
        SPHERE_URL: plane.url,
        SPHERE_TOKEN: plane.token,
        CI: 'true',
      },
      stdio: 'pipe',
    });
    expect((await get((await sphere.newest(name)).url)).body).toBe(service);
  });
});

type Gitlab = { deploy?: { script?: string[] } };
type Circle = { version?: number; jobs?: { deploy?: { steps?: { run?: string }[] } } };
const circleSteps = (block: Circle) => (block.version ? (block.jobs?.deploy?.steps ?? []) : []);
type Bitbucket = { pipelines?: { branches: { main: { step: { script: string[] } }[] } } };
type Azure = { steps?: { script?: string }[] };
