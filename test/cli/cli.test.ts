/** The program as shells see it: stdout, stderr, exit codes, signals. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { version } from '../../contract/version.ts';
import { githubOutputs } from '../action/github-runner.ts';
import { tree } from '../files/tree.ts';
import { bundleCli, startCli } from './cli-process.ts';
import { openScriptedPlane, type Script, type ScriptedPlane, wentWell } from './scripted-plane.ts';

let cli: Awaited<ReturnType<typeof bundleCli>>;
beforeAll(async () => {
  cli = await bundleCli();
});
afterAll(() => cli.remove());

const site = { 'index.html': '<h1>Hello</h1>', 'package.json': '{"name":"my-app"}' };

function sphere(args: string, options: { cwd?: string; env?: Record<string, string> } = {}) {
  return startCli(cli.file, args.split(' ').filter(Boolean), { cwd: tree(site), ...options });
}

/** Runs `sphere deploy` against a plane that does what `followed` says once the log is followed. */
async function deploy(args: string, followed: (plane: ScriptedPlane) => void, script: Script = {}) {
  const plane = await openScriptedPlane({ followed, ...script });
  const ended = await sphere(`deploy ${args}`, { env: plane.environment }).ended;
  return { plane, ...ended };
}

describe('without a plane', () => {
  test('the version is one line', async () => {
    expect(await sphere('--version').ended).toMatchObject({
      exitCode: 0,
      stdout: `${version}\n`,
      stderr: '',
    });
  });

  test('help goes to stdout, with the exit codes', async () => {
    const { exitCode, stdout, stderr } = await sphere('').ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/deploy[\s\S]*130 {2}interrupted/);
  });

  test.each<[args: string, exitCode: number, env?: Record<string, string>]>([
    ['depoly', 2],
    ['deploy --no-such-flag', 2],
    ['deploy no-such-directory', 2],
    ['deploy --cwd no-such-directory', 2],
    ['deploy --prebuilt no-such-directory', 2],
    ['deploy', 4],
    ['deploy --yes', 4, { CI: 'true' }],
    ['ls', 4],
    ['logs', 4],
    ['inspect', 4],
    ['cancel', 4],
    ['rollback', 4],
    ['open', 4],
    ['prune', 4],
    ['server status', 0],
    ['server stop', 0],
    ['deploy', 3, { SPHERE_URL: 'https://sphere.example.com' }],
    ['deploy', 2, { SPHERE_URL: 'sphere.example.com', SPHERE_TOKEN: 't' }],
    ['deploy', 6, { SPHERE_URL: 'http://127.0.0.1:1', SPHERE_TOKEN: 't' }],
  ])('%j with stdin closed ends by itself with exit code %d', async (args, exitCode, env = {}) => {
    const ended = await sphere(args, { env }).ended;
    expect(ended).toMatchObject({ exitCode, ...(exitCode === 0 ? {} : { stdout: '' }) });
    expect(ended.stderr).not.toContain('bug');
  });

  test.each<[args: string, error: RegExp, env?: Record<string, string>]>([
    ['--output ../x', /^Error: --output: must be a relative path inside the source/],
    ['--output /x --node soon', /^Error: --output: must be a relative .*\n--node: is not a Node version/],
    ['--root ..', /^Error: --root: must be a relative path inside the source/],
    [
      '--repo https://example.com/a/b --root ../x',
      /^Error: --root: must be a relative path inside the source/,
    ],
    ['', /^Error: SPHERE_OUTPUT_DIRECTORY: must be a relative path/, { SPHERE_OUTPUT_DIRECTORY: '../x' }],
  ])(
    'a setting that cannot be is named by its flag or variable, before anything is sent: %s',
    async (args, error, env) => {
      const { exitCode, stderr } = await sphere(`deploy ${args}`, env ? { env } : {}).ended;
      expect(stderr).toMatch(error);
      expect(stderr).not.toContain('Deploying');
      expect(exitCode).toBe(2);
    },
  );

  test('settings that can be are taken', async () => {
    const args = '--output ./out/ --root . --node >=20 --framework vite --no-install --build make --dry-run';
    expect((await sphere(`deploy ${args}`).ended).exitCode).toBe(0);
  });

  test('an empty command is named by its flag', async () => {
    const run = startCli(cli.file, ['deploy', '--build', ''], { cwd: tree(site) });
    expect((await run.ended).stderr).toMatch(/^Error: --build: must not be empty\.$/m);
  });

  test('the missing choice of a plane names both ways', async () => {
    const { stderr } = await sphere('deploy').ended;
    expect(stderr).toMatch(/--local.*SPHERE_URL and SPHERE_TOKEN/);
  });

  test('--json prints one object, also for wrong usage', async () => {
    const { exitCode, stdout } = await sphere('deploy --nonsense --json').ended;
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'USAGE' } });
  });

  test('a wrong sphere.json is an error with its line', async () => {
    const cwd = tree({ 'sphere.json': '{\n  "outputDirectroy": "dist"\n}' });
    const { exitCode, stderr } = await sphere('deploy --dry-run', { cwd }).ended;
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/sphere\.json:2:\d+ outputDirectroy.*"outputDirectory"/);
  });

  test('--dry-run prints every setting and where it came from', async () => {
    const run = sphere('deploy --dry-run --json --no-install', { env: { SPHERE_OUTPUT_DIRECTORY: 'out' } });
    const { exitCode, stdout } = await run.ended;
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      source: { kind: 'upload' },
      settings: {
        slug: { value: 'my-app', from: 'the name in package.json' },
        installCommand: { value: null, from: '--no-install' },
        outputDirectory: { value: 'out', from: 'SPHERE_OUTPUT_DIRECTORY' },
        region: { value: null, from: "the plane's default" },
      },
    });
  });

  test('--dry-run says what the build would detect, and why', async () => {
    const cwd = tree({
      'package.json': '{"name":"shop","scripts":{"build":"vite build"},"devDependencies":{"vite":"7.0.0"}}',
      'package-lock.json': '{"lockfileVersion":3,"packages":{}}',
      'index.html': '<p>',
      '.gitignore': 'dist\n.nvmrc\n',
      '.nvmrc': 'what is not uploaded does not count',
    });
    const { exitCode, stdout } = await sphere('deploy --dry-run --build make', { cwd }).ended;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^framework +Vite +detected: /m);
    expect(stdout).toMatch(/^installCommand +npm ci.* detected: package-lock\.json$/m);
    expect(stdout).toMatch(/^buildCommand +make +--build$/m);
    expect(stdout).toMatch(/^outputDirectory +dist +detected: /m);
    expect(stdout).toMatch(/^nodeVersion +any /m);
  });

  test('--dry-run ends as planning the build would', async () => {
    const cwd = tree({ 'notes.txt': 'no site' });
    const { exitCode, stderr } = await sphere('deploy --dry-run', { cwd }).ended;
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/^Error: /) });
  });

  test('ls says how the first plane comes about', async () => {
    expect((await sphere('ls').ended).stderr).toMatch(/no plane yet[\s\S]*`sphere deploy --local` makes one/);
  });

  test('init names the schema where the package is, and says where it is not', async () => {
    const without = tree(site);
    expect((await sphere('init', { cwd: without }).ended).stderr).toContain('without "$schema"');
    expect(JSON.parse(readFileSync(join(without, 'sphere.json'), 'utf8'))).toEqual({ slug: 'my-app' });
    const schema = 'node_modules/@deploy-sphere/cli/schema/sphere.schema.json';
    const cwd = tree({ ...site, [schema]: '{}' });
    await sphere('init', { cwd }).ended;
    expect(JSON.parse(readFileSync(join(cwd, 'sphere.json'), 'utf8')).$schema).toBe(`./${schema}`);
  });

  test('init writes a sphere.json once, and again only with --yes', async () => {
    const cwd = tree(site);
    expect((await sphere('init', { cwd }).ended).exitCode).toBe(0);
    const written = JSON.parse(readFileSync(join(cwd, 'sphere.json'), 'utf8'));
    expect(written).toEqual({ slug: 'my-app' });
    expect((await sphere('init --slug other', { cwd }).ended).exitCode).toBe(4);
    expect((await sphere('init --slug other --yes', { cwd }).ended).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(join(cwd, 'sphere.json'), 'utf8')).slug).toBe('other');
  });
});

