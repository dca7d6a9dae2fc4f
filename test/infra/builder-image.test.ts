/** The images, built for real: what is in the builder's, and what a build in it may and may not do; the replica's starts. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { builderContractVersion, version } from '../../contract/version.ts';
import { cachedApp } from '../builder/cached-app.ts';
import { repository } from '../builder/git-repository.ts';
import { serveGit } from '../builder/git-server.ts';
import { bootstrapToken, deployment, type RecordingPlane } from '../builder/recording-plane.ts';
import { openPlane, published, script, upload } from '../builder/uploaded-source.ts';
import { openEcs, openRunner, settings } from '../ecs/open-ecs.ts';
import type { Tree } from '../files/tree.ts';
import { type BuilderImage, capabilities, openBuilderImage } from '../peers/builder-image.ts';
import { dockerProgram } from '../peers/docker.ts';
import { createDockerLauncher } from '../peers/ecs/launchers.ts';

let built: BuilderImage;
beforeAll(async () => {
  built = await openBuilderImage();
}, 400_000);
afterAll(() => built?.close(), 60_000);

/** As the task of a hosted plane is started: these names and no others. */
function start(plane: RecordingPlane) {
  const container = built.runBuilderContainer({
    SPHERE_PLANE_URL: plane.url,
    SPHERE_DEPLOYMENT: deployment,
    SPHERE_ATTEMPT: '1',
    SPHERE_BOOTSTRAP_TOKEN: bootstrapToken,
  });
  onTestFinished(() => container.stop());
  return container;
}

async function build(files: Tree): Promise<RecordingPlane> {
  const plane = await openPlane(await upload(files));
  expect(await start(plane).exited).toEqual({ exitCode: 0, output: '' });
  return plane;
}

describe('the image', () => {
  test('holds all that builds need, and says so line by line', async () => {
    const { stdout } = await promisify(execFile)('scripts/check-builder-image', [built.image], {
      env: { ...built.docker.environment, DOCKER: dockerProgram },
    });
    expect(stdout.trim().split('\n')).toSatisfy((lines: string[]) =>
      lines.every((line) => line.startsWith('ok ')),
    );
    expect(stdout).toMatch(/Node 24: v24\..*\n.*Node 22: v22\..*\n.*Node 20: v20\./);
  }, 60_000);

  test('is labelled with the contract and the version of its builder', async () => {
    const labels = await built.docker.run(
      'image',
      'inspect',
      '--format',
      '{{json .Config.Labels}}',
      built.image,
    );
    expect(JSON.parse(labels)).toMatchObject({
      'sphere.contract': String(builderContractVersion),
      'org.opencontainers.image.version': version,
    });
  });

  test('without an environment says which names it lacks', async () => {
    const { exitCode, output } = await built.runBuilderContainer({}).exited;
    expect(exitCode).toBe(2);
    expect(output).toMatch(/started by a plane[\s\S]*SPHERE_PLANE_URL: [\s\S]*SPHERE_BOOTSTRAP_TOKEN: /);
    expect(output).not.toContain(' at ');
  });
});

describe('a build in a container', () => {
  test('of plain HTML is published, and ends with 0', async () => {
    const plane = await build({ 'index.html': '<h1>Hello</h1>' });
    expect(plane.result).toMatchObject({ outcome: 'built', uploaded: 1 });
    expect(published(plane, 'index.html')).toBe('<h1>Hello</h1>');
  });

  test('of a Git repository has its history, and may change everything in its checkout', async () => {
    const { directory, commit } = repository(
      script(
        'mkdir out && git log --format=%s > out/index.html && rm sphere.json && git status --short >> out/index.html',
      ),
    );
    const { url } = await serveGit(directory, null);
    const plane = await openPlane({
      spec: {
        source: { kind: 'git', repository: `${url}/.git`, ref: 'main', commit },
      },
    });
    expect(await start(plane).exited).toEqual({ exitCode: 0, output: '' });
    expect(plane.result).toMatchObject({ outcome: 'built' });
    expect(published(plane, 'index.html')).toBe('A change\n D sphere.json\n?? out/\n');
  });

  test.each([
    ['22', /^Node 22\.[\d.]+, cached/m],
    ['20', /^Node 20\.[\d.]+, cached/m],
  ])('finds Node %s in the image', async (wanted, said) => {
    const plane = await build(script('mkdir out && node --version > out/index.html', { '.nvmrc': wanted }));
    expect(plane.texts.join('\n')).toMatch(said);
    expect(published(plane, 'index.html')).toMatch(new RegExp(`^v${wanted}\\.`));
  });

  test('finds its package manager in the image', async () => {
    const lock = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n\nimporters:\n\n  .: {}\n";
    const plane = await build({
      'package.json': JSON.stringify({
        name: 'site',
        scripts: { build: 'mkdir dist && pnpm --version > dist/index.html' },
      }),
      'pnpm-lock.yaml': lock,
    });
    expect(plane.texts.join('\n')).toMatch(/^Package manager: pnpm 10\.[\d.]+ \(cached\)$/m);
    expect(published(plane, 'index.html')).toMatch(/^10\./);
  });
});

