/** Which hosts a hosted plane connects to: every way to write a private address, names that resolve to one, and our own. */
import { describe, expect, test } from 'vitest';
import {
  checkRepositoryHost,
  isPublicAddress,
  lookupOnce,
  pinRepositoryHost,
} from '../../files/repository-host.ts';
import { checkRepository } from '../../files/repository-url.ts';

const repository = (url: string) => checkRepository(url, { allowLocal: false });

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '169.254.170.2',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.168.1.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::10.0.0.1',
  '64:ff9b:1::1',
  '2002:7f00:1::',
  '2001::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'not an address',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  '140.82.112.3',
  '1.1.1.1',
  '100.63.0.1',
  '172.32.0.1',
  '2606:50c0:8000::153',
  '64:ff9b::8c52:7003',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

describe('refused without asking anybody', () => {
  test.each([
    'https://127.0.0.1/a.git',
    'https://127.1/a.git',
    'https://2130706433/a.git',
    'https://0x7f000001/a.git',
    'https://0177.0.0.1/a.git',
    'https://[::1]/a.git',
    'https://[::ffff:169.254.169.254]/a.git',
    'https://169.254.169.254/latest/meta-data',
    'http://metadata.google.internal/a',
    'https://localhost/a.git',
    'https://LOCALHOST./a.git',
    'https://git.localhost/a.git',
    'https://printer.local/a.git',
    'https://intranet/a.git',
    'https://127.0.0.1./a.git',
    'https://１２７.0.0.1/a.git',
    'ssh://git@10.0.0.5/a.git',
    'ssh://git@0x7f000001/a.git',
    'ssh://git@2130706433/a.git',
    'ssh://git@127.1/a.git',
    'ssh://git@[fd00::1]/a.git',
    'git@10.0.0.5:a.git',
    'git@localhost:a.git',
    'git@git:a.git',
  ])('%s', (url) => {
    const check = () => checkRepositoryHost(repository(url), []);
    expect(check).toThrow(expect.objectContaining({ code: 'SOURCE_REFUSED' }));
  });
});

test.each([
  'https://github.com/a/b',
  'git@gitlab.com:a/b.git',
  'ssh://git@bitbucket.org:22/a/b',
  'https://1.1.1.1/a',
])('%s may be asked for', (url) => {
  expect(() => checkRepositoryHost(repository(url), [])).not.toThrow();
});

describe('a name', () => {
  const resolving =
    (...addresses: string[]) =>
    async () =>
      addresses;

  test('is pinned to the addresses that were checked', async () => {
    const pinned = await pinRepositoryHost(
      repository('https://git.example.com:8443/a'),
      [],
      resolving('1.1.1.1'),
    );
    expect(pinned).toEqual({
      transport: 'https',
      host: 'git.example.com',
      port: 8443,
      addresses: ['1.1.1.1'],
    });
  });

  test('is looked up once, for all of its ports', async () => {
    const answers = ['1.1.1.1', '10.0.0.1'];
    const lookup = lookupOnce(async () => [answers.shift() ?? '']);
    const ask = (url: string) => pinRepositoryHost(repository(url), [], lookup);
    expect(await ask('http://rebind.example.com/a')).toMatchObject({ port: 80, addresses: ['1.1.1.1'] });
    expect(await ask('https://rebind.example.com/b')).toMatchObject({ port: 443, addresses: ['1.1.1.1'] });
  });

  test.each([['10.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['::ffff:10.0.0.1'], []])(
    'that resolves to %j is refused',
    async (...addresses) => {
      const pinning = pinRepositoryHost(
        repository('https://rebind.example.com/a'),
        [],
        resolving(...addresses),
      );
      await expect(pinning).rejects.toMatchObject({ code: 'SOURCE_REFUSED' });
    },
  );

  test('of our own may be private, on its port alone where one is named', async () => {
    const ask = (url: string, hosts: string[]) =>
      pinRepositoryHost(repository(url), hosts, resolving('10.0.0.1'));
    expect(await ask('https://git.corp/a', ['git.corp'])).toBeNull();
    expect(await ask('https://GIT.corp/a', ['git.corp'])).toBeNull();
    expect(await ask('https://git.corp:8443/a', ['git.corp:8443'])).toBeNull();
    await expect(ask('https://git.corp/a', ['git.corp:8443'])).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
    await expect(ask('https://evil.git.corp/a', ['git.corp'])).rejects.toMatchObject({
      code: 'SOURCE_REFUSED',
    });
  });
});
