/** What git says never shows what opens a repository. */
import { expect, test } from 'vitest';
import { openGit, withoutCredentials } from '../../files/git-program.ts';
import { emptyDirectory } from './tree.ts';

const token = 'ghp_0123456789abcdef';

test.each([
  [
    `fatal: unable to access 'https://user:${token}@example.com/a.git/': timed out`,
    "fatal: unable to access 'https://***@example.com/a.git/': timed out",
  ],
  [`clone of 'https://${token}@example.com/a.git' failed`, "clone of 'https://***@example.com/a.git' failed"],
  [
    'redirect to http://a:b@c.example/x and ftp://d:e@f/',
    'redirect to http://***@c.example/x and ftp://***@f/',
  ],
  ["at 'https://user:p@ss@example.com/a.git'", "at 'https://***@example.com/a.git'"],
  [`remote: welcome, ${token}!`, 'remote: welcome, ***!'],
  ["fatal: 'ssh://git@example.com/a.git' is not there", "fatal: 'ssh://git@example.com/a.git' is not there"],
  ["fatal: 'ssh://git:secret@example.com/a.git'", "fatal: 'ssh://***@example.com/a.git'"],
  [
    'see https://example.com/a@b and mail you@example.com',
    'see https://example.com/a@b and mail you@example.com',
  ],
])('%s', (said, shown) => {
  expect(withoutCredentials(said, token)).toBe(shown);
});

test('an address in the configuration of a repository is not repeated when it cannot be reached', async () => {
  const directory = emptyDirectory();
  const repository = { url: 'https://127.0.0.1:9/a.git', transport: 'https', host: '127.0.0.1:9' } as const;
  const git = openGit({ environment: { PATH: process.env.PATH, HOME: directory }, repository });
  try {
    await git.run(['init', '--quiet', directory]);
    await git.run(['-C', directory, 'remote', 'add', 'origin', `https://user:${token}@127.0.0.1:9/a.git`]);
    const { exitCode, stderr } = await git.run(['-C', directory, 'fetch', 'origin']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toContain('127.0.0.1:9');
    expect(stderr).not.toContain(token);
  } finally {
    git.close();
  }
});
