/** How isolation is decided and what it leaves to be seen: the parts that need no build. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { leastFree } from '../../builder/command/disk-watch.ts';
import { commandEnvironment } from '../../builder/command/environment.ts';
import { countsPerNamespace } from '../../builder/command/sandbox.ts';
import { bubblewrapArguments } from '../../builder/isolation/bubblewrap.ts';
import { chooseIsolation, isolatedMachine } from '../../builder/isolation/isolate.ts';
import { mountsFor } from '../../builder/isolation/machine-view.ts';
import { publicPackageSettings } from '../../builder/isolation/package-settings.ts';
import { bubblewrapProbe, tryBubblewrap } from '../../files/bubblewrap.ts';
import { emptyDirectory, executable, tree } from '../files/tree.ts';

const works = { program: '/usr/bin/bwrap', probe: null };
const broken = { program: '/usr/bin/bwrap', probe: 'bwrap: setting up uid map: Permission denied' };
const missing = { why: 'bubblewrap is not installed', hint: 'Install it.' };

test.each([
  ['auto', works, { isolated: true, said: expect.stringContaining('not your home directory') }],
  ['auto', missing, { isolated: false, said: 'Commands run as you: bubblewrap is not installed.' }],
  ['auto', broken, { isolated: false, said: expect.stringMatching(/as you: .*setting up uid map/) }],
  ['always', works, { isolated: true, said: expect.any(String) }],
  [
    'always',
    missing,
    { refused: expect.stringContaining('bubblewrap is not installed'), hint: 'Install it.' },
  ],
  [
    'always',
    broken,
    { refused: expect.stringContaining('does not work'), hint: expect.stringContaining('AppArmor') },
  ],
  ['never', works, { isolated: false, said: expect.stringContaining('--isolation never') }],
] as const)('%s with %j', (wanted, isolator, expected) => {
  expect(chooseIsolation(wanted, isolator)).toEqual(expected);
});

test('every namespace but that of the network is its own, and no capability is left', () => {
  const mounts = [
    { kind: 'read' as const, from: '/usr', at: '/usr' },
    { kind: 'write' as const, from: '/data/work', at: '/data/work' },
    { kind: 'link' as const, to: 'usr/bin', at: '/bin' },
  ];
  const args = bubblewrapArguments({ mounts, uid: 1000, gid: 1000 }).join(' ');
  for (const namespace of ['user', 'pid', 'ipc', 'uts']) expect(args).toContain(`--unshare-${namespace}`);
  expect(args).not.toContain('--unshare-net');
  expect(args).toContain('--die-with-parent --new-session --cap-drop ALL --disable-userns');
  expect(args).toContain(
    '--ro-bind /usr /usr --bind /data/work /data/work --symlink usr/bin /bin --remount-ro /',
  );
});

test("of npm's settings all but secrets are given, and it is told whose are not", () => {
  const text = [
    'registry=https://user:password@registry.example.com/npm/',
    '@acme:registry = https://npm.acme.test/',
    '//npm.acme.test/:_authToken=token-of-acme',
    '//registry.example.com/npm/:_password="c2VjcmV0"',
    '_auth=dXNlcjpwYXNz',
    'email=person@example.com',
    'certfile=/home/me/cert.pem',
    'script-shell=/home/me/evil',
    'cafile="/etc/acme/ca.pem"',
    '; a comment = x',
    'legacy-peer-deps=true',
    'proxy=http://user:pass@proxy.test:3128',
  ].join('\n');
  expect(publicPackageSettings(text)).toEqual({
    text: [
      'registry=https://registry.example.com/npm/',
      '@acme:registry=https://npm.acme.test/',
      'cafile="/etc/acme/ca.pem"',
      'legacy-peer-deps=true',
      'proxy=http://user:pass@proxy.test:3128',
      '',
    ].join('\n'),
    withheld: ['registry.example.com', 'npm.acme.test', 'registry.example.com/npm', 'the default registry'],
    paths: ['/etc/acme/ca.pem'],
  });
});

test('programs in the home are seen, the home and what the plane keeps are not, whatever the PATH says', () => {
  const home = tree({
    '.nvm/node/bin/node': '',
    '.nvm/node/lib/node_modules/npm/package.json': '{}',
    '.ssh/id': '',
  });
  const data = tree({ 'cache/tools/x': '', 'builds/a/work/source/x': '', key: '', passwd: '' });
  const work = join(data, 'builds/a/work');
  const mounts = mountsFor(
    { HOME: home, PATH: `${home}/.nvm/node/bin:${home}:${data}:/:relative:${data}/builds:/usr/bin` },
    '/usr/bin/node',
    {
      work,
      cache: join(data, 'cache'),
      home: join(work, 'home'),
      homeCache: emptyDirectory(),
      objects: [],
      named: [join(home, 'missing')],
      accounts: { passwd: join(data, 'passwd'), group: join(data, 'passwd') },
    },
  );
  const seen = mounts.flatMap((mount) => (mount.kind === 'link' ? [] : [mount.at]));
  const outside = seen.filter((at) => at.startsWith(home) || at.startsWith(data) || at === '/');
  expect(outside).toEqual([
    `${home}/.nvm/node/bin`,
    `${home}/.nvm/node/lib/node_modules`,
    `${data}/cache/tools`,
    work,
    `${work}/home/.cache`,
  ]);
  expect(seen).not.toEqual(expect.arrayContaining([expect.stringMatching(/^\/(?:run|sys|home|root|etc)$/)]));
});

test('nothing in the environment leads into the home', () => {
  const machine = {
    HOME: '/home/me',
    USER: 'me',
    PATH: '/usr/bin',
    TMPDIR: '/home/me/tmp',
    XDG_CONFIG_HOME: '/home/me/.config',
    npm_config_userconfig: '/home/me/.npmrc',
    npm_config_cache: '/home/me/.npm',
    npm_config_registry: 'https://registry.example.com/',
    LANG: 'C.UTF-8',
  };
  const setting = { programs: [], derived: {}, given: {}, sphere: {} };
  const environment = commandEnvironment(isolatedMachine(machine, '/work/home'), setting);
  expect(JSON.stringify(environment)).not.toContain('/home/me');
  expect(environment).toMatchObject({
    HOME: '/work/home',
    USER: 'build',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    npm_config_registry: 'https://registry.example.com/',
  });
});

const GB = 1024 ** 3;
test.each([
  ['a large empty disk', { free: 400 * GB, total: 500 * GB, freeFiles: 1e7 }, { bytes: GB, files: 10_000 }],
  ['a small disk', { free: 8 * GB, total: 10 * GB, freeFiles: 1e6 }, { bytes: GB / 2, files: 10_000 }],
  ['a full disk', { free: GB / 2, total: 500 * GB, freeFiles: 100 }, { bytes: GB / 4, files: 50 }],
  [
    'one that counts no files',
    { free: 400 * GB, total: 500 * GB, freeFiles: Number.POSITIVE_INFINITY },
    { bytes: GB, files: 10_000 },
  ],
])('of %s so much stays free', (_, state, expected) => {
  expect(leastFree(state)).toEqual(expected);
});

test('an older bubblewrap isolates as well as it can, one that may not make namespaces is told', async () => {
  const at = tree({
    older: executable(
      '#!/bin/sh\ncase " $* " in *" --disable-userns "*) echo "bwrap: Unknown option --disable-userns" >&2; exit 1; esac\nexec /usr/bin/bwrap "$@"\n',
    ),
    forbidden: executable('#!/bin/sh\necho "bwrap: setting up uid map: Permission denied" >&2; exit 1\n'),
  });
  const whole = await tryBubblewrap('/usr/bin/bwrap', bubblewrapProbe);
  expect(whole).toEqual({ works: bubblewrapProbe });
  const fewer = bubblewrapProbe.filter((argument) => argument !== '--disable-userns');
  expect(await tryBubblewrap(join(at, 'older'), bubblewrapProbe)).toEqual({ works: fewer });
  expect(await tryBubblewrap(join(at, 'forbidden'), bubblewrapProbe)).toEqual({
    why: 'bwrap: setting up uid map: Permission denied',
  });
});

test.each([
  ['6.18.44', true],
  ['5.14.0-362.el9', true],
  ['5.13.19-generic', false],
  ['4.18.0', false],
])('Linux %s counts processes per namespace: %s', (release, counts) => {
  expect(countsPerNamespace(release)).toBe(counts);
});
