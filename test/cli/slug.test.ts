/** Slugs made from names, and what is wrong with typed ones. */
import { describe, expect, test } from 'vitest';
import { slugify, slugProblem } from '../../cli/slug.ts';

describe('a slug is made from', () => {
  test.each([
    ['a plain name', 'my-app', 'my-app'],
    ['a package name without its scope', '@acme/web', 'web'],
    ['words and capitals', 'Hello World', 'hello-world'],
    ['accents', 'Café Zürich', 'cafe-zurich'],
    ['runs of other characters as one hyphen', 'a__b--c', 'a-b-c'],
    ['a repository URL', 'https://github.com/you/My.Site.git', 'my-site'],
    ['an scp-like address', 'git@github.com:you/site.git', 'site'],
    ['a path with a slash at its end', '/home/you/blog/', 'blog'],
    ['a name that is too short', 'ui', 'ui-site'],
    ['a reserved name', 'www', 'www-site'],
    ['a name that is too long, without a hyphen at the cut', `${'a'.repeat(62)}-b`, 'a'.repeat(62)],
  ])('%s', (_what, name, slug) => {
    expect(slugify(name)).toBe(slug);
  });

  test.each(['', '///', '日本語', '...'])('nothing in %j', (name) => {
    expect(slugify(name)).toBeNull();
  });
});

describe('a typed slug', () => {
  test('is right or not', () => {
    expect(slugProblem('my-app')).toBeNull();
    expect(slugProblem('api')).toMatch(/reserved/);
  });

  test('that is wrong comes with one that is right', () => {
    expect(slugProblem('My App')).toContain('such as "my-app"');
  });
});
