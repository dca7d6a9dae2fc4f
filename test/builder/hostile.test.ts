/** Builds that mean harm, on the builder's real program with its commands isolated: each gets nothing, harms nobody, and ends. */
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { maxLineLength } from '../../contract/logs.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { emptyDirectory, type Tree, tree, writeTree } from '../files/tree.ts';
import { type BuilderRun, bundleBuilder, startBuilder } from './builder-program.ts';
import { bootstrapToken, type PlaneOptions, type RecordingPlane } from './recording-plane.ts';
import { openPlane, published, script, upload } from './uploaded-source.ts';

// A search through all that can be read takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let program: Awaited<ReturnType<typeof bundleBuilder>>;
beforeAll(async () => {
  program = await bundleBuilder();
});
afterAll(() => program.remove());

async function planeFor(files: Tree, spec: PlaneOptions['spec'] = {}): Promise<RecordingPlane> {
  const options = await upload(files);
  return openPlane({ ...options, spec: { ...options.spec, isolation: 'always', ...spec } });
}

/** A plane's data directory as far as builders know it. */
function openData(): { home: string; work: string; cache: string } {
  const home = emptyDirectory();
  return { home, work: join(home, 'builds', `dep-${randomUUID()}`, 'work'), cache: join(home, 'cache') };
}

async function build(
  files: Tree,
  {
    spec,
    data = openData(),
    environment,
  }: {
    spec?: PlaneOptions['spec'];
    data?: ReturnType<typeof openData>;
    environment?: Record<string, string>;
  } = {},
): Promise<RecordingPlane> {
  const plane = await planeFor(files, spec);
  const work = join(data.home, 'builds', `dep-${randomUUID()}`, 'work');
  mkdirSync(join(work, '..'), { recursive: true });
  const { exitCode, output } = await startBuilder(
    program.file,
    plane,
    { work, cache: data.cache },
    environment,
  ).ended;
  expect({ exitCode, output }).toEqual({ exitCode: 0, output: '' });
  return plane;
}

/** Processes that were started with `mark`, but for those that have ended. */
function running(mark: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      const state = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)\s/s, '')[0];
      return state !== 'Z' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });
}

/** Reads all that it can of the machine, and writes down where it found one of `words`. */
const search = (words: readonly string[]) => `
  const fs = require('node:fs');
  const words = ${JSON.stringify(words.map((word) => Buffer.from(word).toString('base64')))}.map((word) => Buffer.from(word, 'base64'));
  const found = [];
  // Programs have the same files open, and some of them are large: a key that lies about lies in a small one.
  const seen = new Set();
  const look = (path) => {
    let content;
    if (seen.has(path)) return;
    seen.add(path);
    try {
      const stats = fs.statSync(path);
      // A pipe or a terminal that some program has open would be waited for.
      if (!stats.isFile() || stats.size > 32e6) return;
      content = fs.readFileSync(path);
    } catch { return; }
    for (const word of words) if (content.includes(word)) found.push(path);
  };
  const skipped = new Set(['/usr', '/proc', '/dev', '/sys', '/nix', process.cwd()]);
  let looked = 0;
  const walk = (directory) => {
    let items;
    try { items = fs.readdirSync(directory, { withFileTypes: true }); } catch { return; }
    for (const item of items) {
      const path = directory === '/' ? '/' + item.name : directory + '/' + item.name;
      if (skipped.has(path)) continue;
      if (item.isDirectory()) walk(path);
      else { looked += 1; if (item.isSymbolicLink() || item.isFile()) look(path); }
    }
  };
  walk('/');
  for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
    if (Number(pid) === process.pid) continue;
    for (const name of ['environ', 'cmdline', 'fd', 'fdinfo']) look('/proc/' + pid + '/' + name);
    try { for (const fd of fs.readdirSync('/proc/' + pid + '/fd')) { const to = fs.readlinkSync('/proc/' + pid + '/fd/' + fd); if (to.startsWith('/')) look(to); } } catch {}
  }
  const environment = Buffer.from(JSON.stringify(process.env));
  for (const word of words) if (environment.includes(word)) found.push('environment');
  const processes = fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length;
  fs.mkdirSync('out', { recursive: true });
  fs.writeFileSync('out/index.html', JSON.stringify({ found, looked, processes, top: fs.readdirSync('/').sort(), names: Object.keys(process.env).sort() }));
`;

