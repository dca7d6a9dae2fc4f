/** Secrets and other environment values, from `sphere env add` to the build, the log and the published site. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Deployment } from '../../contract/api.ts';
import type { EnvironmentList } from '../../contract/environment-api.ts';
import type { LogLine } from '../../contract/logs.ts';
import { built, project } from './projects.ts';
import { get, openSphere, until } from './sphere.ts';

const sphere = openSphere();
afterAll(() => sphere.close());

const secret = 'sk_live_4242/never+shown again?';
/** Longer than a line of base64, as keys are. */
const longSecret = Array.from({ length: 12 }, (_, n) => `part${n}-${'abcdefgh'.repeat(2)}`).join('.');

const page = `site({ 'index.html': '<h1>here</h1>' });`;

/** A project that has been deployed once, and what its next build runs. */
async function deployed(name: string): Promise<{ cwd: string; next(script: string): void }> {
  const cwd = project(sphere, name, built(page));
  expect((await sphere.run(['deploy', '--local'], { cwd })).code).toBe(0);
  const next = (script: string) =>
    writeFileSync(join(cwd, 'build.mjs'), (built(script)['build.mjs'] as string) ?? '');
  return { cwd, next };
}

const add = (cwd: string, name: string, input: string | Buffer, ...more: string[]) =>
  sphere.run(['env', 'add', name, ...more], { cwd, input });

/** Every form in which the tests look for `value`. */
const traces = (value: string) => [
  value,
  JSON.stringify(value).slice(1, -1),
  encodeURIComponent(value),
  Buffer.from(value).toString('base64').slice(0, -4),
];

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name));
}

test('P7: a build that prints secrets in every form leaves them in no terminal, no log and no file', async () => {
  const { cwd, next } = await deployed('printing');
  await add(cwd, 'API_KEY', secret);
  await add(cwd, 'LONG_KEY', longSecret);
  next(`
    const { API_KEY: key, LONG_KEY: long } = process.env;
    const wait = () => sleep(120);
    const base64 = (text) => Buffer.from(text).toString('base64');
    console.log('raw ' + key + ' and ' + long);
    console.error('on stderr ' + key);
    console.log('in JSON ' + JSON.stringify({ key, long }));
    console.log('in an address https://example.com/?k=' + encodeURIComponent(key) + '&' + new URLSearchParams({ key }));
    for (const before of ['', 'x', 'xy', 'user:']) console.log('base64 ' + base64(before + key) + ' ' + base64(before + key + '!'));
    process.stdout.write('in two writes ' + key.slice(0, 11)); await wait(); process.stdout.write(key.slice(11) + '\\n');
    for (const letter of 'a letter at a time ' + key) process.stdout.write(letter);
    console.log();
    const { execFileSync, execSync } = await import('node:child_process');
    execSync('echo wrapped; printf %s "$LONG_KEY" | base64; echo "key=$LONG_KEY" | base64 -w 64', { stdio: 'inherit' });
    execSync('set -x; : "$API_KEY" "$LONG_KEY"', { stdio: 'inherit' });
    const lists = fs.readdirSync('/proc').filter((name) => Number(name) > 0).filter((pid) => {
      try { return fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8').includes(key); } catch { return false; }
    });
    console.log('in ' + lists.length + ' command lines');
    ${page}
    throw new Error('failing with ' + key + ' and ' + base64(long));
  `);
  const ended = await sphere.run(['deploy'], { cwd });
  expect(ended.code).toBe(5);
  expect(ended.stderr).toContain('raw *** and ***');
  expect(ended.stderr).toContain('in 0 command lines');
  const { id } = await sphere.newest('printing');
  const log = await sphere.run(['logs', id, '--json']);
  const lines = log.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
  const text = lines.map((line) => line.text).join('\n');
  expect(text).toContain('in two writes ***\na letter at a time ***');
  expect(text).toMatch(/wrapped\n(?:[A-Za-z0-9+/=]{0,12}\*\*\*[A-Za-z0-9+/=]{0,12}\n)+/);
  const inspected = await sphere.run(['inspect', id, '--json']);
  for (const seen of [ended.stderr, ended.stdout, log.stdout, inspected.stdout]) {
    for (const trace of [...traces(secret), ...traces(longSecret)]) expect(seen).not.toContain(trace);
    // No half of the base64 either, as a wrapped line would be.
    expect(seen).not.toContain(Buffer.from(longSecret).toString('base64').slice(60, 100));
  }
  // What the build was given to run in is the author's own, and is removed with the builder.
  await until('the builder is gone', () => readdirSync(join(sphere.home, 'builds')).length === 0);
  for (const file of filesBelow(sphere.home)) {
    const content = readFileSync(file);
    for (const trace of traces(secret)) expect([file, content.includes(trace)]).toEqual([file, false]);
  }
});