test('a build in another container has node_modules and the framework cache, which are its commands’ own', async () => {
  const caches = new Map<string, Buffer>();
  const again = async (files: Tree) => {
    const options = await upload(files);
    const plane = await openPlane({ ...options, caches, spec: { ...options.spec, remoteCaches: true } });
    expect(await start(plane).exited).toEqual({ exitCode: 0, output: '' });
    return { page: published(plane, 'index.html'), log: plane.texts.join('\n') };
  };
  expect((await again(cachedApp())).page).toBe('hello 1 yes');
  // The build of the second writes into both.
  const second = await again(cachedApp({ 'unrelated.txt': 'changed' }));
  expect(second.page, second.log).toBe('hello 2 yes');
  expect(second.log).toContain('Reused node_modules');
});

describe('the commands of a source', () => {
  test('T21: run as another user, who can read neither environment nor memory nor files of the builder, nor signal it', async () => {
    const plane = await build(
      script('sh probe.sh > report.txt 2>&1; mkdir out; cp report.txt out/index.html', {
        'probe.sh': `
          echo "user $(id -u):$(id -g) groups $(id -G)"
          echo "home $HOME $(touch "$HOME/written" && echo writable)"
          for pid in 1 $PPID $(cd /proc && echo [0-9]*); do
            test -r /proc/$pid/cmdline || continue
            grep -q main.cjs /proc/$pid/cmdline || continue
            cat /proc/$pid/environ >/dev/null 2>&1 && echo "READ environ of $pid"
            head -c 1 /proc/$pid/mem >/dev/null 2>&1 && echo "READ memory of $pid"
            ls /proc/$pid/fd >/dev/null 2>&1 && echo "READ files of $pid"
            kill -0 $pid 2>/dev/null && echo "MAY SIGNAL $pid"
            echo "tried the builder"
          done
          env | grep -E 'SPHERE_(PLANE|BOOTSTRAP|BUILD_USER|ATTEMPT)' && echo "READ own environment"
          for place in /opt/sphere/builder /var/cache/sphere/tools /usr/local/bin /root /etc; do
            touch $place/x 2>/dev/null && echo "WROTE $place"
          done
          grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status
        `,
      }),
    );
    const report = published(plane, 'index.html') ?? '';
    expect(report).toContain('user 10001:10001 groups 10001\n');
    expect(report).toContain('home /work/home writable\n');
    // tini and the builder.
    expect(report.match(/tried the builder/g)?.length).toBeGreaterThanOrEqual(2);
    expect(report).not.toMatch(/READ|SIGNAL|WROTE/);
    expect(report.match(/^Cap\w+:\s+0+$/gm)).toHaveLength(3);
  });

  test('T24: leave nothing running, not even what has left their process group and session', async () => {
    const daemon = `
      const { spawn } = require('node:child_process');
      spawn(process.execPath, ['-e', 'setInterval(() => require("fs").appendFileSync("out/late.txt", "more"), 1)'],
        { detached: true, stdio: 'ignore' }).unref();
    `;
    const list = `
      const fs = require('node:fs');
      const left = fs.readdirSync('/proc').filter((pid) => /^[0-9]+$/.test(pid) && Number(pid) !== process.pid)
        .map((pid) => { try { return fs.readFileSync('/proc/' + pid + '/cmdline', 'utf8'); } catch { return ''; } })
        .filter((line) => line.includes('setInterval'));
      fs.mkdirSync('out', { recursive: true });
      fs.writeFileSync('out/left.txt', JSON.stringify(left.length));
      fs.writeFileSync('out/index.html', 'built');
    `;
    const plane = await build({
      'sphere.json': JSON.stringify({
        installCommand: 'node daemon.cjs && echo installed',
        buildCommand: 'node list.cjs && node daemon.cjs && node list.cjs && echo done',
        outputDirectory: 'out',
      }),
      'package.json': '{}',
      'daemon.cjs': daemon,
      'list.cjs': list,
    });
    expect(plane.result).toMatchObject({ outcome: 'built' });
    // The daemon of the build wrote until the command's end, and no longer: what was published is what was listed.
    expect(plane.manifest?.files['late.txt']?.bytes).toBe(published(plane, 'late.txt')?.length);
    // The one of the build itself alone: that of the install had been ended before.
    expect(published(plane, 'left.txt')).toBe('1');
  });

  test('cannot have files of the builder published by a link in the place of the output', async () => {
    const plane = await build(script('ln -s /opt/sphere out'));
    expect(plane.result).toMatchObject({
      outcome: 'failed',
      error: { code: 'OUTPUT_INVALID', message: expect.stringContaining('/opt/sphere') },
    });
    expect(plane.manifest).toBe(null);
  });

  test('find no credential of a task, and publish no device, pipe or file of another user', async () => {
    const plane = await build(
      script(
        'sh probe.sh > report.txt 2>&1; mkdir out; cp report.txt out/index.html; sh leave.sh 2>/dev/null; true',
        {
          'probe.sh': `
          env | grep -E '^(AWS_|ECS_)' && echo 'READ the environment of the task'
          for place in /opt/sphere /var/cache/sphere / /usr/bin /tmp/../etc; do touch $place/x 2>/dev/null && echo "WROTE $place"; done
          cat /etc/shadow >/dev/null 2>&1 && echo 'READ shadow'
          mount -t tmpfs none /mnt 2>/dev/null && echo 'MOUNTED'
        `,
          'leave.sh': `
          mkfifo out/pipe
          mknod out/device c 1 5
          ln /etc/shadow out/shadow.txt
          ln /opt/sphere/builder/main.cjs out/main.cjs
          node -e 'require("net").createServer().listen("out/socket", () => process.exit())'
        `,
        },
      ),
    );
    // Where the kernel lets users link to files that are not theirs, the output is refused as a whole.
    const linked = plane.result?.outcome === 'failed';
    if (linked)
      expect(plane.result).toMatchObject({ error: { message: expect.stringContaining('another user') } });
    else expect(Object.keys(plane.manifest?.files ?? {})).toEqual(['index.html']);
    expect(published(plane, 'index.html') ?? '').not.toMatch(/READ|WROTE|MOUNTED/);
  });

  test('are stopped at their time limit, whatever they ignore', async () => {
    const options = await upload(
      script('trap "" TERM; setsid sh -c "trap \'\' TERM; sleep 300" & sleep 300'),
    );
    const plane = await openPlane({ ...options, spec: { ...options.spec, timeLimitMs: 1_500 } });
    expect(await start(plane).exited).toEqual({ exitCode: 0, output: '' });
    expect(plane.result).toMatchObject({ outcome: 'failed', reason: 'timeout' });
  });

  test('T24: end with the container, and the plane has had their last lines', async () => {
    const plane = await openPlane(
      await upload(script('setsid sh -c "sleep 300" & trap "" TERM; echo begun; sleep 300')),
    );
    const container = start(plane);
    await plane.until(() => plane.texts.includes('begun'));
    const before = performance.now();
    await container.stop();
    expect((await container.exited).exitCode).toBe(143);
    // The command ignores SIGTERM for the 5 s that it is given; ECS would kill it all after 30.
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(await built.docker.run('ps', '--quiet')).toBe('');
    expect(plane.result).toBe(null);
  });
});