describe('a build that reads all that it can', () => {
  const canary = `canary-${randomUUID()}`;
  const machine = () => {
    const data = openData();
    const user = emptyDirectory();
    writeTree(user, {
      '.ssh/id_ed25519': canary,
      '.npmrc': `registry=https://registry.npmjs.org/\n//registry.example.com/:_authToken=${canary}\n`,
      '.aws/credentials': canary,
      '.config/gh/hosts.yml': canary,
      'project/.env': canary,
    });
    writeTree(data.home, {
      'plane.json': canary,
      key: canary,
      'sites/projects/other/blobs/aa/file': canary,
      'sites/sources/acc/file.tar.gz': canary,
      'database/base': canary,
      'cache/home/other/live/npm/file': canary,
      'cache/modules/other/live/key/0/file': canary,
      'cache/frameworks/other/live/file': canary,
      'cache/git/other/objects/file': canary,
      'cache/git/lfs/objects/file': canary,
      'builds/dep-of-another/work/source/file': canary,
    });
    const environment = {
      HOME: user,
      npm_config_userconfig: join(user, '.npmrc'),
      PATH: '/usr/local/bin:/usr/bin:/bin',
      AWS_SECRET_ACCESS_KEY: canary,
      AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: `/v2/credentials/${canary}`,
      ECS_CONTAINER_METADATA_URI_V4: `http://169.254.170.2/v4/${canary}`,
      GITHUB_TOKEN: canary,
      SSH_AUTH_SOCK: join(user, 'agent'),
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/run/user/1000/bus',
      DOCKER_HOST: 'unix:///run/docker.sock',
    };
    return { data, environment };
  };

  test('finds no key, token, file or process of the user, the plane, another project or the builder', async () => {
    const { data, environment } = machine();
    const plane = await build(script('node search.cjs', { 'search.cjs': search([canary, bootstrapToken]) }), {
      data,
      environment,
    });
    const report = JSON.parse(published(plane, 'index.html') ?? '{}');
    expect(report.found).toEqual([]);
    // bubblewrap's first process, two shells and the program itself.
    expect(report.processes).toBeLessThanOrEqual(4);
    expect(report.looked).toBeGreaterThan(10);
    expect(report.top).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(?:run|root|home|sys|mnt|opt)$/)]),
    );
    expect(report.names).not.toEqual(
      expect.arrayContaining([
        expect.stringMatching(/TOKEN|SECRET|PLANE|CREDENTIALS|METADATA|SOCK|DBUS|DOCKER/),
      ]),
    );
    expect(plane.texts).toContain(
      'Commands run isolated (bubblewrap): they see the source, its caches and the network, not your home directory.',
    );
    expect(plane.texts.join('\n')).toContain(
      'Your npm credentials for registry.example.com stay out of them',
    );
    expect(plane.texts.join('\n')).not.toContain(canary);
  });

  test('finds them where it is not isolated, so that the search is a search, and the log says so', async () => {
    const { data, environment } = machine();
    // Of this test's own tree alone: the rest of the machine is large.
    const narrow = search([canary]).replace(
      "walk('/')",
      `walk(${JSON.stringify(data.home)}); walk(process.env.HOME)`,
    );
    const plane = await build(script('node search.cjs', { 'search.cjs': narrow }), {
      spec: { isolation: 'never' },
      data,
      environment,
    });
    const { found } = JSON.parse(published(plane, 'index.html') ?? '{}');
    expect(found.length).toBeGreaterThan(12);
    expect(plane.texts).toContain('Commands run as you: --isolation never was given.');
  });
});