test('ls calls the cursor of a list by the name of its flag', async () => {
  const error = {
    code: 'REQUEST_INVALID' as const,
    message: '"before" takes the "next" of an earlier answer',
  };
  const plane = await openScriptedPlane({ refuseList: { status: 400, error } });
  const { exitCode, stderr } = await sphere('ls my-app --next xxx', { env: plane.environment }).ended;
  expect(stderr).toContain('Error: --next takes the "next" of an earlier answer.');
  expect(exitCode).toBe(2);
});

describe('a deployment that goes well', () => {
  const build = (plane: ScriptedPlane) => {
    plane.print(
      [0, 'install', 'stdout', 'added 3 packages'],
      [1_500, 'build', 'stdout', '\u001b[32mbuilt\u001b[2J'],
    );
    plane.end(wentWell);
  };

  test('is its address and nothing else on stdout', async () => {
    const { exitCode, stdout, stderr } = await deploy('', build);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'http://my-app.example.com/\n' });
    const parts = [
      '--- install',
      'added 3 packages',
      '✔ install',
      '--- build',
      'built',
      'Published 12 files, 340 kB',
    ];
    expect(
      parts.map((part) => stderr.indexOf(part)).every((at, index, all) => at > (all[index - 1] ?? -1)),
    ).toBe(true);
    expect(stderr).not.toContain('\u001b');
  });

  test('keeps the colours of the build, and no other control sequence, where they are wanted', async () => {
    const plane = await openScriptedPlane({ followed: build });
    const { stderr } = await sphere('deploy', { env: { ...plane.environment, FORCE_COLOR: '1' } }).ended;
    expect(stderr).toContain('\u001b[32mbuilt\u001b[0m');
    expect(stderr).not.toContain('\u001b[2J');
  });

  test('is one object with --json', async () => {
    const { exitCode, stdout } = await deploy('--json', build);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'deployed',
      id: 'dpl_1',
      url: 'http://my-app.example.com/',
    });
  });

  test('sends what was asked for', async () => {
    const { plane } = await deploy('--slug my-app --build make --no-install --force --no-cache', build);
    expect(plane.created()).toMatchObject({
      project: 'my-app',
      projectNamed: true,
      build: { buildCommand: 'make', installCommand: null },
      force: true,
      noCache: true,
    });
    expect(plane.created()).not.toHaveProperty('region');
  });

  test.each([
    ['--region', '--region eu-west-1', {}, {}],
    ['the environment', '', { SPHERE_REGION: 'eu-west-1' }, {}],
    ['sphere.json', '', {}, { 'sphere.json': '{ "region": "eu-west-1" }' }],
  ])('is kept in the region that %s names', async (_from, flags, env, files) => {
    const plane = await openScriptedPlane({ followed: build });
    const cwd = tree({ ...site, ...files });
    await sphere(`deploy ${flags}`.trim(), { cwd, env: { ...plane.environment, ...env } }).ended;
    expect(plane.created()).toMatchObject({ region: 'eu-west-1' });
  });

  test('writes its events to SPHERE_OUTPUT_FILE', async () => {
    const cwd = tree(site);
    const plane = await openScriptedPlane({ followed: build });
    // Beside the source: a file inside would be part of it.
    const file = join(tree({}), 'events');
    await sphere('deploy', { cwd, env: { ...plane.environment, SPHERE_OUTPUT_FILE: file } }).ended;
    const events = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events).toMatchObject([
      { version: 1, type: 'created', id: 'dpl_1' },
      { type: 'phase', phase: 'build' },
      { type: 'ended', status: 'ready', url: 'http://my-app.example.com/' },
    ]);
  });

  test('is left running with --detach, which prints its id', async () => {
    const { exitCode, stdout } = await deploy('--detach', () => {});
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'dpl_1\n' });
  });

  test('was not needed when the same is live already', async () => {
    const { exitCode, stdout, stderr } = await deploy('', () => {}, { outcome: 'already_live' });
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'http://my-app.example.com/\n' });
    expect(stderr).toContain('already live');
  });

  test('does not mind that nobody reads its output', async () => {
    const plane = await openScriptedPlane({
      followed: (opened) => {
        opened.print([0, 'build', 'stdout', 'line']);
        run.child.stdout?.destroy();
        run.child.stderr?.destroy();
        opened.end(wentWell);
      },
    });
    const run = sphere('deploy', { env: plane.environment });
    expect((await run.ended).exitCode).toBe(0);
  });
});

