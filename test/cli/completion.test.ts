/** Completion in the real shells: what is offered after what was typed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readCommandTree } from '../../cli/command-tree.ts';
import { completionScript } from '../../cli/completion.ts';
import { until } from '../e2e/sphere.ts';
import { emptyDirectory, tree } from '../files/tree.ts';

// Longer than a shell is waited for, so that what was waited for is said.
vi.setConfig({ testTimeout: 60_000 });

/** What bash offers for the last of `words`. */
async function bash(...words: string[]): Promise<string[]> {
  const cwd = tree({ 'script.bash': completionScript('bash', await readCommandTree()), 'site/x': '' });
  const program = `
    source ./script.bash
    COMP_WORDS=(sphere "$@"); COMP_CWORD=$#
    _sphere
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync('bash', ['--norc', '-c', program, 'bash', ...words], { cwd, encoding: 'utf8' });
  return output.split('\n').filter(Boolean);
}

/** What fish offers for `line`, without descriptions. */
async function fish(line: string): Promise<string[]> {
  const cwd = tree({ 'script.fish': completionScript('fish', await readCommandTree()), 'site/x': '' });
  const output = execFileSync('fish', ['--no-config', '-c', `source script.fish; complete -C '${line}'`], {
    cwd,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: cwd },
  });
  return output.split('\n').flatMap((entry) => (entry === '' ? [] : [entry.split('\t')[0] as string]));
}

describe('bash completes', () => {
  test.each<[string[], string[], string[]]>([
    [['de'], ['deploy'], ['--debug', 'ls']],
    [['ro'], ['rollback'], []],
    [['deploy', '--pre'], ['--prebuilt'], ['--port']],
    [['--json', 'deploy', '--sl'], ['--slug'], []],
    [['deploy', '--slug', 'x', '--dr'], ['--dry-run'], []],
    [['token', ''], ['create', 'ls', 'rm'], ['deploy']],
    [['token', 'create', '--ex'], ['--expires'], []],
    [['completion', ''], ['bash', 'zsh', 'fish'], []],
    [['deploy', '--prebuilt', 's'], ['site'], []],
    [['deploy', '--region', ''], [], ['site']],
  ])('%j with %j', async (words, offered, not) => {
    const found = await bash(...words);
    expect(found).toEqual(expect.arrayContaining(offered));
    for (const word of not) expect(found).not.toContain(word);
    if (offered.length === 0) expect(found).toEqual([]);
  });
});

describe('fish completes', () => {
  test.each<[string, string[], string[]]>([
    ['sphere de', ['deploy'], []],
    ['sphere deploy --pre', ['--prebuilt'], []],
    ['sphere logs --', ['--phase', '--since', '--json'], ['--prebuilt']],
    ['sphere token ', ['create', 'ls', 'rm'], ['deploy']],
    ['sphere token create --', ['--expires'], []],
    ['sphere completion ', ['bash', 'zsh', 'fish'], []],
    ['sphere deploy s', ['site/'], []],
  ])('%j with %j', async (line, offered, not) => {
    const found = await fish(line);
    expect(found).toEqual(expect.arrayContaining(offered));
    for (const word of not) expect(found).not.toContain(word);
  });
});

describe('zsh completes, when Tab is pressed in a terminal', () => {
  let script = '';
  beforeAll(async () => {
    script = completionScript('zsh', await readCommandTree());
  });

  async function pressTab(line: string) {
    const cwd = tree({
      'zsh/.zshrc': 'PS1="%% "\nautoload -Uz compinit && compinit -u -D\nsource ~/script.zsh\n',
      'script.zsh': script,
      'site/x': '',
    });
    const socket = join(emptyDirectory(), 'tmux');
    const tmux = (...args: string[]) =>
      execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], {
        cwd,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, HOME: cwd, ZDOTDIR: join(cwd, 'zsh'), TERM: 'xterm', LANG: 'C.UTF-8' },
      });
    tmux('new-session', '-d', '-x', '120', '-y', '60', 'zsh', '-i');
    onTestFinished(() => {
      tmux('kill-server');
    });
    const screen = () => tmux('capture-pane', '-p', '-J');
    await until('zsh is ready', () => screen().startsWith('%'));
    tmux('send-keys', '-l', line);
    tmux('send-keys', 'Tab');
    return screen;
  }

  test.each([
    ['sphere rollb', /^% sphere rollback/],
    ['sphere deploy --preb', /^% sphere deploy --prebuilt/],
    ['sphere token cr', /^% sphere token create/],
    ['sphere completion fi', /^% sphere completion fish/],
    ['sphere l', /login +-- sign in to a hosted control plane/],
    ['sphere trust --re', /--repository-id +.*the host's number/],
    ['sphere logs --s', /--since +.*only lines from then on/],
  ])('%s', async (line, seen) => {
    const screen = await pressTab(line);
    await until(`it shows ${seen}:\n${screen()}`, () => seen.test(screen()));
  });
});