test.each([
  ['raw', `site({ 'index.html': 'x', 'assets/app.js': 'k="' + key + '"' });`, 'assets/app.js'],
  ['in base64', `site({ 'index.html': 'x', 'a.js': Buffer.from('u:' + key).toString('base64') });`, 'a.js'],
  ['URL-encoded', `site({ 'index.html': '<a href="?k=' + encodeURIComponent(key) + '">' });`, 'index.html'],
  ['in a source map', `site({ 'index.html': 'x', 'a.js.map': JSON.stringify({ key }) });`, 'a.js.map'],
])('a site that holds a secret %s is not published, and the one before stays', async (form, script, path) => {
  const name = `leaking-${form.replace(/\W+/g, '-').toLowerCase()}`;
  const { cwd, next } = await deployed(name);
  await add(cwd, 'API_KEY', secret);
  next(`const key = process.env.API_KEY; ${script}`);
  const ended = await sphere.run(['deploy', '--json'], { cwd });
  expect(ended.code).toBe(5);
  const { error, deployment } = JSON.parse(ended.stdout) as {
    error: { code: string; message: string; details: string[] };
    deployment: Deployment;
  };
  expect(error).toMatchObject({
    code: 'SECRET_IN_OUTPUT',
    message: `Nothing was published: the output holds the secret API_KEY in ${path}.`,
    details: [`API_KEY in ${path}`],
  });
  expect(deployment).toMatchObject({ status: 'error', reason: 'output_invalid' });
  for (const trace of traces(secret)) expect(ended.stdout + ended.stderr).not.toContain(trace);
  const { projects } = await sphere.json<{ projects: { slug: string; url: string }[] }>(['ls']);
  const url = projects.find(({ slug }) => slug === name)?.url ?? '';
  expect((await get(url)).body).toBe('<h1>here</h1>');
  expect((await get(`${url}${path === 'index.html' ? 'none' : path}`)).status).toBe(404);
  // Told that everybody may read it, it is published.
  await add(cwd, 'API_KEY', secret, '--plain');
  expect((await sphere.run(['deploy'], { cwd })).code).toBe(0);
});

test('T35, P8: what is piped in is stored as it is, less one line break, and nothing empty by accident', async () => {
  const { cwd, next } = await deployed('piped');
  const stored = async (input: string | Buffer, ...more: string[]) =>
    add(cwd, 'VALUE', input, '--plain', ...more);
  const value = async () =>
    (await sphere.json<EnvironmentList>(['env', 'ls'], { cwd })).values.find(({ name }) => name === 'VALUE')
      ?.value;
  for (const [input, expected, said] of [
    ['a\n', 'a', true],
    ['a\r\n', 'a', true],
    ['a\n\n', 'a\n', true],
    ['a', 'a', false],
    [' a "b" $c \\n \'d\' `e`\t', ' a "b" $c \\n \'d\' `e`\t', false],
    ['line one\nline two\n', 'line one\nline two', true],
    ['äöü €😀', 'äöü €😀', false],
  ] as const) {
    const ended = await stored(input);
    expect([input, ended.code, ended.stderr.includes('line break at the end was left out')]).toEqual([
      input,
      0,
      said,
    ]);
    expect(await value()).toBe(expected);
  }
  for (const input of ['', '\n']) {
    expect(await stored(input)).toMatchObject({ code: 4, stderr: expect.stringContaining('--allow-empty') });
  }
  expect((await stored(Buffer.from([0xff, 0xfe, 0x41]))).stderr).toContain('not UTF-8');
  expect((await stored('x'.repeat(64 * 1024 + 1))).code).toBe(2);
  expect(await value()).toBe('äöü €😀');
  expect((await stored('', '--allow-empty')).code).toBe(0);
  expect(await value()).toBe('');
  // The build gets exactly that.
  await add(cwd, 'VALUE', ' two\nlines "and" $more\n', '--plain');
  next(`console.log('got ' + JSON.stringify(process.env.VALUE)); ${page}`);
  expect((await sphere.run(['deploy'], { cwd })).stderr).toContain('got " two\\nlines \\"and\\" $more"');
}, 240_000);