describe('a deployment that goes otherwise', () => {
  test('because its build failed ends with 5, and says what was seen', async () => {
    const error = {
      code: 'BUILD_FAILED' as const,
      message: '`npm run build` ended with exit code 1.',
      hint: 'Run it here.',
      details: ['error: no such module'],
    };
    const end = { status: 'error' as const, reason: 'build_failed' as const, error };
    const { exitCode, stdout, stderr } = await deploy('', (plane) => {
      plane.print([0, 'build', 'sphere', `Failed: ${error.message}`]);
      plane.end(end);
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    expect(stderr).toMatch(/Error: `npm run build` ended[\s\S]*error: no such module[\s\S]*Run it here\./);
    expect(stderr.match(/`npm run build` ended/g)).toHaveLength(1);
    const json = await deploy('--json', (plane) => plane.end(end));
    expect(JSON.parse(json.stdout)).toMatchObject({ error, deployment: { id: 'dpl_1', status: 'error' } });
  });

  test.each([
    ['cancelled', 'user', 7],
    ['cancelled', 'superseded', 7],
    ['cancelled', 'outrun', 7],
    ['cancelled', 'ignored', 0],
    ['error', 'timeout', 5],
    ['error', 'silent', 6],
    ['error', 'infrastructure', 6],
  ] as const)('%s, %s: exit code %d', async (status, reason, code) => {
    const { exitCode, stdout } = await deploy('', (plane) => plane.end({ status, reason }));
    expect({ exitCode, stdout }).toEqual({
      exitCode: code,
      stdout: code === 0 ? 'http://my-app.example.com/\n' : '',
    });
  });

  test('because the slug is taken ends with 4 and names the flag', async () => {
    const error = {
      code: 'SLUG_IN_USE' as const,
      message: 'it is taken',
      hint: 'Choose another with --slug.',
    };
    const { exitCode, stderr } = await deploy('', () => {}, { refuse: { status: 409, error } });
    expect(exitCode).toBe(4);
    expect(stderr).toContain('--slug');
  });
});

describe('a log that cannot be had', () => {
  const failed = {
    status: 'error' as const,
    reason: 'build_failed' as const,
    error: { code: 'BUILD_FAILED' as const, message: 'It failed.' },
  };
  test.each([
    ['goes well', 0, 'http://my-app.example.com/\n', wentWell],
    ['fails', 5, '', failed],
  ] as const)('does not decide how a deployment ends that %s: exit code %d', async (_how, code, url, end) => {
    const script: Script = { noLog: true, looked: (plane) => plane.end(end) };
    const { exitCode, stdout, stderr } = await deploy('', () => {}, script);
    expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: url });
    expect(stderr).toContain('see `sphere logs dpl_1`');
  });
});

