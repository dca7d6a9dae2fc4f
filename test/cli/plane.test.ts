/** Which plane a command talks to, and which version replaces which. */
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../cli/config.ts';
import { choosePlane, isOlder } from '../../cli/plane.ts';
import { emptyDirectory, tree } from '../files/tree.ts';

describe('the plane that is used', () => {
  const choose = (env: NodeJS.ProcessEnv, local = false) => choosePlane(readEnvironment(env, '/'), local);
  const hosted = { SPHERE_URL: 'https://sphere.example.com', SPHERE_TOKEN: 'token' };

  test('is the hosted one where there is an address and a token', () => {
    expect(choose(hosted)).toEqual({ kind: 'hosted', address: { url: hosted.SPHERE_URL, token: 'token' } });
  });

  test('is the one on this machine with --local, whatever the environment says', () => {
    const home = emptyDirectory();
    expect(choose({ ...hosted, SPHERE_HOME: home }, true)).toEqual({ kind: 'embedded', home });
  });

  test('is the one on this machine when it was made before', () => {
    const home = tree({ port: '4000' });
    expect(choose({ SPHERE_HOME: home })).toEqual({ kind: 'embedded', home });
  });

  test('has not been chosen yet where nothing of it is there', () => {
    const home = emptyDirectory();
    expect(choose({ SPHERE_HOME: home }).kind).toBe('none');
    expect(choose({ SPHERE_HOME: `${home}/missing` }).kind).toBe('none');
  });
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
  ])('%s than %s: %s', (a, b, older) => {
    expect(isOlder(a, b)).toBe(older);
  });
});