describe('a build that writes where it should not', () => {
  test('finds all but its own directories read-only or not there', async () => {
    const plane = await build(
      script('sh probe.sh; mkdir out; cp report.txt out/index.html', {
        'probe.sh': `
          for place in / /usr /usr/bin /etc /etc/ssl /proc/sys/kernel "$SPHERE_CACHE" /root /home /var; do
            touch "$place/x" 2>/dev/null && echo "WROTE $place" >> report.txt
          done
          node -e 'process.env.PATH.split(":").forEach((at) => { try { require("fs").writeFileSync(at + "/x", ""); if (!at.startsWith(process.cwd())) console.log("WROTE " + at); } catch {} })' >> report.txt
          mknod device b 8 0 2>/dev/null && echo 'MADE a device' >> report.txt
          mount -t tmpfs none /mnt 2>/dev/null && echo 'MOUNTED' >> report.txt
          unshare -Ur true 2>/dev/null && echo 'MADE a namespace' >> report.txt
          grep -E '^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs)' /proc/self/status >> report.txt
        `,
      }),
    );
    const report = published(plane, 'index.html') ?? '';
    expect(report).not.toMatch(/WROTE|MADE|MOUNTED/);
    expect(report.match(/^Cap\w+:\s+0+$/gm)).toHaveLength(4);
    expect(report).toMatch(/^NoNewPrivs:\s+1$/m);
  });

  test('leaves nothing for another project; what it leaves for its own, --no-cache takes away', async () => {
    const data = openData();
    const poison = script('mkdir -p ~/.cache out; echo poison > ~/.cache/poison; echo x > out/index.html');
    const reads = script('mkdir out; cat ~/.cache/poison > out/index.html 2>&1; true');
    await build(poison, { data });
    expect(published(await build(reads, { data, spec: { project: 'other' } }), 'index.html')).not.toContain(
      'poison\n',
    );
    expect(published(await build(reads, { data }), 'index.html')).toBe('poison\n');
    expect(published(await build(reads, { data, spec: { noCache: true } }), 'index.html')).not.toBe(
      'poison\n',
    );
    expect(published(await build(reads, { data }), 'index.html')).not.toBe('poison\n');
  });

  test('has no directory of the user moved into the cache by a link in its place', async () => {
    const user = tree({ '.cache/browser/file': 'precious' });
    const files = {
      'package.json': JSON.stringify({
        scripts: {
          build: `rm -rf node_modules; ln -s ${user} node_modules; mkdir dist; echo x > dist/index.html`,
        },
      }),
      'package-lock.json': JSON.stringify({ lockfileVersion: 3, packages: {} }),
    };
    for (const isolation of ['never', 'always'] as const) {
      const plane = await build(files, { spec: { isolation } });
      expect(plane.result).toMatchObject({ outcome: 'built' });
      expect(existsSync(join(user, '.cache/browser/file'))).toBe(true);
    }
  });

  test('cannot hold the builder up with a pipe in the place of its lockfile', async () => {
    const plane = await build({
      'package.json': JSON.stringify({
        name: 'app',
        version: '1.0.0',
        scripts: {
          postinstall: 'rm package-lock.json && mkfifo package-lock.json',
          build: 'mkdir dist && echo x > dist/index.html',
        },
      }),
      'package-lock.json': JSON.stringify({
        name: 'app',
        version: '1.0.0',
        lockfileVersion: 3,
        requires: true,
        packages: { '': { name: 'app', version: '1.0.0', hasInstallScript: true } },
      }),
    });
    expect(plane.result).toMatchObject({ outcome: 'built' });
  });
});

