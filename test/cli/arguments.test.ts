/** Command lines: what they mean, and what a person who mistypes is told. */
import { describe, expect, test } from 'vitest';
import { commands } from '../../cli/command-list.ts';
import { parseArguments } from '../../cli/program.ts';

const parse = (line: string) => parseArguments(line.split(' ').filter(Boolean), () => {});

describe('arguments', () => {
  test.each<[string, string, string[], object]>([
    ['deploy', 'deploy', [], {}],
    ['deploy site --slug my-app', 'deploy', ['site'], { slug: 'my-app' }],
    ['deploy --project my-app', 'deploy', [], { slug: 'my-app' }],
    ['deploy --no-install --build make', 'deploy', [], { install: false, build: 'make' }],
    ['deploy --no-cache -f --dry-run', 'deploy', [], { cache: false, force: true, dryRun: true }],
    ['--json -C here ls my-app', 'ls', ['my-app'], { json: true, cwd: 'here' }],
    ['logs dpl_1 -f --yes', 'logs', ['dpl_1'], { follow: true, yes: true }],
    ['ls my-app --next c --limit 5', 'ls', ['my-app'], { before: 'c', limit: '5' }],
    ['ls my-app --before c', 'ls', ['my-app'], { before: 'c' }],
    [
      'rollback --project my-app -t x --non-interactive',
      'rollback',
      [],
      { slug: 'my-app', token: 'x', nonInteractive: true },
    ],
    ['deploy --local', 'deploy', [], { local: true }],
    ['ls --local', 'ls', [], { local: true }],
    ['redeploy dpl_1 --no-cache', 'redeploy', ['dpl_1'], { cache: false }],
    ['server', 'server', [], {}],
    ['server --port 4000', 'server', [], { port: '4000' }],
    ['server status --json', 'server status', [], { json: true }],
  ])('%s', async (line, name, args, options) => {
    expect(await parse(line)).toMatchObject({ name, args, options });
  });

  test.each<[string, RegExp, RegExp]>([
    ['depoly', /Unknown command 'depoly'/, /Did you mean deploy\?/],
    ['deploy --slgu x', /Unknown option '--slgu'/, /Did you mean --slug\?/],
    ['deploy --slug', /argument missing/, /sphere deploy --help/],
    ['deploy a b', /too many arguments/i, /sphere deploy --help/],
    ['server stats', /^Unknown command 'server stats'\.$/, /Did you mean `sphere server status`\?/],
    ['env ad', /^Unknown command 'env ad'\.$/, /Did you mean `sphere env add`\?/],
    ['token lst', /^Unknown command 'token lst'\.$/, /Did you mean `sphere token ls`\?/],
    ['server foo', /^Unknown command 'server foo'\.$/, /Known are status, .*sphere server --help/],
    ['env ls too-many', /too many arguments/i, /sphere env --help/],
    ['./test', /Unknown command/, /sphere deploy test/],
    // What people type who come from other tools.
    ['up', /Unknown command 'up'/, /sphere deploy/],
    ['publish', /Unknown command/, /sphere deploy/],
    ['list', /Unknown command/, /sphere ls/],
    ['sites:list', /Unknown command/, /sphere ls/],
    ['remove my-app', /Unknown command/, /sphere rm SLUG/],
    ['revert', /Unknown command/, /sphere rollback/],
    ['deploy --production', /Unknown option '--production'/, /--prod/],
    ['deploy --site my-app', /Unknown option '--site'/, /--slug/],
    ['deploy --dir dist', /Unknown option '--dir'/, /sphere deploy DIR.*--prebuilt DIR/],
    ['deploy --no-wait', /Unknown option/, /--detach/],
    ['ls --scope team', /Unknown option/, /account/],
    ['constructor', /Unknown command/, /sphere --help/],
  ])('%s is wrong, and the right thing is named', async (line, message, hint) => {
    await expect(parse(line)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test.each(['', '--help', 'deploy --help', 'server status --help', 'help', 'help deploy'])(
    '%j prints help and runs nothing',
    async (line) => {
      const written: string[] = [];
      expect(await parseArguments(line.split(' ').filter(Boolean), (text) => written.push(text))).toBeNull();
      expect(written.join('')).toMatch(/^Usage: sphere/);
    },
  );

  test('the help of every command begins with an example, and none is wider than a terminal', async () => {
    for (const { name } of commands) {
      const written: string[] = [];
      await parseArguments([name, '--help'], (text) => written.push(text));
      const text = written.join('');
      expect(text).toMatch(/^Usage: sphere .*\n\n.*\n\nExamples:\n {2}# .*\n {2}\$ /);
      for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });
});
