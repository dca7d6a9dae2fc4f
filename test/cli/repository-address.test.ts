/** Which addresses name the same repository, and whose it is. */
import { expect, test } from 'vitest';
import { ownerOf, sameRepository } from '../../cli/repository-address.ts';

test.each([
  ['https://github.com/Someone/site.git', 'github.com/someone'],
  ['git@github.com:someone/site', 'github.com/someone'],
  ['ssh://git@github.com:22/someone/site', 'github.com/someone'],
  ['https://gitlab.com/group/sub/site', 'gitlab.com/group/sub'],
  ['http://127.0.0.1:8080/site', '127.0.0.1:8080/site'],
  ['/home/someone/site', null],
  ['file:///home/someone/site', null],
])('%s is of %s', (repository, owner) => {
  expect(ownerOf(repository)).toBe(owner);
});

test.each([
  ['https://github.com/a/b', 'git@github.com:A/B.git', true],
  ['https://github.com/a/b', 'https://github.com/a/b/', true],
  ['https://github.com/a/b', 'https://github.com/a/c', false],
  ['https://github.com/a/b', 'https://github.com.example.org/a/b', false],
  ['https://github.com/a/b', 'https://github.com@example.org/a/b', false],
  ['https://github.com/a/b', '/home/a/b', false],
  ['https://github.com/a/b', 'https://gitlab.com/a/b', false],
  ['ssh://git@github.com:22/a/b.git', 'https://user@GitHub.com/a/b/', true],
  ['http://127.0.0.1:8080/a', 'http://127.0.0.1:8081/a', false],
  ['/srv/site.git', '/srv/site', true],
  ['/srv/site', 'file:///srv/site.git/', true],
  ['/srv/site', '/srv/Site', false],
])('%s and %s: %s', (one, other, same) => {
  expect(sameRepository(one, other)).toBe(same);
});
