/**
 * The failures that people meet, with what the terminal prints for each: what happened, what was seen, the next step.
 * Paths, ids, ports and times are made the same everywhere; everything else is literal.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commitFiles, git } from '../builder/git-repository.ts';
import { type Tree, writeTree } from '../files/tree.ts';
import { built, project } from './projects.ts';
import { type Ended, openSphere } from './sphere.ts';

const sphere = openSphere();
let plane: { url: string; token: string };
/** Takes a minute, which the others run in. */
let tooLong: Promise<Ended>;
beforeAll(async () => {
  const cwd = project(sphere, 'the-first', { 'index.html': 'x' });
  // A registry that does not answer: what needs it fails in the same way everywhere, and at once.
  const environment = { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0' };
  const { code, stderr } = await sphere.run(['deploy', '--local'], { cwd, environment });
  if (code !== 0) throw new Error(stderr);
  plane = sphere.plane();
  const sleeping = built('console.log("watching for changes"); await sleep(200_000);');
  const files = {
    ...sleeping,
    'sphere.json': JSON.stringify({ ...JSON.parse(String(sleeping['sphere.json'])), limits: { minutes: 1 } }),
  };
  tooLong = sphere.run(['deploy'], { cwd: project(sphere, 'too-long', files) });
});
afterAll(async () => {
  await tooLong;
  await sphere.close();
});

/** What is said of the failure, from the error on. */
function said({ stderr }: Ended): string {
  // What a build printed may begin like it; the error itself comes last, and what it quotes is indented.
  const at = `\n${stderr}`.lastIndexOf('\nError: ');
  return (at === -1 ? stderr : stderr.slice(at))
    .replaceAll(sphere.root, 'ROOT')
    .replaceAll(process.execPath, 'NODE')
    .replace(/dpl_\w+/g, 'dpl_ID')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replace(/\b[0-9a-f]{7}\b/g, 'COMMIT')
    .replace(/\bport \d+|-i :\d+/gi, (text) => text.replace(/\d+/, 'PORT'))
    .trimEnd();
}

type Failure = {
  files?: Tree;
  args?: string[];
  environment?: Record<string, string>;
  /** Makes the directory what it has to be, and may name another one to be in. */
  prepare?(cwd: string): string | undefined;
  code: number;
  /** A pattern where the words are another file's business. */
  prints: string | RegExp;
};

const failures: Record<string, Failure> = {
  'no build script': {
    files: { 'package.json': '{"name":"lib","scripts":{"test":"jest"}}' },
    code: 2,
    prints: `
Error: There is nothing to publish in the source: no known framework, no build script and no index.html.
  Looked for a framework and a build script in package.json, and for index.html in the source and in public, dist, site, docs, www, html, build, _site, out, web, static, src, app.
  Its scripts: test.
  Seen: package.json
Set "buildCommand" and "outputDirectory" in sphere.json, or name the directory of the site with --root DIR.
`,
  },
  'nothing to deploy': {
    files: {},
    code: 2,
    prints: `
Error: There is nothing to deploy in ROOT/projects/nothing-to-deploy: it holds no file that would be sent.
Name the directory with the project. \`.git\`, node_modules, \`.env\` files and what .gitignore names are not sent.
`,
  },
  'the wrong directory': {
    args: ['deploy', 'wbe'],
    code: 2,
    prints: `
Error: There is no directory ROOT/projects/the-wrong-directory/wbe.
Name the directory to deploy.
`,
  },
  'a program that is not installed': {
    files: { 'package.json': '{"scripts":{"build":"vite build"}}', 'index.html': '' },
    code: 5,
    prints: `
Error: The build command \`npm run build\` failed with exit code 127.
  > build
  > vite build
  sh: 1: vite: not found
The program vite was not found. Is its package among the dependencies?
`,
  },
  'a registry that does not answer': {
    files: { 'package.json': '{"scripts":{"build":"true"},"dependencies":{"is-odd":"3.0.1"}}' },
    code: 5,
    prints:
      /ECONNREFUSED[\s\S]*\nThe package registry could not be reached from where it is built\. Check the network and the registry/,
  },
  'out of memory': {
    files: built(''),
    args: [
      'deploy',
      '--build',
      'node --max-old-space-size=16 -e "const a=[];for(;;)a.push(new Array(1e4).fill(1))"',
    ],
    code: 5,
    prints:
      /ran out of memory: Node reached the limit of its heap\.\n[\s\S]*\nFree memory or build less at once/,
  },
  'a full disk': {
    files: { 'index.html': '' },
    args: ['deploy', '--build', `node -e 'fs.writeFileSync("/dev/full","x")'`],
    code: 5,
    prints:
      /ENOSPC: no space left on device[\s\S]*\nThe machine that builds has no space left\. On your own machine `sphere prune` frees/,
  },
  'an output directory that is not there': {
    files: built(`site({ '../dist/index.html': 'x' });`),
    code: 5,
    prints: `
Error: The build ended well, but left no site. Looked for: out (not there).
  Directories with an HTML page: dist
If dist is the site, set "outputDirectory": "dist" in sphere.json or use --output dist.
`,
  },
  'an output that is empty': {
    prepare: (cwd) => void mkdirSync(join(cwd, 'dist')),
    args: ['deploy', '--prebuilt', 'dist'],
    code: 2,
    prints: `
Error: There is nothing to publish in ROOT/projects/an-output-that-is-empty/dist: it is empty.
Name the directory that holds the built site, once it is built: --prebuilt DIR.
`,
  },
  'the home directory': {
    files: { 'index.html': 'x' },
    environment: { HOME: 'ROOT/projects/the-home-directory' },
    code: 2,
    prints: `
Error: ROOT/projects/the-home-directory is your home directory: it is not deployed.
Name the directory of the site: \`sphere deploy DIR\`.
`,
  },
  'a directory with the data of the plane': {
    files: { 'index.html': 'x', 'data/plane.json': '{}' },
    args: ['deploy', '--dry-run'],
    environment: { SPHERE_HOME: 'ROOT/projects/a-directory-with-the-data-of-the-plane/data' },
    code: 2,
    prints: `
Error: ROOT/projects/a-directory-with-the-data-of-the-plane holds the data of the plane on this machine, in data: it is not deployed.
Name the directory of the site (\`sphere deploy DIR\`), or leave the data out with a line in .sphereignore.
`,
  },
  'a sphere.json that is wrong': {
    files: { 'sphere.json': '{\n  "outputDirectroy": "dist",\n  "spa": "yes"\n}' },
    code: 2,
    prints: `
Error: sphere.json has 2 problems.
sphere.json:2:3 outputDirectroy: is not a known key; did you mean "outputDirectory"?
sphere.json:3:10 spa: must be true or false, not "yes"
Correct sphere.json. Every key is described in its JSON schema; \`sphere init\` writes a valid file.
`,
  },
  'a slug that another directory has': {
    files: { 'index.html': 'y' },
    args: ['deploy', '.'],
    prepare(cwd) {
      const other = join(cwd, 'the-first');
      mkdirSync(other);
      writeTree(other, { 'index.html': 'y' });
      return other;
    },
    code: 4,
    prints: `
Error: The slug "the-first" is in use: that site is deployed from ROOT/projects/the-first.
Choose another with --slug, or replace that site on purpose with --slug the-first.
`,
  },
  'a token that is not known any more': {
    files: { 'index.html': '' },
    environment: { SPHERE_URL: 'PLANE', SPHERE_TOKEN: 'sph_old' },
    code: 3,
    prints: /token/,
  },
  'a plane that does not answer': {
    files: { 'index.html': '' },
    environment: { SPHERE_URL: 'http://127.0.0.1:1', SPHERE_TOKEN: 'x' },
    code: 6,
    prints: `
Error: The control plane at http://127.0.0.1:PORT does not answer: connect ECONNREFUSED 127.0.0.1:PORT.
Check the address and the network, or see \`sphere server status\`.
`,
  },
  'a repository that may not be read, or is not there': {
    args: ['deploy', '--repo', 'ROOT/no-such.git'],
    code: 1,
    prints: `
Error: Git could not read ROOT/no-such.git.
  fatal: 'ROOT/no-such.git' does not appear to be a git repository
  fatal: Could not read from remote repository.
  Please make sure you have the correct access rights
  and the repository exists.
Check the address and that this machine may read it. A private repository over https needs a token in SPHERE_GIT_TOKEN; over ssh, a key in the agent and the host in known_hosts.
`,
  },
  'no network': {
    args: ['deploy', '--yes', '--repo', 'https://nowhere.invalid/you/site.git'],
    code: 1,
    prints:
      /git could not read https:\/\/nowhere\.invalid\/you\/site\.git\.\n {2}fatal: [\s\S]*Could not resolve host: nowhere\.invalid\nCheck the address and that this machine may read it\./i,
  },
  'no git': {
    args: ['deploy', '--yes', '--repo', 'https://example.com/you/site.git'],
    environment: { PATH: 'ROOT/no-programs' },
    code: 1,
    prints: `
Error: The program git was not found on the PATH.
Install git, then deploy again.
`,
  },
  'a commit that is not pushed': {
    prepare(cwd) {
      const origin = join(cwd, 'origin');
      mkdirSync(origin);
      git(origin, 'init', '--quiet', '--initial-branch=main');
      commitFiles(origin, { 'index.html': 'x' });
      git(cwd, 'clone', '--quiet', origin, 'clone');
      commitFiles(join(cwd, 'clone'), { 'index.html': 'y' });
      execFileSync('ln', ['-sfn', origin, join(sphere.root, 'origin')]);
      return join(cwd, 'clone');
    },
    args: ['deploy', '--repo', '../origin'],
    code: 2,
    prints: `
Error: The commit main COMMIT, which is checked out here, is not on ROOT/projects/a-commit-that-is-not-pushed/origin: 1 commit is not pushed.
Push it (\`git push\`); or add --no-repo to upload this directory as it is, or --ref with a branch to build what the repository has.
`,
  },
  'a word that is no command': {
    args: ['depoly'],
    code: 2,
    prints: `
Error: Unknown command 'depoly'.
Did you mean deploy?
`,
  },
  'a flag that is none': {
    args: ['deploy', '--ouput', 'dist'],
    code: 2,
    prints: `
Error: Unknown option '--ouput'.
Did you mean --output?
`,
  },
  'a link out of the output': {
    prepare(cwd) {
      mkdirSync(join(cwd, 'dist'));
      symlinkSync('/etc/hostname', join(cwd, 'dist', 'name.txt'));
      return undefined;
    },
    args: ['deploy', '--prebuilt', 'dist'],
    code: 2,
    prints: `
Error: The link name.txt points to /etc/hostname, out of ROOT/projects/a-link-out-of-the-output/dist.
Put what it points to in its place, make it a relative link inside the directory, or list it in .sphereignore.
`,
  },
};

test.each(Object.entries(failures))(
  '%s',
  async (name, { files = {}, args = ['deploy'], environment = {}, prepare, code, prints }) => {
    const cwd = project(sphere, name.replaceAll(/\W+/g, '-'), files);
    const at = prepare?.(cwd) ?? cwd;
    const here = (text: string) => text.replace('ROOT', sphere.root).replace('PLANE', plane.url);
    const own = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, here(value)]));
    const ended = await sphere.run(args.map(here), { cwd: at, environment: { CI: '1', ...own } });
    expect({ code: ended.code, stdout: ended.stdout }, ended.stderr).toEqual({ code, stdout: '' });
    if (prints instanceof RegExp) expect(said(ended)).toMatch(prints);
    else expect(`\n${said(ended)}\n`).toBe(prints);
  },
);

