/** The names of previews: the same for everybody who derives one, and fit for host names and buckets. */
import { expect, test } from 'vitest';
import { parseSiteLabel, previewName, previewProblem, siteLabel } from '../../contract/preview.ts';

test.each([
  ['Feature/X_1', 'feature-x-1'],
  ['main', 'main'],
  ['dependabot/npm_and_yarn/vite-7.1.0', 'dependabot-npm-and-yarn-vite-7-1-0'],
  ['-Über--Größe-', 'uber-gro-e'],
  // Reserved: the live site, and what ends the name of a bucket as S3 keeps for itself (T6).
  ['live', 'live-preview'],
  ['x-s3', 'x-s3-preview'],
])('the preview of the branch %s is %s', (branch, name) => {
  expect(previewName(branch, 'shop')).toBe(name);
});

test('a branch that has no letters of a host name is told by a hash', () => {
  const [one, other] = [previewName('日本語', 'shop'), previewName('中文', 'shop')];
  expect(one).toMatch(/^preview-[a-z0-9]{7}$/);
  expect(one).not.toBe(other);
  expect(previewName('日本語', 'shop')).toBe(one);
});

test('T6: what is too long beside the slug is cut to 63 characters and told apart by a hash', () => {
  for (const slug of ['shop', 'a'.repeat(30), 'a'.repeat(50)]) {
    const [one, other] = ['one', 'two'].map((end) =>
      previewName(`feature/${'long-'.repeat(20)}${end}`, slug),
    );
    for (const name of [one, other]) {
      expect(previewProblem(name ?? '', slug)).toBeNull();
      expect(siteLabel({ slug, target: name ?? '' }).length).toBeLessThanOrEqual(63);
      expect(name).toMatch(/^[a-z-]+-[a-z0-9]{7}$/);
    }
    expect(one).not.toBe(other);
  }
});

test('a slug that leaves no room has no preview of a long name, and one of a short name', () => {
  expect(previewName('feature-branch', 'a'.repeat(55))).toBeNull();
  expect(previewName('pr-12', 'a'.repeat(55))).toBe('pr-12');
  expect(previewName('x', 'a'.repeat(63))).toBeNull();
});

test('a label says which site is meant, and no label means two', () => {
  expect(siteLabel({ slug: 'my-shop', target: 'live' })).toBe('my-shop');
  expect(siteLabel({ slug: 'my-shop', target: 'pr-12' })).toBe('my-shop--pr-12');
  expect(parseSiteLabel('my-shop')).toEqual({ slug: 'my-shop', target: 'live' });
  expect(parseSiteLabel('my-shop--pr-12')).toEqual({ slug: 'my-shop', target: 'pr-12' });
  for (const none of ['my-shop--live', 'a--b--c', 'a---b', 'shop--']) expect(parseSiteLabel(none)).toBeNull();
});