describe('a build that leaves strange things in its output', () => {
  test.each([
    ['a link out of it', 'ln -s /etc/passwd out/users', 'outside the output directory'],
    ['a link to a process', 'ln -s /proc/self/environ out/e', 'outside the output directory'],
    ['a link that goes round', 'ln -s ../out out/again', 'a directory that holds it'],
    ['a link to itself', 'ln -s self out/self', 'where nothing is'],
    ['itself as a link', 'rm -r out; ln -s / out', 'outside of the source'],
  ])('has %s refused', async (_, command, why) => {
    const plane = await build(script(`mkdir out; echo x > out/index.html; ${command}`));
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      error: { code: 'OUTPUT_INVALID', message: expect.stringContaining(why) },
    });
    expect(plane.blobs.size).toBe(0);
  });

  test('has directories refused that are deeper than paths may be long', async () => {
    const data = openData();
    onTestFinished(() => removeTree(data.home));
    const deep =
      'for (let n = 0; n < 200; n++) { fs.mkdirSync("d".repeat(50)); process.chdir("d".repeat(50)); }';
    const plane = await build(
      script(`mkdir out; echo x > out/index.html; node -e 'process.chdir("out"); ${deep}'`),
      { data },
    );
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      error: { code: 'OUTPUT_INVALID', message: expect.stringContaining('(ENAMETOOLONG)') },
    });
  });

  test('has pipes, sockets, devices and hard links to what is not its own left out', async () => {
    const plane = await build(
      script('node make.cjs', {
        'make.cjs': `
          const { execFileSync } = require('node:child_process');
          const fs = require('node:fs');
          fs.mkdirSync('out');
          fs.writeFileSync('out/index.html', 'x');
          execFileSync('mkfifo', ['out/pipe']);
          for (const target of ['/etc/passwd', '/usr/bin/env', '/etc/hosts']) { try { fs.linkSync(target, 'out/' + target.replaceAll('/', '_')); } catch {} }
          try { execFileSync('mknod', ['out/device', 'c', '1', '5'], { stdio: 'ignore' }); } catch {}
          const server = require('node:net').createServer().listen('out/socket', () => process.exit(0));
        `,
      }),
    );
    expect(plane.result).toMatchObject({ outcome: 'built' });
    expect(Object.keys(plane.manifest?.files ?? {})).toEqual(['index.html']);
  });
});

describe('a build that does not end', () => {
  test('is over with its command: no session, signal or open socket of its keeps anything alive or changes the output', async () => {
    const mark = randomUUID();
    const daemon = `
      const { spawn } = require('node:child_process');
      const fs = require('node:fs');
      if (process.argv[3] === undefined) {
        spawn(process.execPath, [__filename, '${mark}', 'daemon'], { detached: true, stdio: 'ignore' }).unref();
        spawn(process.execPath, [__filename, '${mark}', 'holder'], { detached: true, stdio: 'inherit' }).unref();
        const until = Date.now() + 10_000;
        while (!fs.existsSync('ready') && Date.now() < until);
      } else {
        for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, () => {});
        require('node:net').createServer().listen(0);
        const swap = () => { try { fs.renameSync('out', 'was'); fs.mkdirSync('out'); fs.writeFileSync('out/index.html', 'swapped'); fs.rmSync('was', { recursive: true }); } catch {} };
        if (process.argv[3] === 'daemon') setTimeout(() => setInterval(swap, 1), 1_500);
        fs.writeFileSync('ready', '');
        setInterval(() => {}, 1_000);
      }
    `;
    const many = 'for (let n = 0; n < 300; n++) require("fs").writeFileSync("out/" + n, "site " + n)';
    const plane = await build(
      script(`mkdir out; echo site > out/index.html; node -e '${many}'; node daemon.cjs ${mark}`, {
        'daemon.cjs': daemon,
      }),
    );
    expect(running(mark)).toEqual([]);
    expect(plane.result).toMatchObject({ outcome: 'built' });
    expect(published(plane, 'index.html')).toBe('site\n');
  });

  test('is stopped at its time limit, whatever it ignores', async () => {
    const mark = randomUUID();
    const plane = await build(
      script(
        `trap "" TERM INT HUP; setsid sh -c 'trap "" TERM; while :; do sleep 1; done' ${mark} & while :; do sleep 1; done`,
      ),
      { spec: { timeLimitMs: 1_500 } },
    );
    expect(plane.result).toMatchObject({ outcome: 'failed', reason: 'timeout' });
    expect(running(mark)).toEqual([]);
  });
});

