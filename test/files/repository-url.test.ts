/** Which repository addresses and refs git gets to see. */
import { describe, expect, test } from 'vitest';
import { checkRef, checkRepository } from '../../files/repository-url.ts';

describe('a repository address', () => {
  test.each([
    ['https://github.com/a/b.git', 'https', 'github.com'],
    ['https://git.example.com:8443/a/b', 'https', 'git.example.com:8443'],
    ['http://127.0.0.1:3000/a.git', 'http', '127.0.0.1:3000'],
    ['ssh://git@example.com:22/a/b.git', 'ssh', 'example.com:22'],
    ['git@github.com:a/b.git', 'ssh', 'github.com'],
    ['example.com:a/b.git', 'ssh', 'example.com'],
  ])('%s is taken as %s', (url, transport, host) => {
    expect(checkRepository(url, { allowLocal: false })).toEqual({ url, transport, host });
  });

  test.each(['/srv/a.git', 'file:///srv/a.git'])('%s is taken where local paths are', (url) => {
    expect(checkRepository(url, { allowLocal: true })).toEqual({ url, transport: 'file', host: null });
    expect(() => checkRepository(url, { allowLocal: false })).toThrow(/path on this machine/);
  });

  test.each([
    '',
    ' https://example.com/a',
    '--upload-pack=touch /tmp/x',
    '-oProxyCommand=x',
    'ext::sh -c id',
    'ext::id',
    'fd::17',
    'transport::https://example.com/a',
    'git://example.com/a',
    'ftp://example.com/a',
    'javascript:alert(1)//x y',
    'https://example.com/a\nb',
    'https://example.com/a\u0000',
    'https://example.com',
    'https://',
    'ssh://-oProxyCommand=x/a',
    'ssh://git@x;touch$IFS;.example.com/a.git',
    'ssh://git@$(id).example.com/a',
    'ssh://git@a`id`/a',
    'ssh://-l@example.com/a',
    'git@-oProxyCommand:a',
    '-git@example.com:a',
    'git@example.com:-a',
    'file://host/a',
    'relative/path',
    '../a',
  ])('%j is refused', (url) => {
    expect(() => checkRepository(url, { allowLocal: true })).toThrow(
      expect.objectContaining({ code: 'SOURCE_REFUSED', hint: expect.any(String) }),
    );
  });

  test.each([
    'https://git.example.com./a',
    'https://git.example.com.:8443/a',
    'ssh://git@git.example.com./a',
    'git@git.example.com.:a',
    'https://github.com\\@10.0.0.5/a',
    'https://github.com\\.example.com/a',
    'https://github%2ecom/a',
    'https://１.1.1.1/a',
    'https://017700000001/a',
    'ssh://10.0.0.5%2f@github.com/a',
    'ssh://git@10.0.0.5\\@github.com/a',
  ])('%s is refused, because programs take its host for different ones', (url) => {
    expect(() => checkRepository(url, { allowLocal: false })).toThrow(
      expect.objectContaining({ code: 'SOURCE_REFUSED' }),
    );
  });

  test.each([
    'https://GitHub.com/a',
    'https://[2606:50C0:8000::0153]/a',
    'ssh://git.user+x@a_b.example.com:/a',
  ])('%s is taken, though its host has another form', (url) => {
    expect(checkRepository(url, { allowLocal: false }).url).toBe(url);
  });

  test.each([
    'https://user:ghp_secret@example.com/a',
    'https://ghp_secret@example.com/a',
    'ssh://git:ghp_secret@example.com/a',
  ])('%s is refused, and the message does not repeat the credential', (url) => {
    const refuse = () => checkRepository(url, { allowLocal: false });
    expect(refuse).toThrow(/holds credentials/);
    expect(refuse).not.toThrow(/ghp_secret/);
  });
});

describe('a ref', () => {
  test.each(['main', 'feature/login', 'v1.2.3', 'refs/heads/main', 'HEAD', 'a'.repeat(40), 'größe'])(
    '%s is taken',
    (ref) => {
      expect(checkRef(ref)).toBe(ref);
    },
  );

  test.each([
    '',
    '-b',
    '--upload-pack=x',
    'a..b',
    'a b',
    'a\nb',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'a[b',
    'a\\b',
    '/a',
    'a/',
    'a//b',
    'a.',
    'a.lock',
    '.a',
    'a/.b',
    '@',
    'a@{1}',
  ])('%j is refused', (ref) => {
    expect(() => checkRef(ref)).toThrow(expect.objectContaining({ code: 'SOURCE_REFUSED' }));
  });
});
