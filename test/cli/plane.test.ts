/** Which plane a command talks to, with which token, and which version replaces which. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../cli/config.ts';
import { writeCredentials } from '../../cli/credentials.ts';
import { linkName, writeLink } from '../../cli/link.ts';
import { isOlder } from '../../cli/plane.ts';
import { choosePlane, planeUrl } from '../../cli/plane-choice.ts';
import { emptyDirectory, tree } from '../files/tree.ts';

describe('the plane that is used', () => {
  const hosted = { SPHERE_URL: 'https://sphere.example.com', SPHERE_TOKEN: 'token' };
  const other = 'https://other.example.com';

  /** Chooses with nothing on the machine but what the test puts there. */
  function choose(
    env: NodeJS.ProcessEnv,
    options: { local?: boolean; token?: string; signedIn?: string[]; expiresAt?: string; link?: string } = {},
  ) {
    const settings = emptyDirectory();
    const directory = emptyDirectory();
    const home = { SPHERE_HOME: `${settings}/no-plane` };
    const environment = readEnvironment({ ...home, XDG_CONFIG_HOME: settings, ...env }, '/');
    const { signedIn, expiresAt = null, link, ...flags } = options;
    if (signedIn) {
      const kept = (url: string) => ({ token: `of ${url}`, account: 'acme', tokenName: 'ci', expiresAt });
      const planes = Object.fromEntries(signedIn.map((url) => [url, kept(url)]));
      writeCredentials(environment.credentials, { version: 1, current: signedIn.at(-1) ?? null, planes });
    }
    if (link) writeLink(directory, { plane: link, slug: 'my-app' });
    return choosePlane({ environment, directory, flags });
  }
  const url = hosted.SPHERE_URL;

  test('is the hosted one where there is an address and a token', () => {
    expect(choose(hosted)).toMatchObject({
      kind: 'hosted',
      address: { url, token: 'token' },
      urlFrom: 'SPHERE_URL',
      tokenFrom: 'SPHERE_TOKEN',
    });
  });

  test('is the one on this machine with --local, whatever the environment, link and sign-in say', () => {
    const home = emptyDirectory();
    const options = { local: true, signedIn: [other], link: other };
    expect(choose({ ...hosted, SPHERE_HOME: home }, options)).toMatchObject({ kind: 'embedded', home });
  });

  test('is the one on this machine when it was made before', () => {
    const home = tree({ port: '4000' });
    expect(choose({ SPHERE_HOME: home })).toMatchObject({ kind: 'embedded', home });
  });

  test('is the one that was signed in to, rather than the one on this machine', () => {
    const home = tree({ port: '4000' });
    expect(choose({ SPHERE_HOME: home }, { signedIn: [url, other] })).toMatchObject({
      address: { url: other, token: `of ${other}` },
      urlFrom: 'sphere login',
    });
  });

  test('is that of the link, rather than the last sign-in', () => {
    expect(choose({}, { signedIn: [url, other], link: url })).toMatchObject({
      address: { url, token: `of ${url}` },
      urlFrom: linkName,
    });
    expect(choose({}, { signedIn: [url], link: 'local' })).toMatchObject({
      kind: 'embedded',
      from: linkName,
    });
  });

  test('is that of SPHERE_URL, rather than that of the link; its token may be that of a sign-in', () => {
    expect(choose({ SPHERE_URL: url }, { signedIn: [url, other], link: other })).toMatchObject({
      address: { url, token: `of ${url}` },
      tokenFrom: 'sphere login',
    });
  });

  test('gets the token of --token, then SPHERE_TOKEN, then the sign-in', () => {
    expect(choose(hosted, { token: 'flag', signedIn: [url] })).toMatchObject({ address: { token: 'flag' } });
    expect(choose({ SPHERE_TOKEN: 'variable' }, { signedIn: [url] })).toMatchObject({
      address: { url, token: 'variable' },
    });
  });

  test('of a link gets no token from anywhere when nobody has signed in there', () => {
    // The link may have come with somebody else's repository.
    for (const given of [{ token: 'flag' }, {}]) {
      expect(() => choose({ SPHERE_TOKEN: 'secret' }, { ...given, signedIn: [url], link: other })).toThrow(
        expect.objectContaining({
          code: 'NOT_SIGNED_IN',
          hint: expect.stringContaining(`sphere login --url ${other}`),
        }),
      );
    }
  });

  test('without a token names the command that gives one', () => {
    expect(() => choose({ SPHERE_URL: url })).toThrow(
      expect.objectContaining({
        code: 'NOT_SIGNED_IN',
        hint: expect.stringContaining(`sphere login --url ${url}`),
      }),
    );
  });

  test('knows what to say when the plane refuses the token, by where that came from', () => {
    const refusal = (...args: Parameters<typeof choose>) => {
      const choice = choose(...args);
      return choice.kind === 'hosted' ? Object.values(choice.address.refusal ?? {}).join(' ') : '';
    };
    expect(refusal(hosted)).toMatch(/refuses SPHERE_TOKEN.*unset it and sign in: `sphere login --url/);
    expect(refusal({}, { signedIn: [url], expiresAt: '2020-02-03T00:00:00.000Z' })).toMatch(
      /not signed in to https:\/\/sphere\.example\.com any more: the token has expired on 2020-02-03\. Sign in again: `sphere login --url https/,
    );
    expect(refusal({}, { signedIn: [url] })).toContain('has expired or was removed');
  });

  test('has not been chosen yet where nothing of it is there', () => {
    const home = emptyDirectory();
    expect(choose({ SPHERE_HOME: home }).kind).toBe('none');
    expect(choose({ SPHERE_HOME: `${home}/missing` }).kind).toBe('none');
  });

  test('cannot be chosen with a --token that is for none', () => {
    expect(() => choose({}, { token: 'flag' })).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test('is said to be unreadable where the file of the sign-ins is broken', () => {
    const settings = tree({ 'sphere/credentials.json': '{' });
    const environment = readEnvironment({ XDG_CONFIG_HOME: settings }, '/');
    expect(() => choosePlane({ environment, directory: null, flags: {} })).toThrow(
      expect.objectContaining({
        code: 'CONFIGURATION_INVALID',
        hint: expect.stringContaining(join(settings, 'sphere', 'credentials.json')),
      }),
    );
  });
});

test.each([
  ['https://sphere.example.com/', 'https://sphere.example.com'],
  ['http://127.0.0.1:4000/v1?x', 'http://127.0.0.1:4000'],
  ['sphere.example.com', null],
  ['ftp://sphere.example.com', null],
])('%s as the address of a plane: %s', (text, url) => {
  expect(planeUrl(text)).toBe(url);
});

describe('a version is older', () => {
  test.each([
    ['0.1.0', '0.2.0', true],
    ['0.9.0', '0.10.0', true],
    ['1.0.0', '0.9.9', false],
    ['1.0.0', '1.0.0', false],
    ['1.0.0-beta.1', '1.0.0', true],
    ['1.0.0', '1.0.0-beta.1', false],
    ['1.0.0-alpha', '1.0.0-beta', true],
    ['1.0.0-rc.9', '1.0.0-rc.10', true],
    ['1.0.0-rc.10', '1.0.0-rc.9', false],
  ])('%s than %s: %s', (a, b, older) => {
    expect(isOlder(a, b)).toBe(older);
  });
});
