/** In a real terminal, which tmux emulates: what a person sees, answers and presses. */
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { openScriptedPlane, wentWell } from '../cli/scripted-plane.ts';
import { built, builtAfter, project, unisolated } from './projects.ts';
import { cliFile, get, openSphere, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

/** A terminal of 100 columns with a shell in `directory`, in which `sphere` is the built CLI. */
function openTerminal(directory: string) {
  const socket = join(sphere.root, `tmux-${Math.random().toString(36).slice(2)}`);
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      cwd: directory,
      env: { ...sphere.environment, TERM: 'xterm-256color', SHELL: '/bin/sh', ENV: '', PS1: '$ ' },
    });
  tmux('new-session', '-d', '-x', '100', '-y', '40', '/bin/sh');
  onTestFinished(() => {
    tmux('kill-server');
  });
  const screen = (...options: string[]) => tmux('capture-pane', '-p', '-J', '-S', '-500', ...options);
  return {
    type: (text: string) => tmux('send-keys', '-l', text),
    press: (key: string) => tmux('send-keys', key),
    screen,
    /** Runs a line of shell. */
    enter(line: string) {
      tmux('send-keys', '-l', line);
      tmux('send-keys', 'Enter');
    },
    async shows(pattern: RegExp, ...options: string[]): Promise<void> {
      try {
        await until(`the terminal shows ${pattern}`, () => pattern.test(screen(...options)));
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${screen()}`);
      }
    },
  };
}

const controlSequence = '\\u001b\\[';
const sphereCommand = `${process.execPath} ${cliFile}`;

test('the first deploy offers the plane of this machine, shows a spinner and colours, and ends with the URL', async () => {
  const flag = join(sphere.root, 'go-on');
  const cwd = project(
    sphere,
    'in-a-terminal',
    builtAfter(
      flag,
      `
        console.log('\\x1b[35mmagenta\\x1b[0m');
        site({ 'index.html': 'x' });
      `,
    ),
  );
  const terminal = openTerminal(cwd);
  terminal.enter(`SPHERE_ISOLATION=${unisolated.SPHERE_ISOLATION} ${sphereCommand} deploy; echo exit $?`);
  await terminal.shows(/No control plane is configured\. Run one on this machine/);
  terminal.press('Enter');
  // A spinner's frame before what goes on, and the build's own colour.
  await terminal.shows(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] building/m);
  writeFileSync(flag, '');
  await terminal.shows(new RegExp(`${controlSequence}35mmagenta`), '-e');
  await terminal.shows(/^exit 0$/m);
  const screen = terminal.screen();
  expect(screen).toMatch(/^✔ build$/m);
  expect(screen).toMatch(/^Took .* build \d+\.\d s/m);
  expect(screen).toMatch(/^✔ Published 1 file/m);
  expect(screen).not.toMatch(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/m);
  const urls = screen.match(/^http:\/\/in-a-terminal\.localhost:\d+\/$/gm) ?? [];
  expect(urls).toHaveLength(1);
  expect((await get(urls[0] ?? '')).body).toBe('x');
});

test('a new site on a hosted plane is asked for its region: the nearest first, Enter is the default', async () => {
  const regions = [
    { region: 'us-east-1', name: 'US East (N. Virginia)', host: null },
    { region: 'eu-central-1', name: 'Europe (Frankfurt)', host: null },
  ];
  const cwd = project(sphere, 'placed', { 'index.html': 'x' });
  const chosen = async (...keys: string[]) => {
    const plane = await openScriptedPlane({ regions, followed: (opened) => opened.end(wentWell) });
    const terminal = openTerminal(cwd);
    const { SPHERE_URL, SPHERE_TOKEN } = plane.environment;
    terminal.enter(
      `SPHERE_URL=${SPHERE_URL} SPHERE_TOKEN=${SPHERE_TOKEN} ${sphereCommand} deploy; echo exit $?`,
    );
    await terminal.shows(/Where should the site be kept\?/);
    await terminal.shows(
      /❯ us-east-1 {2}US East \(N\. Virginia\), the default\n +eu-central-1 {2}Europe \(Frankfurt\)/,
    );
    for (const key of keys) terminal.press(key);
    await terminal.shows(/^exit 0$/m);
    return plane.created()?.region;
  };
  expect(await chosen('Enter')).toBe('us-east-1');
  expect(await chosen('Down', 'Enter')).toBe('eu-central-1');
});

test('Ctrl-C reaches the deployment once, through the terminal, and the prompt comes back', async () => {
  const cwd = project(
    sphere,
    'pressed',
    built(`console.log('and now it stays'); setInterval(() => {}, 1000);`),
  );
  const terminal = openTerminal(cwd);
  terminal.enter(`${sphereCommand} deploy --local; echo exit $?`);
  await terminal.shows(/^and now it stays$/m);
  terminal.press('C-c');
  await terminal.shows(/^exit 130$/m);
  expect(terminal.screen()).toContain('is cancelled');
  expect((await sphere.newest('pressed')).status).toBe('cancelled');
});

test('no to the plane of this machine, and Ctrl-C at the question, start nothing', async () => {
  const other = openSphere();
  onTestFinished(() => other.close());
  const cwd = project(sphere, 'refused', built(`site({ 'index.html': 'x' });`));
  const terminal = openTerminal(cwd);
  const command = `SPHERE_HOME=${other.home} ${sphereCommand} deploy`;
  terminal.enter(`${command}; echo first $?`);
  await terminal.shows(/Run one on this machine/);
  terminal.type('n');
  terminal.press('Enter');
  await terminal.shows(/^first 4$/m);
  terminal.enter(`clear; ${command}; echo second $?`);
  await terminal.shows(/^\? No control plane/m);
  terminal.press('C-c');
  await terminal.shows(/^second 130$/m);
});

test('env add asks for the value and shows nothing of what is typed', async () => {
  const cwd = project(sphere, 'asked-for', built(`site({ 'index.html': 'x' });`));
  expect((await sphere.run(['deploy', '--local'], { cwd })).code).toBe(0);
  const terminal = openTerminal(cwd);
  terminal.enter(`${sphereCommand} env add API_KEY; echo exit $?`);
  await terminal.shows(/^\? Value of API_KEY/m);
  terminal.type('typed-secret-4242');
  terminal.press('Enter');
  await terminal.shows(/^exit 0$/m);
  expect(terminal.screen()).toContain('Stored API_KEY of asked-for for live, as a secret.');
  expect(terminal.screen()).not.toContain('typed');
  // A question that is answered with no stores nothing.
  terminal.enter(`clear; ${sphereCommand} env add VITE_KEY; echo second $?`);
  await terminal.shows(/^\? Store VITE_KEY as plain, for everybody to read\?/m);
  terminal.press('Enter');
  await terminal.shows(/^second 2$/m);
  const { values } = await sphere.json<{ values: { name: string }[] }>(['env', 'ls'], { cwd });
  expect(values.map(({ name }) => name)).toEqual(['API_KEY']);
});

test('rollback asks before it does anything, and says what will change', async () => {
  const cwd = project(sphere, 'to-and-fro', { 'index.html': 'one', 'gone.html': 'x' });
  await sphere.json(['deploy', '--local'], { cwd });
  rmSync(join(cwd, 'gone.html'));
  const { url } = await sphere.json<{ url: string }>(['deploy', '--local'], { cwd });
  const terminal = openTerminal(cwd);
  terminal.enter(`${sphereCommand} rollback; echo exit $?`);
  await terminal.shows(/Roll back\?/);
  expect(terminal.screen()).toMatch(/1 file differs: 0 changed, 1 added, 0 removed\.\n {2}\+ gone\.html/);
  terminal.enter('n');
  await terminal.shows(/Nothing was changed\.\nexit 1/);
  expect((await get(`${url}gone.html`)).status).toBe(404);
});

test('login asks for the address and, without showing it, for the token', async () => {
  const terminal = openTerminal(project(sphere, 'signing-in', {}));
  terminal.enter(`${sphereCommand} login; echo exit $?`);
  await terminal.shows(/Address of the control plane:/);
  terminal.enter(sphere.plane().url);
  await terminal.shows(/Token for http:\/\/127\.0\.0\.1:\d+:/);
  terminal.enter(sphere.plane().token);
  await terminal.shows(/Signed in to http:\/\/127.* as this machine[\s\S]*exit 0/);
  expect(terminal.screen()).not.toContain(sphere.plane().token);
  expect((await sphere.run(['logout'])).code).toBe(0);
});