test('a value in the command line is refused with the reason, and not repeated', async () => {
  const { cwd } = await deployed('typed');
  for (const words of [[`API_KEY=${secret}`], ['API_KEY', secret], [secret]]) {
    const ended = await sphere.run(['env', 'add', ...words], { cwd, input: 'x' });
    expect(ended.code).toBe(2);
    if (words[0] !== secret) expect(ended.stderr).toContain('lists of processes');
    if (words[0] !== secret) expect(ended.stderr).not.toContain(secret);
  }
  const flag = await sphere.run(['deploy', '--env', secret], { cwd });
  expect(flag).toMatchObject({ code: 2, stderr: expect.stringContaining('NAME=VALUE') });
  expect(flag.stderr).not.toContain(secret);
  expect((await sphere.json<EnvironmentList>(['env', 'ls'], { cwd })).values).toEqual([]);
});

test('T35: what frameworks put into the pages is no secret: it is said, and confirmed', async () => {
  const { cwd } = await deployed('published');
  const refused = await add(cwd, 'VITE_API_KEY', secret);
  expect(refused.code).toBe(4);
  expect(refused.stderr).toContain('everybody will be able to read VITE_API_KEY');
  expect((await sphere.json<EnvironmentList>(['env', 'ls'], { cwd })).values).toEqual([]);
  expect((await add(cwd, 'VITE_API_KEY', secret, '--yes')).code).toBe(0);
  expect((await add(cwd, 'NEXT_PUBLIC_URL', 'https://example.com', '--plain')).stderr).not.toContain(
    'everybody',
  );
  const { values } = await sphere.json<EnvironmentList>(['env', 'ls'], { cwd });
  expect(values).toMatchObject([
    { name: 'NEXT_PUBLIC_URL', sensitive: false },
    { name: 'VITE_API_KEY', sensitive: false, value: secret },
  ]);
});

test('T35: pull merges into what is there and keeps a copy; secrets are named, not given', async () => {
  const { cwd } = await deployed('pulled');
  await add(cwd, 'API_KEY', secret);
  await add(cwd, 'API_URL', 'https://new.example.com', '--plain');
  await add(cwd, 'GREETING', "it's\ntwo lines", '--plain');
  const file = join(cwd, '.env.local');
  const before = '# mine\nexport API_URL="https://old.example.com" # was\nLOCAL=1';
  writeFileSync(file, before);
  const ended = await sphere.run(['env', 'pull'], { cwd });
  expect(ended).toMatchObject({ code: 0, stdout: `${file}\n` });
  expect(readFileSync(file, 'utf8')).toBe(
    '# mine\nexport API_URL=https://new.example.com # was\nLOCAL=1\nGREETING="it\'s\\ntwo lines"\n# API_KEY is a secret\n',
  );
  expect(readFileSync(join(cwd, '.env.backup.local'), 'utf8')).toBe(before);
  rmSync(join(cwd, '.env.backup.local'));
  expect((await sphere.run(['env', 'pull'], { cwd })).stderr).toContain('already');
  expect(readdirSync(cwd)).not.toContain('.env.backup.local');
  await sphere.run(['env', 'pull', 'other.env', '--scope', 'previews'], { cwd });
  await sphere.run(['env', 'pull', 'fresh.env'], { cwd });
  expect(statSync(join(cwd, 'fresh.env')).mode & 0o777).toBe(0o600);
  // What was pulled can be imported again.
  expect(
    (await sphere.run(['env', 'import', 'fresh.env', '--plain', '--scope', 'previews'], { cwd })).code,
  ).toBe(0);
  const { values } = await sphere.json<EnvironmentList>(['env', 'ls', '--scope', 'previews'], { cwd });
  expect(values.map(({ name, value }) => [name, value])).toEqual([
    ['API_URL', 'https://new.example.com'],
    ['GREETING', "it's\ntwo lines"],
  ]);
});

test('import stores all of a file or nothing, and names every line that it cannot', async () => {
  const { cwd } = await deployed('imported');
  const wrong = 'GOOD=1\nPATH=/tmp\nSPHERE_TARGET=x\n';
  const refused = await sphere.run(['env', 'import', '-'], { cwd, input: wrong });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/PATH is reserved[\s\S]*SPHERE_TARGET is reserved/);
  expect((await sphere.json<EnvironmentList>(['env', 'ls'], { cwd })).values).toEqual([]);
  const right = `API_KEY='${secret}'\nVITE_URL=https://example.com\nEMPTY=\n`;
  expect((await sphere.run(['env', 'import', '-'], { cwd, input: right })).code).toBe(4);
  expect((await sphere.run(['env', 'import', '-', '--yes'], { cwd, input: right })).code).toBe(0);
  const { values } = await sphere.json<EnvironmentList>(['env', 'ls'], { cwd });
  expect(values.map(({ name, sensitive, value }) => [name, sensitive, value])).toEqual([
    ['API_KEY', true, undefined],
    ['EMPTY', false, ''],
    ['VITE_URL', false, 'https://example.com'],
  ]);
  expect((await sphere.run(['env', 'import', 'none.env'], { cwd })).stderr).toContain(
    'none.env cannot be read',
  );
});

