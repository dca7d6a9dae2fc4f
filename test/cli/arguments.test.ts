/** Command lines: what they mean, and what a person who mistypes is told. */
import { describe, expect, test } from 'vitest';
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
    ['server stats', /Too many arguments|Unknown command/, /status|--help/],
    ['./test', /Unknown command/, /sphere deploy test/],
  ])('%s is wrong, and the right thing is named', async (line, message, hint) => {
    await expect(parse(line)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test.each(['', '--help', 'deploy --help', 'server status --help'])(
    '%j prints help and runs nothing',
    async (line) => {
      const written: string[] = [];
      expect(await parseArguments(line.split(' ').filter(Boolean), (text) => written.push(text))).toBeNull();
      expect(written.join('')).toMatch(/^Usage: sphere/);
    },
  );
});
