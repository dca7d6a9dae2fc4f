/** Who gets to read what, and when silence is broken. */
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { Chalk } from 'chalk';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createOutput, type OutputSettings } from '../../cli/output.ts';

function open(settings: Partial<OutputSettings> = {}) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => {
    const through = new PassThrough().setEncoding('utf8');
    through.on('data', (text: string) => {
      written[name] += text;
    });
    return through as unknown as NodeJS.WriteStream;
  };
  const output = createOutput({
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    json: false,
    chalk: null,
    resultColours: false,
    ci: false,
    service: null,
    ...settings,
  });
  return { output, written };
}

describe('what is printed', () => {
  test('goes to stderr, the result to stdout', async () => {
    const { output, written } = open();
    output.note('a note');
    output.warn('careful');
    await output.lines('a line\n');
    await output.result('the result\n');
    expect(written).toEqual({ stdout: 'the result\n', stderr: 'a note\nWarning: careful\na line\n' });
  });

  test.each([
    ['the disk is full', 'The disk is full.'],
    ['there is no project "shop"', 'There is no project "shop".'],
    ['nofile cannot be read', 'nofile cannot be read.'],
    ['shop has no deployment', 'shop has no deployment.'],
    ['./a.env holds no values.', './a.env holds no values.'],
  ])('of the error %j is a sentence, and a name in front as it is', async (message, sentence) => {
    const { output, written } = open();
    output.error({ code: 'USAGE', message });
    expect(written.stderr).toBe(`Error: ${sentence}\n`);
  });

  test('of an error is message, details and hint, without what a log may have smuggled in', async () => {
    const { output, written } = open({ chalk: new Chalk({ level: 1 }) });
    output.error({
      code: 'BUILD_FAILED',
      message: 'It failed.',
      details: ['\u001b]0;x\u0007seen'],
      hint: 'Mend it.',
    });
    await output.close();
    expect(stripVTControlCharacters(written.stderr)).toBe('Error: It failed.\n  seen\nMend it.\n');
    expect(written.stderr).not.toContain('\u001b]');
  });

  test('says details once that the message holds already', () => {
    const { output, written } = open();
    output.error({ code: 'CONFIGURATION_INVALID', message: 'Wrong:\nline 1', details: ['line 1'] });
    expect(written.stderr).toBe('Error: Wrong:\nline 1\n');
  });

  test("cannot command GitHub's runner", async () => {
    const { output, written } = open({ service: 'GitHub Actions' });
    await output.lines('::add-mask::e\n');
    await output.lines('::set-env name=A::b\n');
    await output.close();
    const [, token] = /^::stop-commands::([0-9a-f-]{36})\n/.exec(written.stderr) ?? [];
    expect(written.stderr).toBe(
      `::stop-commands::${token}\n::add-mask::e\n::set-env name=A::b\n::${token}::\n`,
    );
  });

  test('on GitHub is a group for each phase, and an annotation for what went wrong', async () => {
    const { output, written } = open({ service: 'GitHub Actions' });
    output.section('install');
    await output.lines('added 3 packages\n');
    output.section('build');
    output.warn('careful');
    output.error({
      code: 'BUILD_FAILED',
      message: 'It failed.',
      details: ['::add-mask::e'],
      hint: 'Mend it.',
    });
    await output.close();
    const lines = written.stderr
      .split('\n')
      .filter((line) => !/^::(?:stop-commands::)?[0-9a-f-]{36}/.test(line));
    expect(lines).toEqual([
      '::group::install',
      'added 3 packages',
      '::endgroup::',
      '::group::build',
      '::warning::careful',
      '::endgroup::',
      '::error title=Sphere%3A BUILD_FAILED::It failed.',
      '  ::add-mask::e',
      'Mend it.',
      '',
    ]);
  });

  test('to a reader who has gone is known to be lost', async () => {
    const { output } = open();
    const gone = new PassThrough() as unknown as NodeJS.WriteStream;
    const broken = open({ stdout: gone }).output;
    gone.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    expect(await broken.result('x')).toBe(false);
    expect(await output.result('x')).toBe(true);
  });
});

describe('where there is no terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('work that says nothing is mentioned before half a minute is over, again and again', () => {
    const { output, written } = open();
    output.busy('building', Date.now());
    vi.advanceTimersByTime(24_000);
    expect(written.stderr).toBe('');
    vi.advanceTimersByTime(5_000);
    expect(written.stderr).toBe('... building, 25 s so far\n');
    vi.advanceTimersByTime(30_000);
    expect(written.stderr.trim().split('\n')).toHaveLength(2);
  });

  test('a line starts the silence anew, and the end of the work ends it', () => {
    const { output, written } = open();
    output.busy('building', Date.now());
    vi.advanceTimersByTime(20_000);
    output.note('a line');
    vi.advanceTimersByTime(20_000);
    output.idle();
    vi.advanceTimersByTime(60_000);
    expect(written.stderr).toBe('a line\n');
  });
});