describe('on GitHub', () => {
  async function workflow(end: Parameters<ScriptedPlane['end']>[0], printed: string) {
    const plane = await openScriptedPlane({
      followed: (opened) => {
        opened.print([0, 'build', 'stdout', printed]);
        opened.end(end);
      },
    });
    const runner = tree({ output: 'before=1\n', summary: '' });
    const env = {
      ...plane.environment,
      GITHUB_ACTIONS: 'true',
      GITHUB_SHA: '1'.repeat(40),
      GITHUB_REF: 'refs/pull/12/merge',
      GITHUB_HEAD_REF: 'fix',
      GITHUB_OUTPUT: join(runner, 'output'),
      GITHUB_STEP_SUMMARY: join(runner, 'summary'),
    };
    const ended = await sphere('deploy', { env }).ended;
    const read = (name: string) => readFileSync(join(runner, name), 'utf8');
    return { ...ended, plane, outputs: githubOutputs(read('output')), summary: read('summary') };
  }

  test('later steps get id, url and status, people a summary, and the plane what it was for', async () => {
    const { stdout, stderr, plane, outputs, summary } = await workflow(wentWell, '::set-output name=url::x');
    expect(stdout).toBe('http://my-app.example.com/\n');
    expect(outputs).toEqual({ before: '1', id: 'dpl_1', url: 'http://my-app.example.com/', status: 'ready' });
    expect(summary).toMatch(
      /✅ Sphere: my-app[\s\S]*http:\/\/my-app\.example\.com\/[\s\S]*Published 12 files/,
    );
    const token = /::group::build\n::stop-commands::(\S+)\n/.exec(stderr)?.[1];
    expect(stderr).toMatch(new RegExp(`\n::set-output name=url::x\n::${token}::\n::endgroup::\n`));
    expect(plane.created()?.source).toMatchObject({
      git: { commit: '1'.repeat(40), branch: 'fix' },
      ci: { service: 'GitHub Actions', pullRequest: 12 },
    });
  });

  test('a failure has no url, an annotation, and its error in the summary', async () => {
    const error = { code: 'BUILD_FAILED' as const, message: 'It failed.', details: ['<b>seen</b>'] };
    const end = { status: 'error' as const, reason: 'build_failed' as const, error };
    const { exitCode, stderr, outputs, summary } = await workflow(end, 'x');
    expect(exitCode).toBe(5);
    expect(outputs).toEqual({ before: '1', id: 'dpl_1', status: 'error' });
    expect(stderr).toContain('::error title=Sphere%3A BUILD_FAILED::It failed.\n');
    expect(summary).toContain('```text\nIt failed.\n<b>seen</b>\n```');
  });
});