test('a lockfile out of step is no failure: it is said, and installed all the same', async () => {
  const cwd = project(sphere, 'out-of-step', {
    'package.json':
      '{"name":"a","scripts":{"build":"mkdir dist && echo x > dist/index.html"},"dependencies":{"ui":"file:./ui"}}',
    'package-lock.json': '{"name":"a","lockfileVersion":3,"packages":{"":{"name":"a"}}}',
    'ui/package.json': '{"name":"ui","version":"1.0.0"}',
  });
  const { code, stderr } = await sphere.run(['deploy'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/^Warning: package-lock\.json does not match package\.json/m);
});

test('a Node that cannot be had is no failure by itself: it is said, and the running one is tried', async () => {
  const cwd = project(sphere, 'other-node', {
    'package.json': '{"name":"other-node","scripts":{"build":"mkdir dist && echo x > dist/index.html"}}',
    '.nvmrc': '99',
  });
  const { code, stderr } = await sphere.run(['deploy'], { cwd });
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(
    /^Warning: Node 99 \(\.nvmrc\) could not be fetched through npm; trying with Node [\d.]+\..*ECONNREFUSED/m,
  );
});

test('a plane of another version that does not know what is asked of it', async () => {
  const old = createOldPlane();
  await new Promise<void>((resolve) => old.listen(0, '127.0.0.1', resolve));
  const { port } = old.address() as { port: number };
  const cwd = project(sphere, 'skew', { 'index.html': '' });
  const environment = { SPHERE_URL: `http://127.0.0.1:${port}`, SPHERE_TOKEN: 'x' };
  const ended = await sphere.run(['deploy'], { cwd, environment });
  old.close();
  expect({ code: ended.code, prints: `\n${said(ended)}\n` }).toEqual({
    code: 1,
    prints: `
Error: source.ci: is not a known key.
The control plane is Sphere 0.0.9, this command is 0.1.0: use the version of the plane.
`,
  });
});

/** Answers as a plane that is older than a key of the request. */
function createOldPlane() {
  return createHttpServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    request.resume();
    if (request.url === '/v1/health') answer(200, { status: 'ok', version: '0.0.9' });
    else if (request.url === '/v1/sources') answer(200, { digest: 'x' });
    else if (request.url !== '/v1/deployments')
      answer(404, { error: { code: 'NOT_FOUND', message: 'no such route' } });
    else answer(400, { error: { code: 'REQUEST_INVALID', message: 'source.ci: is not a known key' } });
  });
}

