/** Files in the format of `.env`: what is read, what is written, and that nothing else in them changes. */
import { describe, expect, test } from 'vitest';
import {
  environmentFileProblems,
  mergeIntoFile,
  parseEnvironmentFile,
  writtenValue,
} from '../../cli/environment-file.ts';
import { seeded, textOf, wholeFrom } from '../builder/random.ts';

test.each([
  ['A=1', { A: '1' }],
  ['export A=1', { A: '1' }],
  ['A = two words  # a comment', { A: 'two words' }],
  ['A="two\\nlines"', { A: 'two\nlines' }],
  ["A='not\\nescaped'", { A: 'not\\nescaped' }],
  ["A='two\nlines'\nB=1", { A: 'two\nlines', B: '1' }],
  ['A="with # no comment"', { A: 'with # no comment' }],
  [`A=\`it's "all"\``, { A: `it's "all"` }],
  ['A=', { A: '' }],
  ['A=a=b', { A: 'a=b' }],
  ['\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['# A=1\n\nB=2', { B: '2' }],
  ['A=1\nA=2', { A: '2' }],
])('%j is read', (text, values) => {
  expect(Object.fromEntries(parseEnvironmentFile(text))).toEqual(values);
});

describe('lines that cannot be meant', () => {
  test.each<[string, string[]]>([
    ['API_TOKEN abcdefgh123', ['line 1: is not NAME=VALUE']],
    ['A=1\n\n# a comment\nnonsense\nB=2\n=x', ['line 4: is not NAME=VALUE', 'line 6: is not NAME=VALUE']],
    ['export A', ['line 1: is not NAME=VALUE']],
    ['A=1\nB="open\nC=3', ['line 2: the quote before the value of B is not closed']],
    ["A='open # comment\nB='x'", ['line 1: the quote before the value of A is not closed']],
    ['A="two\nlines"\n\nB `x`\r\n', ['line 4: is not NAME=VALUE']],
    ['\r\n\r\n  export A="open\r\n', ['line 3: the quote before the value of A is not closed']],
  ])('%j', (text, problems) => {
    expect(environmentFileProblems(text)).toEqual(problems);
  });

  test.each([
    '',
    '# A\n  # B\n\n',
    'export A=1\n  B = 2 # "\n',
    'A="two\n# lines\nand=more"\nB=\'a\n"b\'\n',
    'A=it\'s\nB=5"\n',
    'A=\nB: yaml\nC=#nothing\n',
    '\uFEFFA=1\r\nB=`it\'s "all"`\r\n',
    'A="x","y"\n',
    'A="a\\"b"\n',
  ])('are not in %j', (text) => {
    expect(environmentFileProblems(text)).toEqual([]);
  });

  test('can go without a change to what is read, in 20,000 random files', () => {
    const random = seeded(7);
    for (let round = 0; round < 20_000; round += 1) {
      const text = textOf(random, 'AB=: \n"\'#', wholeFrom(random, 1, 24));
      const problems = environmentFileProblems(text);
      if (problems.some((problem) => problem.includes('quote'))) continue;
      const wrong = problems.map((problem) => Number(/\d+/.exec(problem)?.[0]));
      const without = text.split('\n').map((line, index) => (wrong.includes(index + 1) ? '' : line));
      expect([text, parseEnvironmentFile(without.join('\n'))]).toEqual([text, parseEnvironmentFile(text)]);
    }
  });
});

describe('a value is written so that it is read as it is', () => {
  test.each([
    ['https://example.com/?a', `'https://example.com/?a'`],
    ['https://example.com/a=b', 'https://example.com/a=b'],
    ['two words', "'two words'"],
    ['a#b', "'a#b'"],
    ["it's", `"it's"`],
    ['a\nb', "'a\nb'"],
    ['', ''],
    ['C:\\dir\\', null],
    ['a\r\nb', null],
  ])('%j', (value, written) => {
    expect(writtenValue(value)).toBe(written);
    if (written !== null) expect(parseEnvironmentFile(`X=${written}`).get('X')).toBe(value);
  });

  test('for 20,000 random ones; the few that the format cannot hold are known as such', () => {
    const random = seeded(11);
    let unwritable = 0;
    for (let round = 0; round < 20_000; round++) {
      const value = textOf(random, 'ab1 \t\n\\"\'`#$=:{}€', wholeFrom(random, 0, 12));
      const written = writtenValue(value);
      if (written === null) {
        unwritable += 1;
        continue;
      }
      const read = parseEnvironmentFile(`BEFORE='x'\nVALUE=${written}\nAFTER="y"\n`);
      expect([value, Object.fromEntries(read)]).toEqual([value, { BEFORE: 'x', VALUE: value, AFTER: 'y' }]);
    }
    expect(unwritable).toBeLessThan(20_000 / 5);
  });
});

test('a merge changes what is another value, adds what is missing, and leaves every other byte', () => {
  const text = '# mine\r\nA=1 # one\r\n\r\nexport B="old"\r\nC=\'x\ny\'\r\nB2=B=1';
  const merged = mergeIntoFile(
    text,
    new Map([
      ['A', '1'],
      ['B', 'new'],
      ['C', 'z'],
      ['D', 'added'],
    ]),
    ['KEY', 'B2'],
  );
  expect(merged).toEqual({
    text: '# mine\r\nA=1 # one\r\n\r\nexport B=new\r\nC=z\r\nB2=B=1\nD=added\n# KEY is a secret\n',
    changed: ['B', 'C'],
    added: ['D'],
    unwritable: [],
  });
  expect(mergeIntoFile(merged.text, new Map([['D', 'added']]), ['KEY']).text).toBe(merged.text);
});

test('of a name that stands there twice, the one that counts is changed', () => {
  expect(mergeIntoFile('A=1\nA=2 # two\n', new Map([['A', '3']]), []).text).toBe('A=1\nA=3 # two\n');
});

test('after a merge of random values into a random file, both are there', () => {
  const random = seeded(12);
  for (let round = 0; round < 2_000; round++) {
    const value = () => textOf(random, 'ab \n"\'#$=', wholeFrom(random, 0, 8));
    const values = (names: string[]) => new Map(names.map((name) => [name, value()]));
    const [mine, theirs] = [values(['A', 'B', 'C']), values(['B', 'C', 'D'])];
    const file = mergeIntoFile('# first line\n', mine, []);
    const merged = mergeIntoFile(file.text, theirs, []);
    const lost = new Set([...file.unwritable, ...merged.unwritable]);
    const read = parseEnvironmentFile(merged.text);
    for (const [name, expected] of [...mine, ...theirs]) {
      if (lost.has(name) || (theirs.has(name) && theirs.get(name) !== expected)) continue;
      expect([round, merged.text, name, read.get(name)]).toEqual([round, merged.text, name, expected]);
    }
    expect(merged.text.startsWith('# first line\n')).toBe(true);
  }
});