describe('one deployment', () => {
  test('that is ready and was replaced since is called so', async () => {
    const plane = await openScriptedPlane();
    plane.end({ ...wentWell, live: false });
    const { stdout } = await sphere('inspect dpl_1', { env: plane.environment }).ended;
    expect(stdout).toMatch(/^status +ready, not live$/m);
  });

  test("that is a project's slug is called so", async () => {
    const { environment: env } = await openScriptedPlane();
    const { exitCode, stderr } = await sphere('logs my-app', { env }).ended;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringMatching(/"my-app" is a project[\s\S]*--slug my-app/),
    });
    expect((await sphere('logs nope', { env }).ended).stderr).not.toContain('is a project');
  });
});

describe('Ctrl-C', () => {
  async function interrupted(script: Script = {}) {
    const plane = await openScriptedPlane(script);
    const run = sphere('deploy', { env: plane.environment });
    await run.printed('working');
    run.child.kill('SIGINT');
    return { plane, run };
  }
  const working = (plane: ScriptedPlane) => plane.print([0, 'build', 'stdout', 'working']);

  test('cancels the deployment and waits for that', async () => {
    const { plane, run } = await interrupted({ followed: working });
    expect(await run.ended).toMatchObject({ exitCode: 130, stdout: '' });
    expect(plane.requests).toContain('POST /v1/deployments/dpl_1/cancel');
  });

  test('while it is being published lets it complete, and says so', async () => {
    const error = { code: 'PUBLISHING' as const, message: 'it is being published' };
    const { plane, run } = await interrupted({ followed: working, refuseCancel: { status: 409, error } });
    await run.printed('completes');
    plane.end(wentWell);
    const { exitCode, stdout, stderr } = await run.ended;
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
    expect(stderr).toContain('is live: http://my-app.example.com/');
  });

  test('twice leaves at once', async () => {
    const error = { code: 'PUBLISHING' as const, message: 'it is being published' };
    const { run } = await interrupted({ followed: working, refuseCancel: { status: 409, error } });
    await run.printed('completes');
    run.child.kill('SIGINT');
    expect((await run.ended).exitCode).toBe(130);
  });
});
