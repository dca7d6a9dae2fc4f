/** Whose code is built on this machine, and what it may reach: asked, said, required, forbidden. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { repository } from '../builder/git-repository.ts';
import { serveGit } from '../builder/git-server.ts';
import { cliFile, get, openSphere, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const isolated = /Commands run isolated \(bubblewrap\)/;
const config = JSON.stringify({ buildCommand: 'mkdir out; ls / > out/index.html', outputDirectory: 'out' });

async function foreign(): Promise<string> {
  const { url } = await serveGit(repository({ 'sphere.json': config }).directory, null);
  return `${url}/.git`;
}

test('a repository that is not a remote of the directory is refused without a terminal, and --yes is named', async () => {
  const repo = await foreign();
  const refused = await sphere.run(['deploy', '--local', '--repo', repo, '--slug', 'foreign', '--json']);
  expect(refused.code).toBe(4);
  expect(JSON.parse(refused.stdout).error).toMatchObject({
    code: 'INPUT_NEEDED',
    message: `This builds code of ${repo} on this machine, isolated from your files, with access to the network.`,
    hint: expect.stringContaining('--yes'),
  });

  const agreed = await sphere.run(['deploy', '--local', '--repo', repo, '--slug', 'foreign', '--yes']);
  expect(agreed.code, agreed.stderr).toBe(0);
  expect(agreed.stderr).toMatch(/This builds code of http:.* --yes agrees to it\./);
  expect(agreed.stderr).toMatch(isolated);
  expect((await get(agreed.stdout.trim())).body.split('\n')).not.toContain('run');

  // It has agreed to that deployment, and to no other.
  const again = await sphere.run([
    'deploy',
    '--local',
    '--repo',
    repo,
    '--slug',
    'foreign',
    '--isolation',
    'never',
  ]);
  expect(again.code).toBe(4);
  expect(again.stderr).toContain('not isolated: as you, with all that you may read and change');
});

test('a remote of the directory and a local repository are the own ones', async () => {
  const repo = await foreign();
  const cwd = join(sphere.root, 'checkout');
  mkdirSync(cwd);
  execFileSync('git', ['init', '-q', cwd]);
  execFileSync('git', ['-C', cwd, 'remote', 'add', 'upstream', repo.replace(/\.git$/, '.git/')]);
  const remote = await sphere.run(['deploy', '--local', '--repo', repo, '--slug', 'remote'], { cwd });
  expect(remote.code, remote.stderr).toBe(0);
  const local = repository({ 'sphere.json': config }).directory;
  const path = await sphere.run(['deploy', '--local', '--repo', local, '--slug', 'local-path'], { cwd });
  expect(path.code, path.stderr).toBe(0);
});

test('--isolation and SPHERE_ISOLATION are obeyed; a sphere.json has no say', async () => {
  const directory = repository({ 'sphere.json': config }).directory;
  const deploy = (args: string[], environment: Record<string, string> = {}) =>
    sphere.run(['deploy', '--local', '--force', directory, '--slug', 'modes', ...args], { environment });
  expect((await deploy(['--isolation', 'always'])).stderr).toMatch(isolated);
  expect((await deploy(['--isolation', 'never'])).stderr).toContain(
    'Commands run as you: --isolation never was given.',
  );
  expect((await deploy([], { SPHERE_ISOLATION: 'never' })).stderr).toContain('Commands run as you');
  const wrong = await deploy(['--isolation', 'sometimes']);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('auto, always, never')]);

  const own = repository({
    'sphere.json': JSON.stringify({ ...JSON.parse(config), isolation: 'never' }),
  }).directory;
  const refused = await sphere.run(['deploy', '--local', own, '--slug', 'modes']);
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining('isolation: is not a known key'),
  ]);
});

test('a person is asked once per owner, and a no builds nothing', async () => {
  const repo = await foreign();
  const socket = join(sphere.root, 'tmux');
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      cwd: sphere.root,
      env: { ...sphere.environment, TERM: 'xterm-256color', SHELL: '/bin/sh', ENV: '', PS1: '$ ' },
    });
  tmux('new-session', '-d', '-x', '200', '-y', '50', '/bin/sh');
  onTestFinished(() => {
    tmux('kill-server');
  });
  const shows = (pattern: RegExp) =>
    until(`the terminal shows ${pattern}`, () =>
      pattern.test(tmux('capture-pane', '-p', '-J', '-S', '-500')),
    );
  const deploy = (mark: string) => {
    tmux(
      'send-keys',
      '-l',
      `${process.execPath} ${cliFile} deploy --local --force --repo ${repo} --slug asked; echo ${mark} $?`,
    );
    tmux('send-keys', 'Enter');
  };
  deploy('first');
  await shows(/Go on, and trust 127\.0\.0\.1:\d+ from now on\?/);
  tmux('send-keys', 'Enter');
  await shows(/^first 130$/m);
  deploy('second');
  await shows(/Go on[\s\S]*Go on/);
  tmux('send-keys', '-l', 'y');
  tmux('send-keys', 'Enter');
  await shows(/^second 0$/m);
  deploy('third');
  await shows(/^third 0$/m);
  const { owners } = JSON.parse(readFileSync(join(sphere.home, 'agreed-sources.json'), 'utf8'));
  expect(owners).toEqual([new URL(repo).host]);
});