test('a task of ECS that runs the image builds, delivers and ends with 0, with the capabilities that it is left', async () => {
  const plane = await openPlane(await upload({ 'index.html': '<h1>From a task</h1>' }));
  const kept = capabilities.flatMap((capability) => ['--cap-add', capability]);
  const launch = createDockerLauncher({
    environment: built.docker.environment,
    image: built.image,
    runOptions: ['--cap-drop', 'ALL', ...kept],
  });
  const ecs = await openEcs({ launch });
  const runner = openRunner(ecs, { settings: { ...settings, planeUrl: plane.url } });
  await runner.start({ deployment, attempt: 1, bootstrapToken, lost: 0 });
  await ecs.until(() => ecs.tasks()[0]?.lastStatus === 'STOPPED');
  expect(ecs.tasks()[0]?.describe(false).containers[0]).toMatchObject({ exitCode: 0 });
  expect(plane.result).toMatchObject({ outcome: 'built', uploaded: 1 });
  expect(published(plane, 'index.html')).toBe('<h1>From a task</h1>');
});

test('the image of a replica starts what was built, as a user without rights, on a read-only root', async () => {
  const { docker } = built;
  const image = 'sphere-plane:test';
  await docker.run('build', '--network', 'host', '--file', 'infra/Dockerfile.plane', '--tag', image, '.');
  // As infra/compose.yaml runs it.
  const limits = [
    '--read-only',
    '--tmpfs',
    '/tmp',
    '--cap-drop',
    'ALL',
    '--security-opt',
    'no-new-privileges',
  ];
  const inside = (...args: string[]) => docker.run('run', '--rm', '--network', 'none', ...limits, ...args);
  expect(await inside(image, '--version')).toContain(version);
  expect(await inside('--entrypoint', '/usr/bin/id', image, '-u')).toBe('10002');
  expect(await inside('--entrypoint', '/usr/bin/git', image, '--version')).toMatch(/^git version/);
  // It reads the environment of a hosted plane, and says what is wrong with it.
  const names = ['DATABASE_URL=postgres://sphere@postgres/sphere', 'SPHERE_SITES=s3', 'SPHERE_BUILDS=ecs'];
  const wrong = inside(...names.flatMap((name) => ['--env', name]), image);
  await expect(wrong).rejects.toThrow(/SPHERE_PUBLIC_URL[\s\S]*SPHERE_KEY[\s\S]*SPHERE_ECS_CLUSTER/);
}, 120_000);