test('a port that is taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const environment = { SPHERE_HOME: join(sphere.root, 'another'), SPHERE_PORT: String(port) };
  const ended = await sphere.run(['server'], { environment });
  server.close();
  expect({ code: ended.code, prints: `\n${said(ended)}\n` }).toEqual({
    code: 1,
    prints: `
Error: Port PORT is taken by another program.
Choose another with --port, or find the program with \`lsof -i :PORT\`.
`,
  });
});

test('cancelled elsewhere', async () => {
  const cwd = project(sphere, 'cancelled', built('console.log("working"); await sleep(200_000);'));
  const run = sphere.start(['deploy'], { cwd });
  await run.sees(/^working$/m);
  await sphere.run(['cancel'], { cwd });
  const ended = await run.ended;
  expect({ code: ended.code, prints: `\n${said(ended)}\n` }).toEqual({
    code: 7,
    prints: `
Error: dpl_ID was cancelled.
What was live stays. Deploy again when it is wanted; \`sphere logs dpl_ID\` shows how far it came.
`,
  });
});

test('longer than it may take', async () => {
  const ended = await tooLong;
  expect({ code: ended.code, prints: `\n${said(ended)}\n` }).toEqual({
    code: 5,
    prints: `
Error: Install and build took longer than 1 min 0 s, and were stopped.
Look in the log for what it was doing. A command that watches for changes never ends. "limits" in sphere.json can be raised.
`,
  });
}, 120_000);