describe('a build that takes all that there is', () => {
  test('of the log is cut line by line, and the builder stays small', async () => {
    const plane = await planeFor(
      script('node flood.cjs', {
        'flood.cjs': `
          const fs = require('node:fs');
          const all = (text) => { for (let at = 0, bytes = Buffer.from(text); at < bytes.length; ) at += fs.writeSync(1, bytes, at); };
          for (let n = 0; n < 20; n++) all(('y'.repeat(10_000) + '\\n').repeat(100));
          for (let n = 0; n < 200; n++) all('x'.repeat(1_000_000));
          all('\\n' + '\\0'.repeat(5_000_000) + '\\n');
          all('\\u001b]0;evil\\u0007\\u001b[2J\\u001b[Hshown\\n');
          fs.mkdirSync('out'); fs.writeFileSync('out/index.html', 'x');
        `,
      }),
    );
    const data = openData();
    mkdirSync(join(data.work, '..'), { recursive: true });
    const run = startBuilder(program.file, plane, data);
    let most = 0;
    const looks = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${run.process.pid}/status`, 'utf8');
        most = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? most);
      } catch {}
    }, 50);
    expect(await run.ended).toMatchObject({ exitCode: 0, output: '' });
    clearInterval(looks);
    expect(plane.result).toMatchObject({ outcome: 'built' });
    expect(Math.max(...plane.texts.map((text) => text.length))).toBeLessThanOrEqual(maxLineLength);
    expect(plane.texts.some((text) => text.startsWith('xxx') && text.endsWith('more characters)'))).toBe(
      true,
    );
    expect(plane.texts).toContain('shown');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be left
    expect(plane.texts.some((text) => /[\u0000\u0007]|\u001b\]/.test(text))).toBe(false);
    expect(most / 1024).toBeLessThan(400);
  });

  test('of the disk is stopped before it is full, with the reason', async () => {
    const small = await smallDisk(200);
    const fill =
      'mkdir out; n=0; while :; do head -c 1000000 /dev/zero > big.$n; n=$((n+1)); sleep 0.01; done';
    const plane = await build(script(fill), {
      data: { ...openData(), home: small, cache: join(small, 'cache') },
    });
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      error: {
        code: 'BUILD_FAILED',
        message: expect.stringMatching(/left on the disk.*its files have come to \d+/),
      },
    });
  });

  test('of the processes meets a limit of its own, as an ordinary user', async () => {
    const mark = randomUUID();
    const plane = await planeFor(
      script(
        `i=0; while [ $i -lt 6000 ]; do sh -c 'exec sleep 600.1' ${mark} & i=$((i+1)); done; mkdir out; echo x > out/index.html`,
      ),
    );
    const run = startAs(54_321, plane);
    expect(await run.ended).toMatchObject({ exitCode: 0, output: '' });
    expect(plane.result).toMatchObject({ outcome: 'failed', error: { code: 'BUILD_FAILED' } });
    expect(plane.texts.join('\n')).toMatch(/[Cc]annot fork/);
    expect(running('600.1')).toEqual([]);
  }, 120_000);
});

/** A file system of `megabytes`, for this test. */
async function smallDisk(megabytes: number): Promise<string> {
  const at = emptyDirectory();
  await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'sphere-test', at]);
  onTestFinished(async () => {
    await promisify(execFile)('umount', [at]);
  });
  return at;
}

/** The builder as a user who is not root. */
function startAs(id: number, plane: RecordingPlane): BuilderRun {
  const data = openData();
  chmodSync(join(program.file, '..'), 0o755);
  for (const directory of [data.home, data.cache, join(data.work, '..')]) {
    mkdirSync(directory, { recursive: true });
    for (let at = directory; at.startsWith(data.home); at = join(at, '..')) chownSync(at, id, id);
  }
  const child = spawn(
    'setpriv',
    [...[`--reuid=${id}`, `--regid=${id}`, '--clear-groups', process.execPath, program.file]],
    {
      env: {
        PATH: process.env.PATH,
        HOME: data.home,
        SPHERE_PLANE_URL: plane.url,
        SPHERE_DEPLOYMENT: 'dep_test',
        SPHERE_ATTEMPT: '1',
        SPHERE_BOOTSTRAP_TOKEN: bootstrapToken,
        SPHERE_WORK_DIRECTORY: data.work,
        SPHERE_CACHE_DIRECTORY: data.cache,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  const ended = new Promise<Awaited<BuilderRun['ended']>>((resolve) => {
    child.once('close', (exitCode, signal) => resolve({ exitCode, signal, output }));
  });
  return { process: child, ended };
}
