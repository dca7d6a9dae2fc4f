/** Names that strangers choose: slugs of projects, and paths of files. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lookAlikePaths, sitePathSchema } from '../../contract/manifest.ts';
import { slugPattern, slugRefusal } from '../../contract/words.ts';

describe('a slug', () => {
  test.each([
    'admin',
    'adm1n',
    'admln',
    'ad-min',
    'adrnin',
    '4dmin',
    'sph3re',
    'sphere',
    's-p-h-e-r-e',
    'log1n',
    'l0gin',
    'logln',
    'vvww',
    'vvebmail',
    'secur1ty',
    'supp0rt',
    '5tatus',
  ])('%s is not for a new project', (slug) => {
    expect(slugRefusal(slug)).toMatch(/reserved/);
  });

  test.each(['sthree-site', 'amzn-s3-demo-site', 'xn-site', 'site-s3alias'])(
    'T6: %s is no bucket',
    (slug) => {
      expect(slugRefusal(slug)).toMatch(/bucket/);
    },
  );

  test.each(['shop', 'my-app', 'blog', 'docs', 'admin-tools', 'sphere-docs', 'apis', 'applet'])(
    '%s is free',
    (slug) => {
      expect(slugRefusal(slug)).toBeNull();
    },
  );

  test.each(['xn--80ak6aa92e', 'аpi', 'ａｐｉ', 'a--b', '-ab', 'ab-', 'a.b', 'ab\n'])(
    'T34: %j is none: no punycode, no letters beyond a-z',
    (slug) => {
      expect(slugPattern.test(slug)).toBe(false);
    },
  );
});

describe('a path of a site', () => {
  test.each([
    '../a',
    'a/../b',
    '/a',
    'a//b',
    './a',
    'a/.',
    'a\\b',
    'a\0b',
    'a\nb',
    '',
    'x'.repeat(256),
    'é'.repeat(128),
    `${'d/'.repeat(512)}a`,
    `${'€'.repeat(80)}/`.repeat(5).slice(0, -1),
  ])('%j is refused', (path) => {
    expect(sitePathSchema.safeParse(path).success).toBe(false);
  });

  test.each(['con', 'NUL.txt', 'aux/a.js', 'A.html', 'über/é.html', '.well-known/a', 'x'.repeat(255)])(
    '%j is taken: what is a device elsewhere is a name on the web',
    (path) => {
      expect(sitePathSchema.safeParse(path).success).toBe(true);
    },
  );

  test('never leads out of the site, whatever it is made of', () => {
    const part = fc.constantFrom('..', '.', '', 'a', 'b.html', '...', '%2e%2e', '\\', 'é', '\u0000');
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        const path = parts.join('/');
        if (!sitePathSchema.safeParse(path).success) return;
        expect(new URL(`http://site/root/${encodeURI(path)}`).pathname.startsWith('/root/')).toBe(true);
        expect(path).not.toMatch(/(^|\/)\.{0,2}(\/|$)|\\/);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is not to be told from another that composes its letters otherwise; case tells them apart', () => {
    expect(lookAlikePaths(['é.html'.normalize('NFC'), 'é.html'.normalize('NFD')])).not.toBeNull();
    expect(lookAlikePaths(['a.html', 'A.html', 'é.html', 'É.html', 'ss', 'ß'])).toBeNull();
  });
});