test('--env goes above what is stored, and env in sphere.json below it; the dry run says so', async () => {
  const { cwd, next } = await deployed('layered');
  await add(cwd, 'A', 'stored', '--plain');
  await add(cwd, 'B', 'stored', '--plain');
  const file = {
    buildCommand: 'node build.mjs',
    outputDirectory: 'out',
    env: { B: 'file', C: 'file', D: 'file' },
  };
  writeFileSync(join(cwd, 'sphere.json'), JSON.stringify(file));
  next(`const { A, B, C, D } = process.env; console.log('got ' + [A, B, C, D].join(' ')); ${page}`);
  const flags = ['-e', 'A=flag=1', '--build-env', 'D=flag'];
  expect((await sphere.run(['deploy', ...flags], { cwd })).stderr).toContain('got flag=1 stored file flag');
  expect((await sphere.run(['deploy', ...flags], { cwd })).stderr).toContain('already live');
  expect((await sphere.run(['deploy'], { cwd })).stderr).toContain('got stored stored file file');
  const plan = await sphere.json<{ environment: object }>(['deploy', '--dry-run', '-e', 'D=1'], { cwd });
  expect(plan.environment).toEqual({
    B: { value: 'file', from: 'sphere.json' },
    C: { value: 'file', from: 'sphere.json' },
    D: { value: '1', from: '--env' },
  });
  const prebuilt = await sphere.run(['deploy', '--prebuilt', 'out', '-e', 'A=1'], { cwd });
  expect(prebuilt).toMatchObject({ code: 2, stderr: expect.stringContaining('--prebuilt builds nothing') });
});

test('a preview gets what is stored for previews, and none of what is stored for live alone', async () => {
  const { cwd, next } = await deployed('previewed');
  await add(cwd, 'API_KEY', secret);
  await add(cwd, 'MODE', 'of live', '--plain');
  await add(cwd, 'MODE', 'of previews', '--plain', '--scope', 'previews');
  await add(cwd, 'SHARED_KEY', `${secret} shared`, '--scope', 'live,previews');
  next(`
    const { API_KEY, MODE, SHARED_KEY, SPHERE_TARGET } = process.env;
    console.log('got ' + JSON.stringify([API_KEY?.length, MODE, SHARED_KEY?.length, SPHERE_TARGET]));
    ${page}
  `);
  const { length } = secret;
  const preview = await sphere.run(['deploy', '--preview', 'feature'], { cwd });
  expect(preview.stderr).toContain(`got [null,"of previews",${length + 7},"feature"]`);
  const live = await sphere.run(['deploy'], { cwd });
  expect(live.stderr).toContain(`got [${length},"of live",${length + 7},"live"]`);
});

test('rm asks, names what goes, and takes it from both', async () => {
  const { cwd } = await deployed('taken-away');
  await add(cwd, 'API_KEY', secret, '--scope', 'live,previews');
  const asked = await sphere.run(['env', 'rm', 'API_KEY'], { cwd });
  expect(asked).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('for live and previews is not confirmed'),
  });
  expect((await sphere.run(['env', 'rm', 'API_KEY', '--yes'], { cwd })).code).toBe(0);
  expect((await sphere.run(['env', 'rm', 'API_KEY', '--yes'], { cwd })).code).toBe(1);
});

test('rotate-key changes the key of the plane on this machine, and builds go on to get their secrets', async () => {
  const { cwd, next } = await deployed('rotated');
  await add(cwd, 'API_KEY', secret);
  const key = readFileSync(join(sphere.home, 'key'), 'utf8');
  const answer = await sphere.json<{ unreadable: string[] }>(['server', 'rotate-key']);
  expect(answer.unreadable).toEqual([]);
  expect(readFileSync(join(sphere.home, 'key'), 'utf8')).not.toBe(key);
  next(`console.log('has ' + process.env.API_KEY.length + ' characters'); ${page}`);
  const ended = await sphere.run(['deploy'], { cwd });
  expect(ended.stderr).toContain(`has ${secret.length} characters`);
});
