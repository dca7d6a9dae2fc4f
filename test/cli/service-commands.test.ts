/** What a build prints commands no build service. */
import { describe, expect, test } from 'vitest';
import { outputLines, summaryText } from '../../cli/github-results.ts';
import { createGithubCommands, defuse } from '../../cli/service-commands.ts';
import type { Deployment } from '../../contract/api.ts';

/** What GitHub's runner makes of a log: the commands that it obeys. It trims lines, and also knows `##[name]`. */
function obeyed(log: string): string[] {
  const commands: string[] = [];
  let token: string | null = null;
  for (const line of log.split('\n')) {
    const [, name, rest = ''] = /^\s*::([\w-]+)(.*)$/.exec(line) ?? [];
    if (token !== null) {
      if (line.trim() === `::${token}::`) token = null;
    } else if (name === 'stop-commands') {
      token = rest.replace(/^::/, '');
    } else if (name !== undefined || /##\[\w/.test(line)) {
      commands.push(line.trim());
    }
  }
  return commands;
}

describe('on GitHub', () => {
  test('only our own commands are obeyed, whatever the text says', () => {
    const github = createGithubCommands();
    const log = [
      github.command('group', 'build'),
      github.inert('::set-output name=url::http://evil.example.com\n'),
      github.inert('  ::add-mask::e\n##[add-path]/tmp\n'),
      github.command('endgroup'),
      github.inert('::stop-commands::x\n::x::\n::add-mask::f\n'),
      github.release(),
    ].join('');
    expect(obeyed(log)).toEqual(['::group::build', '::endgroup::']);
  });

  test('a token that was shown is never used again', () => {
    const github = createGithubCommands();
    const first = github.inert('');
    github.command('group', 'x');
    expect(github.inert('a line')).toBe('a line');
    const tokens = [first, github.release(), github.inert('')].join('').match(/[0-9a-f-]{36}/g);
    expect(new Set(tokens).size).toBe(3);
  });

  test('a message keeps its lines, and what it quotes stays a message', () => {
    const line = createGithubCommands().command('error', '50% of\nit::add-mask::x', 'A: b, c');
    expect(line.split('\n')[0]).toBe('::error title=A%3A b%2C c::50%25 of%0Ait::add-mask::x');
  });

  test('a value cannot break out of its output', () => {
    const lines = outputLines({ url: 'http://x\nstatus=ready', id: '1' }, () => 'RANDOM');
    expect(lines).toBe(
      'url<<sphere_RANDOM\nhttp://x\nstatus=ready\nsphere_RANDOM\nid<<sphere_RANDOM\n1\nsphere_RANDOM\n',
    );
  });

  test('what builds nothing says what it did, and not what an earlier deployment had published', () => {
    const figures = { files: 4, bytes: 25, changed: 1, removed: 0, uploaded: 0, uploadedBytes: 0 };
    const deployment = { id: 'dpl_1', project: 'shop', url: 'http://x', status: 'ready', liveOn: ['live'] };
    const source = { kind: 'upload', digest: 'a'.repeat(64) };
    const made = { ...deployment, figures, source } as unknown as Deployment;
    const summary = summaryText({
      deployment: made,
      error: null,
      said: 'Rolled back to `dpl_1`, without a build.',
    });
    expect(summary).toContain('Rolled back to `dpl_1`, without a build.');
    expect(summary).not.toContain('Published');
    expect(summaryText({ deployment: made, error: null })).toContain('Published 4 files');
  });

  test('what a build printed is text in the summary', () => {
    const summary = summaryText({
      deployment: null,
      error: { code: 'BUILD_FAILED', message: 'It failed.', details: ['````\n# big <img src=x>'] },
    });
    expect(summary).toContain('`````text\nIt failed.\n````\n# big <img src=x>\n`````');
  });
});

describe('on stdout, where no service can be told to stop', () => {
  test.each([
    ['GitHub Actions', '  ::add-mask::e', '  : :add-mask::e'],
    ['GitHub Actions', 'a ##[add-path]/x', 'a ## [add-path]/x'],
    ['GitHub Actions', 'a::b', 'a::b'],
    ['Azure Pipelines', 'x ##vso[task.setvariable variable=a]b', 'x ## vso[task.setvariable variable=a]b'],
    ['TeamCity', "##teamcity[setParameter name='a']", "## teamcity[setParameter name='a']"],
    ['GitLab CI', '::add-mask::e', '::add-mask::e'],
    [null, '::add-mask::e', '::add-mask::e'],
  ])('%s gets %j as %j', (service, text, safe) => {
    expect(defuse(text, service)).toBe(safe);
  });
});
